// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use eosin::crates::report::tables;
use eosin::crates::report::verdict::run_verdict;
use eosin::{LeftOut, Registry, RegistryExt, Session, Skipped};

use super::sizes::print_sizes;
use super::{open, print_facts, print_verdict, tell_skipped};
use crate::arguments::RunArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin run`.
pub fn run(arguments: &RunArguments, registry: &Registry, bars: &Bars) -> Result<Outcome> {
    let session = open(arguments, registry, bars)?;
    if arguments.dry_run {
        print_sizes(&eosin::run_sizes(&session)?);
        let (skipped, left_out) = eosin::rehearse(&session, |rehearsal| {
            let outcome = eosin::run(rehearsal)?;
            Ok((outcome.skipped, outcome.left_out))
        })?;
        return Ok(tell_plan(&session.config.run.title, &facts(&session)?, &skipped, &left_out));
    }
    let outcome = eosin::run(&session)?;
    let report = &outcome.report;
    println!("{}", tables::rankings(report));
    println!("{}", tables::two_by_two(report));
    println!("{}", tables::gains(report));
    print_verdict(&run_verdict(report));
    if let Some(opened) = report.opened {
        println!("test part: {}", opened.sentence());
    }
    for warning in &report.warnings {
        println!("note: {warning}");
    }
    for finding in &report.data.leakage {
        println!("note: {}", finding.sentence());
    }
    tell_skipped(&outcome.skipped);
    println!("{}", outcome.json.display());
    println!("{}", outcome.html.display());
    Ok(Outcome::of(outcome.skipped.len() + outcome.left_out.len()))
}

/// What a run or a selection would do.
pub fn facts(session: &Session) -> Result<Vec<(String, String)>> {
    let run = &session.config.run;
    let rows = session.dataset.rows(&session.config.task, &[])?;
    let n_train = rows.split.train.len();
    let pipeline = session.registry.pipeline(&session.config.augment.transforms)?;
    let n_views = session.views()?.map_or(0, |views| views.n_stored());
    Ok(vec![
        ("tiles".into(), session.dataset.n_tiles().to_string()),
        ("backbones".into(), run.backbones.join(", ")),
        ("proxies".into(), run.proxies.join(", ")),
        ("target".into(), session.config.task.description.clone()),
        ("views".into(), format!("{n_views} beside each of {n_train} tiles, up to two backbones")),
        ("augmentation".into(), pipeline.description()),
        ("head".into(), session.config.head.kind.clone()),
        ("output".into(), session.out.display().to_string()),
    ])
}

/// What a rehearsal found: that nothing is wrong, or what would be left out.
pub fn tell_plan(
    title: &str,
    facts: &[(String, String)],
    skipped: &[Skipped],
    left_out: &[LeftOut],
) -> Outcome {
    let n_missing = skipped.len() + left_out.len();
    if n_missing == 0 {
        println!("{title}: nothing is wrong; this would be done");
    } else {
        println!("{title}: this would be done, without what is named below");
    }
    print_facts(facts);
    for left_out in left_out {
        println!("left out: {}: {}", left_out.backbone, left_out.reason);
    }
    tell_skipped(skipped);
    Outcome::of(n_missing)
}
