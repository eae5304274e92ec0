// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use eosin::crates::report::tables;
use eosin::{EvaluateOptions, EvaluationConfig, LabelOptions, Registry};

use super::sizes::print_sizes;
use super::{apply_options, print_facts, tell_skipped};
use crate::arguments::ApplyArguments;
use crate::bounds;
use crate::exit::Outcome;
use crate::progress::Bars;

#[derive(Args)]
#[command(after_help = "Examples:
  eosin evaluate --head eosin-out/heads/selected-augmented.safetensors --data new/manifest.csv \\
    --column label --group patient --out evaluation
  eosin evaluate --head eosin-out/heads/selected-augmented.safetensors --data tiles/manifest.csv \\
    --task mitosis-atypical --prevalence 0.02 --out evaluation
  eosin evaluate --head eosin-out/heads/subtype-abmil.safetensors --data a.svs --data b.svs \\
    --labels labels.csv --out evaluation

Writes evaluation.json, evaluation.html and predictions.parquet, from which every figure can be made
again. With --task, the tiles of its test part are taken; without, all that have a class of the head.
Tiles and groups that the head was trained on are refused.
Beside the store, a file per test part counts how many different heads were scored on it.")]
pub struct EvaluateArguments {
    #[command(flatten)]
    pub apply: ApplyArguments,
    /// A manifest with labels, or with --labels a folder of images or a slide; may be given more
    /// than once.
    #[arg(long, required = true)]
    pub data: Vec<PathBuf>,
    /// A CSV with labels for folders and slides; its column `path` names a slide, or a tile by its
    /// path in the folder.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// A file of configs/task, which says columns, classes and the test part.
    #[arg(long)]
    pub task: Option<String>,
    /// Column with the class [default: label, or what the task says]
    #[arg(long)]
    pub column: Option<String>,
    /// Column with the patient or other unit over which intervals are made [default: group, or what
    /// the task says]
    #[arg(long)]
    pub group: Option<String>,
    /// Say what calls and thresholds are worth where positives have this share, between 0 and 1; may
    /// be given more than once [default: 0.001, 0.01, 0.05 and 0.2]
    #[arg(long, allow_negative_numbers = true, value_parser = bounds::real("prevalence"))]
    pub prevalence: Vec<f64>,
    /// Folder for the report and the predictions.
    #[arg(long, default_value = "eosin-out/evaluation")]
    pub out: PathBuf,
    /// Evaluate on tiles or groups of the head's training, for this reason, which stands in the
    /// report.
    #[arg(long, value_name = "REASON")]
    pub allow_leakage: Option<String>,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = bounds::whole::<u64>("seed"))]
    pub seed: u64,
    /// Check head, tiles and labels, say how many tiles, groups and rows of each class every part and
    /// centre has, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// `eosin evaluate`.
pub fn evaluate(
    arguments: &EvaluateArguments,
    registry: &Registry,
    bars: &Bars,
) -> Result<Outcome> {
    let options = EvaluateOptions {
        data: &arguments.data,
        labels: LabelOptions {
            task: arguments.task.as_deref(),
            column: arguments.column.as_deref(),
            group: arguments.group.as_deref(),
            labels: arguments.labels.as_deref(),
        },
        apply: apply_options(&arguments.apply, registry)?,
        out: &arguments.out,
        prevalence: &arguments.prevalence,
        allow_leakage: arguments.allow_leakage.as_deref(),
        evaluation: EvaluationConfig::default(),
        seed: arguments.seed,
    };
    if arguments.dry_run {
        let planned = eosin::check_evaluate(&options)?;
        print_facts(&eosin::inspect(&arguments.apply.head, registry)?.facts);
        print_sizes(&planned.sizes);
        for note in &planned.notes {
            println!("note: {}", note.replace('`', ""));
        }
        let n_tiles = planned.sizes.parts.first().map_or(0, |part| part.n_tiles);
        println!("would be evaluated on {n_tiles} tiles");
        return Ok(Outcome::Done);
    }
    let outcome = eosin::evaluate(&options, bars)?;
    let report = &outcome.report;
    print!("{}", tables::evaluation(report));
    for sentence in report.verdict() {
        println!("{}", sentence.replace('`', ""));
    }
    for note in report.notes.iter().chain(&report.warnings) {
        println!("note: {}", note.replace('`', ""));
    }
    tell_skipped(&outcome.skipped);
    println!("{}", outcome.json.display());
    println!("{}", outcome.html.display());
    Ok(Outcome::of(outcome.skipped.len()))
}
