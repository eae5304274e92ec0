// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use eosin::Session;
use eosin::crates::report::tables;

use super::{open, print_facts, tell_skipped};
use crate::arguments::RunArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin run`.
pub fn run(arguments: &RunArguments, bars: &Bars) -> Result<Outcome> {
    let session = open(arguments, bars)?;
    if arguments.dry_run {
        return dry_run(&session);
    }
    let outcome = eosin::run(&session)?;
    let report = &outcome.report;
    println!("{}", tables::rankings(report));
    println!("{}", tables::two_by_two(report));
    println!("{}", tables::gains(report));
    for warning in &report.warnings {
        println!("note: {warning}");
    }
    tell_skipped(&outcome.skipped);
    println!("{}", outcome.json.display());
    println!("{}", outcome.html.display());
    Ok(Outcome::of(outcome.skipped.len()))
}

/// Checks everything that can be checked without embedding, and says what would be done.
pub fn dry_run(session: &Session) -> Result<Outcome> {
    let run = &session.config.run;
    let rows = session.dataset.rows(&session.config.task, &[])?;
    eosin::check_leakage(session, &rows)?;
    for (_, task) in &session.config.proxies {
        session.dataset.rows(task, &[])?;
    }
    for name in &run.backbones {
        session.backbone(name)?;
    }
    let head = &session.config.head;
    session.registry.head(&head.kind, &head.options)?;
    let pipeline = session.registry.pipeline(&session.config.augment.transforms)?;
    let n_views = session.views()?.map_or(0, |views| usize::from(views.n_views));
    let (n_train, n_test) = (rows.split.train.len(), rows.split.held_out.len());
    println!("{}: nothing is wrong; this would be done", run.title);
    print_facts(&[
        ("tiles".into(), session.dataset.n_tiles().to_string()),
        ("backbones".into(), run.backbones.join(", ")),
        ("proxies".into(), run.proxies.join(", ")),
        (
            "target".into(),
            format!(
                "{}: {n_train} to fit on, {n_test} to test on",
                session.config.task.description
            ),
        ),
        ("views".into(), format!("{n_views} of each of {n_train} tiles, up to two backbones")),
        ("augmentation".into(), pipeline.description()),
        ("head".into(), head.kind.clone()),
        ("output".into(), session.out.display().to_string()),
    ]);
    Ok(Outcome::Done)
}
