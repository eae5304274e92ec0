// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::{Context, Result};
use eosin::crates::report::study_text;
use eosin::{Registry, Session, StudyConfig};

use super::sizes::print_sizes;
use super::{open, print_facts, print_verdict, tell_skipped};
use crate::arguments::{RunArguments, StudyArguments};
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin study`.
pub fn study(arguments: &StudyArguments, registry: &Registry, bars: &Bars) -> Result<Outcome> {
    let config = StudyConfig::read(&arguments.run.config)?;
    let folder = std::path::absolute(&arguments.run.config)?;
    let configs = folder
        .parent()
        .and_then(std::path::Path::parent)
        .with_context(|| format!("{} lies in no configs/study", folder.display()))?;
    let run = RunArguments {
        config: configs.join("run").join(format!("{}.toml", config.run)),
        ..arguments.run.clone()
    };
    let session = open(&run, registry, bars)?;
    if run.dry_run {
        return dry_run(&session, &config);
    }
    let outcome = eosin::study(&session, &config)?;
    println!("{}", study_text::study_tables(&outcome.report));
    print_verdict(&study_text::verdict(&outcome.report));
    if let Some(opened) = outcome.report.opened {
        println!("test part: {}", opened.sentence());
    }
    for warning in &outcome.report.warnings {
        println!("note: {}", warning.replace('`', ""));
    }
    tell_skipped(&outcome.skipped);
    println!("{}", outcome.json.display());
    println!("{}", outcome.html.display());
    Ok(Outcome::of(outcome.skipped.len()))
}

/// Does the study once on noise instead of embeddings, with one round of folds.
fn dry_run(session: &Session, config: &StudyConfig) -> Result<Outcome> {
    let arms = eosin::check_arms(config, &session.config.head, &session.registry)?;
    print_sizes(&eosin::study_sizes(session, config)?);
    let outcome = eosin::rehearse(session, |rehearsal| eosin::study(rehearsal, &once(config)))?;
    let warnings = &outcome.report.warnings;
    let tried = |(name, n): &(String, usize)| format!("{name} ({n})");
    if warnings.is_empty() {
        println!("{}: nothing is wrong; this would be done", config.title);
    } else {
        println!("{}: this would be done, with the notes below", config.title);
    }
    print_facts(&[
        ("task".into(), session.config.task.description.clone()),
        ("arms and settings".into(), arms.iter().map(tried).collect::<Vec<_>>().join(", ")),
        ("output".into(), session.out.display().to_string()),
    ]);
    for warning in warnings {
        println!("note: {}", warning.replace('`', ""));
    }
    tell_skipped(&outcome.skipped);
    Ok(Outcome::of(outcome.skipped.len()))
}

/// The study with one round of folds, the fewest replicates and no control: more make its numbers
/// steadier, and the control fits arms that are fitted anyway.
fn once(config: &StudyConfig) -> StudyConfig {
    let mut config = config.clone();
    config.design.repeats = 1;
    config.design.evaluation.replicates = config.design.evaluation.replicates.min(100);
    config.curve.iter_mut().for_each(|curve| curve.repeats = 1);
    config.permuted = None;
    config
}
