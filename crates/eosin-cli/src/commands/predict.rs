// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::{Result, anyhow};
use eosin::{Formats, PredictOptions, Registry, Shares};

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
        formats: formats(arguments)?,
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
    match &outcome.written[..] {
        [table] => println!("{}", table.display()),
        files => println!("{} files in {}", files.len(), arguments.out.display()),
    }
    Ok(Outcome::of(outcome.skipped.len()))
}

/// What is written into a folder, and how.
fn formats(arguments: &PredictArguments) -> Result<Formats> {
    let mut formats = Formats { kinds: arguments.format.clone(), ..Formats::default() };
    formats.kinds.extend(arguments.layout.clone());
    if let Some(merge) = arguments.merge {
        let table = formats.options.entry("geojson".into()).or_default();
        table.insert("merge".into(), merge.into());
    }
    for setting in &arguments.set {
        let parts = setting.split_once('=').and_then(|(place, value)| {
            let (kind, key) = place.split_once('.')?;
            Some((kind, key, value))
        });
        let (kind, key, text) = parts.ok_or_else(|| {
            anyhow!("--set {setting}: expected FORMAT.KEY=VALUE, such as heatmap.opacity=0.4")
        })?;
        // What is no number, flag or list is text.
        let value = format!("value = {text}").parse::<toml::Table>().ok();
        let value = value.filter(|table| table.len() == 1).and_then(|mut t| t.remove("value"));
        let value = value.unwrap_or_else(|| text.into());
        formats.options.entry(kind.into()).or_default().insert(key.into(), value);
    }
    Ok(formats)
}
