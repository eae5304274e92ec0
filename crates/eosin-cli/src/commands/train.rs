// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use anyhow::Result;
use eosin::Session;

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
    let run = &session.config.run;
    let name = arguments.backbone.as_deref().unwrap_or(&run.default_backbone);
    let embedded = session.embed(name, None, None)?;
    let skipped = Session::skipped(std::slice::from_ref(&embedded));
    let rows = session.dataset.rows(&session.config.task, &skipped)?;
    eosin::check_leakage(&session, &rows)?;
    let pipeline = session.registry.pipeline(&session.config.augment.transforms)?;
    let bank = if arguments.no_augment { None } else { eosin::embed_views(&session, &rows, name)? };
    let bank = bank.as_ref().map(|(embedded, n_views)| (embedded, *n_views));
    let set = eosin::labelled(&session, &rows, &embedded, bank)?;
    let augment = (!arguments.no_augment).then_some(&pipeline);
    let arm = eosin::fit_arm(&session, &rows, &set, &embedded, augment)?;
    println!("penalty {} by inner grouped cross-validation", arm.tuned.penalty);
    if let Some(threshold) = arm.tuned.threshold {
        println!("threshold {threshold:.4} on out-of-fold predictions");
    }
    let mut file = arm.file;
    if let Some(test) = &arm.test {
        let metrics = test.metrics(&run.evaluation.bootstrap(run.seed))?;
        for metric in &metrics {
            let i = &metric.interval;
            println!("  {:18} {:.3} ({:.3} to {:.3})", metric.name, i.estimate, i.lower, i.upper);
        }
        file.metrics = metrics
            .iter()
            .map(|m| (format!("test {}", m.name), m.interval.estimate))
            .collect::<BTreeMap<_, _>>();
    }
    let path = arguments
        .head
        .clone()
        .unwrap_or_else(|| session.out.join("heads").join(format!("{name}.safetensors")));
    eosin::save(&file, &path)?;
    tell_skipped(&skipped);
    println!("{}", path.display());
    Ok(Outcome::of(skipped.len()))
}
