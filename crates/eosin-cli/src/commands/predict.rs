// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use eosin::{PredictOptions, Registry, Shares};

use super::{apply_options, print_facts, tell_skipped};
use crate::arguments::PredictArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin predict`.
pub fn predict(arguments: &PredictArguments, registry: &Registry, bars: &Bars) -> Result<Outcome> {
    let options = PredictOptions {
        input: &arguments.input,
        apply: apply_options(&arguments.apply, registry)?,
        out: &arguments.out,
        attention: arguments.attention.as_deref(),
        shares: if arguments.recalibrate {
            Shares::Estimated
        } else if arguments.prevalence.is_empty() {
            Shares::AsTrained
        } else {
            Shares::Stated(&arguments.prevalence)
        },
    };
    if arguments.dry_run {
        let n_tiles = eosin::check_predict(&options)?;
        print_facts(&eosin::inspect(&arguments.apply.head, registry)?.facts);
        println!("would be applied to {n_tiles} tiles");
        return Ok(Outcome::Done);
    }
    let outcome = eosin::predict(&options, bars)?;
    let called: Vec<String> =
        outcome.called.iter().map(|(class, n)| format!("{class} {n}")).collect();
    tell_skipped(&outcome.skipped);
    if outcome.n_unreadable > 0 {
        eprintln!(
            "note: {} tiles cannot be read now; they were embedded before",
            outcome.n_unreadable
        );
    }
    match outcome.n_slides {
        None => println!("{} tiles: {}", outcome.n_tiles, called.join(", ")),
        Some(n) => println!("{n} slides of {} tiles: {}", outcome.n_tiles, called.join(", ")),
    }
    for sentence in outcome.recalibration.iter().chain(&outcome.lacking_guarantees) {
        println!("note: {sentence}");
    }
    println!("{}", arguments.out.display());
    Ok(Outcome::of(outcome.skipped.len()))
}
