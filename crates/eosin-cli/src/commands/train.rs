// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use comfy_table::{Table, presets};
use eosin::crates::eval::{Form, Interval};
use eosin::crates::report::{TestOpened, tables};
use eosin::{
    Measured, Registry, RegistryExt, Session, TrainOutcome, TrainPlan, TrainedFile, TrainedHead,
    train_many,
};

use super::sizes::print_sizes;
use super::{open, print_facts, tell_skipped};
use crate::arguments::TrainArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin train`.
pub fn train(arguments: &TrainArguments, registry: &Registry, bars: &Bars) -> Result<Outcome> {
    let session = open(&arguments.run, registry, bars)?;
    let plan = TrainPlan {
        tasks: arguments.task.clone(),
        heads: arguments.head.clone(),
        backbones: arguments.backbone.clone(),
        augment: !arguments.no_augment,
    };
    if arguments.run.dry_run {
        return dry_run(&session, &plan);
    }
    let TrainOutcome { heads: trained, skipped, warnings } = train_many(&session, &plan)?;
    println!("{}", table(&trained));
    for head in &trained {
        if let Ok(saved) = &head.result {
            tell(head, saved, trained.len() == 1);
        }
    }
    let failed = tell_failed(&trained)?;
    let saved = trained.iter().filter_map(|head| Some((head, head.result.as_ref().ok()?)));
    // The last head of a task has seen them all.
    let opened: BTreeMap<&str, u64> = saved
        .filter_map(|(head, saved)| Some((head, saved.opened?)))
        .fold(BTreeMap::new(), |mut most, (head, opened)| {
            let n: &mut u64 = most.entry(&head.task).or_default();
            *n = opened.n_configurations.max(*n);
            most
        });
    for (task, n_configurations) in opened {
        println!("test part of {task}: {}", TestOpened { n_configurations }.sentence());
    }
    for warning in &warnings {
        println!("note: {warning}");
    }
    tell_skipped(&skipped);
    if let Some(note) = session.unreadable_note(&skipped) {
        println!("note: {note}");
    }
    Ok(Outcome::of(skipped.len() + failed))
}

/// Names the heads that could not be fitted and counts them; where that is all, it is an error.
fn tell_failed(trained: &[TrainedHead]) -> Result<usize> {
    let mut failed = 0;
    for head in trained {
        if let Err(reason) = &head.result {
            eprintln!("{} with {} on {}: {reason}", head.task, head.head, head.backbone);
            failed += 1;
        }
    }
    if failed == trained.len() {
        bail!("no head could be fitted");
    }
    Ok(failed)
}

/// Trains the plan on noise instead of embeddings.
fn dry_run(session: &Session, plan: &TrainPlan) -> Result<Outcome> {
    eosin::train_sizes(session, plan)?.iter().for_each(print_sizes);
    let TrainOutcome { heads: trained, skipped, warnings } =
        eosin::rehearse(session, |rehearsal| train_many(rehearsal, plan))?;
    let failed = tell_failed(&trained)?;
    let title = &session.config.run.title;
    if failed + skipped.len() == 0 {
        println!("{title}: nothing is wrong; this would be done");
    } else {
        println!("{title}: this would be done, without what is named");
    }
    let each = |of: fn(&TrainedHead) -> &str| {
        let names: BTreeSet<&str> = trained.iter().map(of).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let augmentation = if plan.augment {
        session.registry.pipeline(&session.config.augment.transforms)?.description()
    } else {
        "none".into()
    };
    print_facts(&[
        ("tiles".into(), session.dataset.n_tiles().to_string()),
        ("tasks".into(), each(|t| &t.task)),
        ("heads".into(), each(|t| &t.head)),
        ("backbones".into(), each(|t| &t.backbone)),
        ("augmentation".into(), augmentation),
        ("output".into(), session.out.join("heads").display().to_string()),
    ]);
    for warning in &warnings {
        println!("note: {warning}");
    }
    tell_skipped(&skipped);
    Ok(Outcome::of(failed + skipped.len()))
}

/// Heads in the order of what needs no call; beside it the calls, at what other folds gave.
fn table(trained: &[TrainedHead]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "task",
        "head",
        "backbone",
        "metric",
        "out of fold",
        "test",
        "calls, out of fold",
        "penalty",
    ]);
    for head in trained {
        let names = [head.task.clone(), head.head.clone(), head.backbone.clone()];
        let cells = match &head.result {
            Ok(saved) => [
                saved.out_of_fold.metrics.first().map_or("", |m| m.name).to_string(),
                first(Some(&saved.out_of_fold)),
                first(saved.test.as_ref()),
                calls(&saved.out_of_fold),
                format!("{:.3e}", saved.penalty),
            ],
            Err(_) => ["not fitted", "", "", "", ""].map(String::from),
        };
        table.add_row(names.into_iter().chain(cells));
    }
    table
}

/// The metric that heads are sorted by.
fn first(measured: Option<&Measured>) -> String {
    shown(measured.and_then(|m| m.metrics.first()).map(|m| &m.interval))
}

/// F1 with the share of rows that is called, where some are not.
fn calls(measured: &Measured) -> String {
    let f1 = format!("{} {:.3}", measured.calls.name, measured.calls.interval.estimate);
    match &measured.figures.abstention {
        Some(abstention) => format!("{f1}, {:.0} % called", 100.0 * abstention.coverage),
        None => f1,
    }
}

fn shown(interval: Option<&Interval>) -> String {
    interval.map_or_else(
        || "–".into(),
        |i| match i.form {
            Form::None => format!("{:.3} (no interval: {} groups)", i.estimate, i.n_groups),
            _ => format!("{:.3} ({:.3} to {:.3})", i.estimate, i.lower, i.upper),
        },
    )
}

/// The file, and with one head alone everything that is known of it.
fn tell(head: &TrainedHead, saved: &TrainedFile, all: bool) {
    if all {
        print!("{}", tables::columns(&every_metric(saved)));
        let parts = [("out of fold", Some(&saved.out_of_fold)), ("test", saved.test.as_ref())];
        for (part, measured) in parts {
            let Some(Measured { figures, .. }) = measured else { continue };
            println!("{part}");
            let text = tables::figures(
                figures.calibration.as_ref(),
                &figures.precision_at_prevalence,
                &figures.recall_at_precision,
            );
            for line in text.lines() {
                println!("  {line}");
            }
            if let Some(abstention) = &figures.abstention {
                println!("  {}", abstention.sentence("rows"));
            }
        }
        if let Some(threshold) = saved.threshold {
            println!("threshold {threshold:.4}, of all out-of-fold predictions");
        }
    }
    println!("{}: {}", head.task, saved.path.display());
}

fn every_metric(saved: &TrainedFile) -> Vec<Vec<String>> {
    let mut rows = vec![["  metric", "out of fold", "test"].map(String::from).to_vec()];
    for (i, metric) in saved.out_of_fold.metrics.iter().enumerate() {
        let test = saved.test.as_ref().and_then(|test| test.metrics.get(i));
        rows.push(vec![
            format!("  {}", metric.name),
            shown(Some(&metric.interval)),
            shown(test.map(|m| &m.interval)),
        ]);
    }
    rows
}
