// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::{Context, Result};
use eosin::StudyConfig;
use eosin::crates::report::study_text;

use super::{open, print_facts, tell_skipped};
use crate::arguments::{RunArguments, StudyArguments};
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin study`.
pub fn study(arguments: &StudyArguments, bars: &Bars) -> Result<Outcome> {
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
    let session = open(&run, bars)?;
    if run.dry_run {
        let rows = session.dataset.rows(&session.config.task, &[])?;
        let design = &config.design;
        let arms = eosin::check_arms(&config, &session.config.head, &session.registry)?;
        let tried = |(name, n): &(String, usize)| format!("{name} ({n})");
        println!("{}: nothing is wrong; this would be done", config.title);
        print_facts(&[
            ("task".into(), session.config.task.description.clone()),
            ("tiles to fit on".into(), rows.split.train.len().to_string()),
            ("tiles to test on".into(), rows.split.held_out.len().to_string()),
            ("arms and settings".into(), arms.iter().map(tried).collect::<Vec<_>>().join(", ")),
            ("outer folds".into(), format!("{} × {}", design.repeats, design.folds)),
            ("inner folds".into(), design.inner_folds.to_string()),
            ("output".into(), session.out.display().to_string()),
        ]);
        return Ok(Outcome::Done);
    }
    let outcome = eosin::study(&session, &config)?;
    println!("{}", study_text::study_tables(&outcome.report));
    for sentence in study_text::verdict(&outcome.report) {
        println!("{}", sentence.replace('`', ""));
    }
    for warning in &outcome.report.warnings {
        println!("note: {}", warning.replace('`', ""));
    }
    tell_skipped(&outcome.skipped);
    println!("{}", outcome.json.display());
    println!("{}", outcome.html.display());
    Ok(Outcome::of(outcome.skipped.len()))
}
