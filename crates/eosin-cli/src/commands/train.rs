// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::{Result, bail};
use comfy_table::{Table, presets};
use eosin::crates::eval::{Form, Interval};
use eosin::{SavedHead, TrainPlan, TrainedHead, train_many};

use super::run::dry_run;
use super::{open, tell_skipped};
use crate::arguments::TrainArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin train`.
pub fn train(arguments: &TrainArguments, bars: &Bars) -> Result<Outcome> {
    let session = open(&arguments.run, bars)?;
    if arguments.run.dry_run {
        return dry_run(&session);
    }
    let plan = TrainPlan {
        tasks: arguments.task.clone(),
        heads: arguments.head.clone(),
        backbones: arguments.backbone.clone(),
        augment: !arguments.no_augment,
    };
    let (trained, skipped) = train_many(&session, &plan)?;
    println!("{}", table(&trained));
    for head in &trained {
        match &head.result {
            Ok(saved) => tell(head, saved, trained.len() == 1),
            Err(reason) => {
                eprintln!("{} with {} on {}: {reason}", head.task, head.head, head.backbone);
            }
        }
    }
    tell_skipped(&skipped);
    if let Some(note) = session.unreadable_note(&skipped) {
        println!("note: {note}");
    }
    if trained.iter().all(|head| head.result.is_err()) {
        bail!("no head could be fitted");
    }
    let failed = trained.iter().filter(|head| head.result.is_err()).count();
    Ok(Outcome::of(skipped.len() + failed))
}

fn table(trained: &[TrainedHead]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "task",
        "head",
        "backbone",
        "metric",
        "out of fold",
        "test",
        "penalty",
    ]);
    for head in trained {
        let names = [head.task.clone(), head.head.clone(), head.backbone.clone()];
        let cells = match &head.result {
            Ok(saved) => [
                saved.out_of_fold.name.to_string(),
                shown(Some(&saved.out_of_fold.interval)),
                shown(saved.test_interval()),
                format!("{:.3e}", saved.penalty),
            ],
            Err(_) => ["not fitted".into(), String::new(), String::new(), String::new()],
        };
        table.add_row(names.into_iter().chain(cells));
    }
    table
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
fn tell(head: &TrainedHead, saved: &SavedHead, all: bool) {
    if all {
        for metric in &saved.test {
            println!("  {:18} {}", metric.name, shown(Some(&metric.interval)));
        }
        if let Some(threshold) = saved.threshold {
            println!("  threshold {threshold:.4} on out-of-fold predictions");
        }
    }
    println!("{}: {}", head.task, saved.path.display());
}
