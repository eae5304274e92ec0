// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod arms;
mod config;
mod control;
mod digest;
mod export;
mod journal;
mod permute;
mod plan;
mod score;
mod session;
mod summary;
mod tested;
mod unit;

use std::collections::BTreeMap;
use std::path::Path;

use eosin_core::{Fold, LabelledSet, Progress, Result, TrainView};
use eosin_eval::splits;
use eosin_report::StudyReport;
use rayon::prelude::*;

use self::arms::Arm;
pub use self::config::{
    ArmConfig, CurveConfig, PermutedConfig, StrengthConfig, StudyConfig, StudyDesign,
};
use self::export::Named;
use self::journal::Journal;
use self::permute::Permutation;
pub use self::plan::seed_of;

pub use self::session::{StudyOutcome, study};
use self::unit::{InnerSearch, Part, Unit, UnitKey, fit_unit};
use eosin_session::config::ComponentConfig;
use eosin_session::exports::Exports;
use eosin_session::registry::Registry;

/// One backbone's embeddings of the rows that are studied.
pub struct StudySet {
    /// The backbone.
    pub backbone: String,
    /// All rows of the task, those of the test part too; rows, labels and groups are the same for
    /// every backbone.
    pub set: LabelledSet,
}

/// What a study works on, without tiles or stores.
pub struct StudyInput<'a> {
    /// Backbones, the default one first.
    pub sets: &'a [StudySet],
    /// Rows to fit and cross-validate on, and rows to test on once.
    pub split: &'a Fold,
    /// What the task asks, in words.
    pub task: &'a str,
    /// The head of every arm that names none.
    pub head: &'a ComponentConfig,
    /// Seed of folds, draws and intervals.
    pub seed: u64,
}

/// Runs what is not in the journal yet, and sums up.
///
/// Every arm meets the same folds and searches the same penalties, and its settings are chosen in
/// inner folds. Same input, same report, on any number of threads and however often it was
/// interrupted.
pub fn study_sets(
    input: &StudyInput,
    config: &StudyConfig,
    registry: &Registry,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<StudyReport> {
    Ok(study_named(input, config, registry, folder, progress, None)?.0)
}

/// As [`study_sets`], with every prediction where rows have names.
fn study_named(
    input: &StudyInput,
    config: &StudyConfig,
    registry: &Registry,
    folder: &Path,
    progress: &dyn Progress,
    named: Option<&Named>,
) -> Result<(StudyReport, Exports)> {
    config.check()?;
    let first = &input.sets.first().ok_or_else(no_backbone)?.set;
    let budget = config.design.budget;
    let arms: Vec<Arm> = config
        .arms
        .iter()
        .map(|arm| Arm::make(arm, input.head, budget, registry))
        .collect::<Result<_>>()?;
    let digest = digest::of(input, config);
    let (journal, mut done) = Journal::open(folder, &digest)?;
    let main = Folds::new(first, input, &config.design)?;
    let permutation = Permutation::of(&input.split.train, first.labels(), first.groups());

    let jobs = plan::jobs(config, input, main.repeats(), main.k);
    let pending: Vec<UnitKey> = jobs.iter().filter(|k| !done.contains_key(k)).copied().collect();
    tracing::info!(units = jobs.len(), done = jobs.len() - pending.len(), "study");
    progress.start("study", jobs.len() as u64);
    progress.advance((jobs.len() - pending.len()) as u64);
    let found: Vec<Unit> = pending
        .into_par_iter()
        .map(|key| {
            let unit = run_unit(key, &main, permutation, &arms, input, config);
            journal.append(&unit)?;
            progress.advance(1);
            Ok(unit)
        })
        .collect::<Result<_>>()?;
    progress.finish();
    done.extend(found.into_iter().map(|unit| (unit.key, unit)));
    let wanted: BTreeMap<UnitKey, Unit> =
        jobs.into_iter().filter_map(|key| Some((key, done.remove(&key)?))).collect();
    let findings = summary::Findings {
        input,
        config,
        digest,
        arms: &arms,
        units: &wanted,
        main: &main,
        permutation,
    };
    let exports = match named {
        Some(named) => export::exports(&findings, named)?,
        None => Exports::default(),
    };
    Ok((summary::report(findings)?, exports))
}

/// Makes every arm without fitting it, so that a wrong kind or option is found at once; tells how
/// many settings each arm tries.
pub fn check_arms(
    config: &StudyConfig,
    head: &ComponentConfig,
    registry: &Registry,
) -> Result<Vec<(String, usize)>> {
    let make = |arm| Arm::make(arm, head, config.design.budget, registry);
    let told = |arm: Arm| (arm.name.clone(), arm.n_settings());
    config.arms.iter().map(|arm| make(arm).map(told)).collect()
}

/// Outer folds of the training part, the same for all arms and backbones.
struct Folds {
    /// Of a round.
    k: usize,
    /// Positions in the training part, round after round.
    all: Vec<Fold>,
    /// Why there are fewer than were asked for.
    notes: Vec<String>,
}

impl Folds {
    fn new(set: &LabelledSet, input: &StudyInput, design: &StudyDesign) -> Result<Self> {
        let (train, _) = TrainView::whole(set).split(input.split)?;
        let (labels, groups) = (train.labels(), train.groups());
        let n_classes = train.classes().len();
        let splits::Repeated { folds, k, notes, .. } = splits::repeated(
            &labels,
            &groups,
            n_classes,
            design.folds,
            design.repeats,
            input.seed,
        )?;
        Ok(Self { k, all: folds, notes })
    }

    /// Partitions, no two alike.
    fn repeats(&self) -> usize {
        self.all.len() / self.k.max(1)
    }

    fn get(&self, repeat: usize, fold: usize) -> &Fold {
        &self.all[repeat * self.k + fold]
    }

    /// The fold that a permutation is scored on: all folds in turn.
    fn of_draw(&self, draw: usize) -> &Fold {
        &self.all[draw % self.all.len()]
    }
}

/// Errors of one unit are kept as text: an arm that cannot be fitted does not end a study.
fn run_unit(
    key: UnitKey,
    folds: &Folds,
    permutation: Permutation,
    arms: &[Arm],
    input: &StudyInput,
    config: &StudyConfig,
) -> Unit {
    let set = &input.sets[key.backbone].set;
    let fit = || -> Result<unit::Fitted> {
        let (train, test) = TrainView::whole(set).split(input.split)?;
        let search = InnerSearch {
            folds: config.design.inner_folds,
            metric: config.design.metric,
            // The same for all arms and backbones, so that they meet the same inner folds.
            seed: plan::seed_of(input.seed, key.repeat, key.fold),
        };
        let arm = &arms[key.arm];
        match key.part {
            Part::Test => fit_unit(&train, &test, arm, search),
            Part::Main => {
                let (inner, held_out) = train.split(folds.get(key.repeat, key.fold))?;
                fit_unit(&inner, &held_out, arm, search)
            }
            Part::Permuted => {
                let fold = folds.of_draw(key.repeat);
                let labels = permutation.labels(
                    &input.split.train,
                    fold,
                    set.labels(),
                    set.groups(),
                    (input.seed, key.repeat),
                )?;
                let set = set.relabelled(labels)?;
                let (train, _) = TrainView::whole(&set).split(input.split)?;
                let (inner, held_out) = train.split(fold)?;
                fit_unit(&inner, &held_out, arm, search)
            }
            Part::Curve(n) => {
                let fold = folds.get(key.repeat, key.fold);
                let thinned = plan::thinned(&train, fold, n, search.seed);
                let (inner, held_out) = train.split(&thinned)?;
                fit_unit(&inner, &held_out, arm, search)
            }
        }
    };
    Unit { key, result: fit().map_err(|error| error.to_string()) }
}

fn no_backbone() -> eosin_core::Error {
    eosin_core::Error::input("study", "at least one backbone", "none", "name one in `backbones`")
}

#[cfg(test)]
mod tests;
