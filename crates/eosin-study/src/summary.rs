// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Fold, LabelledSet, Result};
use eosin_eval::GroupBootstrap;
use eosin_eval::splits::test_train_ratio;
use eosin_report::{
    self as report, LearningCurve, LearningPoint, StudyArm, StudyGain, StudyReport, TrivialCall,
};

use super::arms::Arm;
use super::config::StudyConfig;
use super::control::controls;
use super::permute::Permutation;
use super::score::{FoldMetrics, HeldOut, Truth, gains, main_name, trivial};
use super::tested;
use super::unit::{Fitted, Part, Unit, UnitKey};
use super::{Folds, StudyInput};

/// Name of the arm that takes the best arm of the inner folds.
pub const CHOSEN: &str = "chosen by inner folds";

/// All that a study has found, to be turned into its report.
pub struct Findings<'a> {
    pub input: &'a StudyInput<'a>,
    pub config: &'a StudyConfig,
    pub digest: String,
    pub arms: &'a [Arm],
    pub units: &'a BTreeMap<UnitKey, Unit>,
    pub main: &'a Folds,
    /// What changes places in the control.
    pub permutation: Permutation,
}

/// Metrics of one arm in one part, or why there are none.
type Found<T> = std::result::Result<T, String>;

/// The report of a study.
pub fn report(findings: Findings) -> Result<StudyReport> {
    let (input, config) = (findings.input, findings.config);
    let bootstrap = config.design.evaluation.bootstrap(input.seed);
    let first = &input.sets[0].set;
    let truth = truth(first);
    let metric = main_name(truth.n_classes);
    let level = bootstrap.level;
    let name = |i: usize| match findings.arms.get(i) {
        Some(arm) => arm.name.clone(),
        None => CHOSEN.to_string(),
    };
    let ratio = findings.main.ratio(first, input);

    let mut main = BTreeMap::new();
    let mut test = BTreeMap::new();
    let n_arms = findings.arms.len() + usize::from(config.design.choose);
    let places: Vec<(usize, usize)> =
        (0..input.sets.len()).flat_map(|b| (0..n_arms).map(move |a| (b, a))).collect();
    for &(backbone, arm) in &places {
        main.insert((backbone, arm), findings.folds(Part::Main, backbone, arm, &truth)?);
        test.insert((backbone, arm), findings.tested(backbone, arm, &truth)?);
    }
    let reference = findings.arm_number(&config.design.reference);
    let on = findings.arm_number(&config.design.on);
    let change = |arm| format!("{} instead of {}", name(arm), config.design.reference);
    let scored: BTreeMap<(usize, usize), &FoldMetrics> =
        main.iter().filter_map(|(at, found)| Some((*at, found.as_ref().ok()?))).collect();
    let against: Vec<_> =
        places.iter().map(|&(b, arm)| (change(arm), (b, reference), (b, arm))).collect();
    let found = gains(&scored, &against, metric, ratio, level)?;
    let mut arms = Vec::new();
    for (&(backbone, arm), gain) in places.iter().zip(found) {
        let settings = findings.arms.get(arm);
        arms.push(StudyArm {
            backbone: input.sets[backbone].backbone.clone(),
            arm: name(arm),
            description: settings.map_or_else(
                || "in every outer fold the arm with the best F1 in its inner folds".into(),
                |a| a.description.clone(),
            ),
            metrics: match &main[&(backbone, arm)] {
                Ok(found) => found.metrics(ratio, level)?,
                Err(_) => Vec::new(),
            },
            gain,
            test: match &test[&(backbone, arm)] {
                Ok(found) => found.with_intervals(&bootstrap)?,
                Err(_) => Vec::new(),
            },
            test_gain: tested_gain(
                &test,
                (backbone, reference),
                (backbone, arm),
                &change(arm),
                &bootstrap,
            )?,
            chosen: findings.chosen(Part::Main, backbone, arm),
            n_settings: settings.map_or_else(
                || findings.arms.iter().map(Arm::n_settings).sum::<usize>(),
                Arm::n_settings,
            ) as u64,
            failure: main[&(backbone, arm)].as_ref().err().cloned(),
        });
    }

    let selected = input.sets.len() - 1;
    let (off, with) = (reference, on);
    let changes = [
        ("augmentation, on the default backbone", (0, off), (0, with)),
        ("selection, without augmentation", (0, off), (selected, off)),
        ("augmentation, on the selected backbone", (selected, off), (selected, with)),
        ("selection and augmentation", (0, off), (selected, with)),
    ];
    // With one backbone both rows are the same, and each change is tested once.
    let changes = if selected == 0 { &changes[..1] } else { &changes[..] };
    let pairs: Vec<_> =
        changes.iter().map(|&(change, from, to)| (change.to_string(), from, to)).collect();
    let square = gains(&scored, &pairs, metric, ratio, level)?.into_iter().flatten().collect();
    let mut test_square = Vec::new();
    for &(change, from, to) in changes {
        test_square.extend(tested_gain(&test, from, to, change, &bootstrap)?);
    }
    let mut warnings = findings.main.notes.clone();
    warnings.extend(findings.failures());
    warnings.extend(findings.transform_notes());
    if selected == 0 {
        warnings.push("one backbone was studied, so both rows of the 2×2 are the same".into());
    }
    Ok(StudyReport {
        format: StudyReport::FORMAT,
        title: config.title.clone(),
        notes: config.notes.clone(),
        eosin_version: env!("CARGO_PKG_VERSION").to_string(),
        digest: findings.digest.clone(),
        seed: input.seed,
        replicates: bootstrap.replicates as u64,
        level,
        design: design(&findings),
        metric: metric.to_string(),
        backbones: input.sets.iter().map(|s| s.backbone.clone()).collect(),
        reference: config.design.reference.clone(),
        on: config.design.on.clone(),
        trivial: findings.trivial(&truth),
        arms,
        square,
        test_square,
        curves: curves(&findings, &truth, ratio, level)?,
        controls: controls(&findings)?,
        tested: tested::chosen(&findings, &bootstrap)?,
        opened: None,
        warnings,
    })
}

/// The gain of a fixed head over another on the test part.
fn tested_gain(
    test: &BTreeMap<(usize, usize), Found<HeldOut>>,
    from: (usize, usize),
    to: (usize, usize),
    change: &str,
    bootstrap: &GroupBootstrap,
) -> Result<Option<StudyGain>> {
    match (&test[&from], &test[&to]) {
        (Ok(before), Ok(after)) if from != to => before.gain(after, change, bootstrap),
        _ => Ok(None),
    }
}

impl Findings<'_> {
    pub fn arm_number(&self, name: &str) -> usize {
        self.arms.iter().position(|arm| arm.name == name).unwrap_or(0)
    }

    pub fn unit(
        &self,
        part: Part,
        backbone: usize,
        arm: usize,
        repeat: usize,
        fold: usize,
    ) -> Option<&Unit> {
        self.units.get(&UnitKey { part, backbone, arm, repeat, fold })
    }

    /// An arm's metrics fold by fold; past the last arm, those of the chosen ones.
    fn folds(
        &self,
        part: Part,
        backbone: usize,
        arm: usize,
        truth: &Truth,
    ) -> Result<Found<FoldMetrics>> {
        match self.fitted(part, backbone, arm) {
            Ok(units) => FoldMetrics::new(&units, truth).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// An arm's predictions on the test part.
    fn tested(&self, backbone: usize, arm: usize, truth: &Truth) -> Result<Found<HeldOut>> {
        match self.fitted(Part::Test, backbone, arm) {
            Ok(units) => HeldOut::new(units[0], truth).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// The units of an arm, round by round and fold by fold, or why one is missing.
    pub fn fitted(&self, part: Part, backbone: usize, arm: usize) -> Found<Vec<&Fitted>> {
        let (repeats, k) = self.size(part);
        let mut fitted = Vec::with_capacity(repeats * k);
        for (repeat, fold) in (0..repeats).flat_map(|r| (0..k).map(move |f| (r, f))) {
            let unit = if arm < self.arms.len() {
                self.unit(part, backbone, arm, repeat, fold)
            } else {
                self.best(part, backbone, repeat, fold).map(|(_, unit)| unit)
            };
            match unit.map(|u| &u.result) {
                Some(Ok(unit)) => fitted.push(unit),
                Some(Err(reason)) => return Err(reason.clone()),
                None => return Err("it was not run".into()),
            }
        }
        if fitted.is_empty() { Err("it was not run".into()) } else { Ok(fitted) }
    }

    /// What calls that look at no tile score on the outer folds.
    fn trivial(&self, truth: &Truth) -> Vec<TrivialCall> {
        let train = &self.input.split.train;
        let labels = |fold: &Fold| -> Vec<u32> {
            fold.held_out.iter().map(|&at| truth.labels[train[at]]).collect()
        };
        let folds: Vec<Vec<u32>> = self.main.all.iter().map(labels).collect();
        trivial(&folds, truth.n_classes)
    }

    /// The arm of the best inner score in one outer fold, the first of equals.
    pub fn best(
        &self,
        part: Part,
        backbone: usize,
        repeat: usize,
        fold: usize,
    ) -> Option<(usize, &Unit)> {
        let mut best: Option<(usize, &Unit, f64)> = None;
        for arm in 0..self.arms.len() {
            let Some(unit) = self.unit(part, backbone, arm, repeat, fold) else { continue };
            let Ok(fitted) = &unit.result else { continue };
            if best.is_none_or(|(.., score)| fitted.inner > score) {
                best = Some((arm, unit, fitted.inner));
            }
        }
        best.map(|(arm, unit, _)| (arm, unit))
    }

    /// What the inner folds took, the most frequent first.
    fn chosen(&self, part: Part, backbone: usize, arm: usize) -> Vec<String> {
        let (repeats, k) = self.size(part);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (repeat, fold) in (0..repeats).flat_map(|r| (0..k).map(move |f| (r, f))) {
            let label = if arm < self.arms.len() {
                let unit = self.unit(part, backbone, arm, repeat, fold);
                unit.and_then(|u| u.result.as_ref().ok()).and_then(|f| f.strength.clone())
            } else {
                self.best(part, backbone, repeat, fold).map(|(arm, _)| self.arms[arm].name.clone())
            };
            if let Some(label) = label {
                *counts.entry(label).or_default() += 1;
            }
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.into_iter().map(|(what, n)| format!("{what} ({n} of {})", repeats * k)).collect()
    }

    /// Rounds and folds of a part.
    fn size(&self, part: Part) -> (usize, usize) {
        let repeats = |wanted: Option<usize>| wanted.unwrap_or(0).min(self.main.repeats());
        match part {
            Part::Main => (self.main.repeats(), self.main.k),
            // Scored by draw, not by round.
            Part::Permuted => (0, 0),
            Part::Curve(_) => (repeats(self.config.curve.as_ref().map(|c| c.repeats)), self.main.k),
            Part::Test if self.input.split.held_out.is_empty() => (0, 0),
            Part::Test => (1, 1),
        }
    }

    /// What transforms told of their fits, of each arm's fit on most rows.
    fn transform_notes(&self) -> Vec<String> {
        let fits = self.units.iter().filter(|(key, _)| matches!(key.part, Part::Main | Part::Test));
        // The test part comes last and takes the place of the outer folds.
        let by_arm: BTreeMap<(usize, usize), &Unit> =
            fits.map(|(key, unit)| ((key.backbone, key.arm), unit)).collect();
        let told = by_arm.into_iter().flat_map(|((backbone, arm), unit)| {
            let notes = unit.result.as_ref().map_or(&[][..], |fitted| &fitted.notes);
            let place =
                format!("{} on {}", self.arms[arm].name, self.input.sets[backbone].backbone);
            notes.iter().map(move |note| format!("{place}: {note}"))
        });
        told.collect()
    }

    /// A line per arm and part that could not be fitted, with the first reason.
    fn failures(&self) -> Vec<String> {
        let mut first: BTreeMap<(usize, usize, Part), (usize, &str)> = BTreeMap::new();
        for unit in self.units.values() {
            if let Err(reason) = &unit.result {
                let at = (unit.key.backbone, unit.key.arm, unit.key.part);
                first.entry(at).or_insert((0, reason)).0 += 1;
            }
        }
        first
            .into_iter()
            .map(|((backbone, arm, part), (n, reason))| {
                let part = match part {
                    Part::Main => "cross-validation".to_string(),
                    Part::Permuted => "the permuted control".into(),
                    Part::Curve(n) => format!("the curve at {n} positives"),
                    Part::Test => "the test part".into(),
                };
                format!(
                    "`{}` on {} has no result in {part}: {n} fits failed, the first with: {reason}",
                    self.arms[arm].name, self.input.sets[backbone].backbone
                )
            })
            .collect()
    }
}

impl Folds {
    /// n_te/n_tr in groups.
    fn ratio(&self, set: &LabelledSet, input: &StudyInput) -> f64 {
        let groups: Vec<u32> = input.split.train.iter().map(|&row| set.groups()[row]).collect();
        test_train_ratio(&self.all, &groups)
    }
}

fn truth(set: &LabelledSet) -> Truth<'_> {
    Truth { labels: set.labels(), groups: set.groups(), n_classes: set.classes().len() }
}

fn design(findings: &Findings) -> report::StudyDesign {
    let (input, config) = (findings.input, findings.config);
    let set = &input.sets[0].set;
    let counts = |rows: &[usize]| {
        let mut counts = vec![0; set.classes().len()];
        for &row in rows {
            counts[set.labels()[row] as usize] += 1;
        }
        counts
    };
    let groups = |rows: &[usize]| {
        let mut groups: Vec<u32> = rows.iter().map(|&row| set.groups()[row]).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.len() as u64
    };
    report::StudyDesign {
        task: input.task.to_string(),
        classes: set.classes().to_vec(),
        train_counts: counts(&input.split.train),
        train_groups: groups(&input.split.train),
        test_counts: counts(&input.split.held_out),
        test_groups: groups(&input.split.held_out),
        folds: findings.main.k as u64,
        repeats: findings.main.repeats() as u64,
        inner_folds: config.design.inner_folds as u64,
        budget: config.design.budget as u64,
        n_views: set.bank().map_or(0, |bank| bank.n_views() as u64),
        head: input.head.kind.clone(),
    }
}

/// A curve per arm and backbone; the last point is the whole of the training side.
fn curves(
    findings: &Findings,
    truth: &Truth,
    ratio: f64,
    level: f64,
) -> Result<Vec<LearningCurve>> {
    let Some(curve) = &findings.config.curve else { return Ok(Vec::new()) };
    let input = findings.input;
    let last = truth.n_classes as u32 - 1;
    let positives =
        input.split.train.iter().filter(|&&row| truth.labels[row] == last).count() as f64;
    // On average a fold trains on the share (k − 1)/k of them.
    let all =
        (positives * (findings.main.k as f64 - 1.0) / findings.main.k as f64).round() as usize;
    let mut curves = Vec::new();
    for (backbone, set) in input.sets.iter().enumerate() {
        for name in &curve.arms {
            let arm = findings.arm_number(name);
            let mut points = Vec::new();
            let sizes = curve.positives.iter().filter(|&&n| n < all);
            for (n, part) in sizes.map(|&n| (n, Part::Curve(n))).chain([(all, Part::Main)]) {
                let Ok(found) = findings.folds(part, backbone, arm, truth)? else { continue };
                let metrics = found.metrics(ratio, level)?;
                let Some(metric) = metrics.iter().find(|m| m.name == main_name(truth.n_classes))
                else {
                    continue;
                };
                points.push(LearningPoint {
                    n_positives: n as u64,
                    estimate: metric.estimate,
                    lower: metric.lower,
                    upper: metric.upper,
                });
            }
            curves.push(LearningCurve {
                name: if input.sets.len() == 1 {
                    name.clone()
                } else {
                    format!("{name}, {}", set.backbone)
                },
                metric: main_name(truth.n_classes).to_string(),
                points,
            });
        }
    }
    Ok(curves)
}
