// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{LabelledSet, Result};
use eosin_eval::GroupBootstrap;
use eosin_eval::hypothesis::holm;
use eosin_report::{
    self as report, LearningCurve, LearningPoint, StudyArm, StudyGain, StudyReport,
};

use super::arms::Arm;
use super::config::StudyConfig;
use super::control::controls;
use super::permute::Permutation;
use super::score::{Scores, Truth, ratio_of};
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

/// Predictions of one arm in one part, or why there are none.
type Found = std::result::Result<Scores, String>;

/// The report of a study.
pub fn report(findings: Findings) -> Result<StudyReport> {
    let (input, config) = (findings.input, findings.config);
    let bootstrap = config.design.evaluation.bootstrap(input.seed);
    let first = &input.sets[0].set;
    let truth = truth(first);
    let name = |i: usize| match findings.arms.get(i) {
        Some(arm) => arm.name.clone(),
        None => CHOSEN.to_string(),
    };
    let ratio = Some(findings.main.ratio(first, input));

    let mut arms = Vec::new();
    let mut main = BTreeMap::new();
    let mut test = BTreeMap::new();
    let n_arms = findings.arms.len() + usize::from(config.design.choose);
    for backbone in 0..input.sets.len() {
        for arm in 0..n_arms {
            main.insert((backbone, arm), findings.scores(Part::Main, backbone, arm, &truth)?);
            test.insert((backbone, arm), findings.scores(Part::Test, backbone, arm, &truth)?);
        }
    }
    let reference = findings.arm_number(&config.design.reference);
    let on = findings.arm_number(&config.design.on);
    for backbone in 0..input.sets.len() {
        for arm in 0..n_arms {
            let change = format!("{} instead of {}", name(arm), config.design.reference);
            let scores = Compared { arms: &main, from: (backbone, reference), to: (backbone, arm) };
            let tested = Compared { arms: &test, ..scores };
            let settings = findings.arms.get(arm);
            arms.push(StudyArm {
                backbone: input.sets[backbone].backbone.clone(),
                arm: name(arm),
                description: settings.map_or_else(
                    || "in every outer fold the arm with the best F1 in its inner folds".into(),
                    |a| a.description.clone(),
                ),
                metrics: scores.metrics(&bootstrap)?,
                gain: scores.gain(&change, &bootstrap, ratio)?,
                test: tested.metrics(&bootstrap)?,
                test_gain: tested.gain(&change, &bootstrap, None)?,
                chosen: findings.chosen(Part::Main, backbone, arm),
                n_settings: settings.map_or_else(
                    || findings.arms.iter().map(Arm::n_settings).sum::<usize>(),
                    Arm::n_settings,
                ) as u64,
                failure: main[&(backbone, arm)].as_ref().err().cloned(),
            });
        }
    }
    correct(arms.iter_mut().filter_map(|a| a.gain.as_mut()));

    let square = |found: &BTreeMap<_, _>, ratio| -> Result<Vec<StudyGain>> {
        let selected = input.sets.len() - 1;
        let (off, with) = (reference, on);
        let changes = [
            ("augmentation, on the default backbone", (0, off), (0, with)),
            ("selection, without augmentation", (0, off), (selected, off)),
            ("augmentation, on the selected backbone", (selected, off), (selected, with)),
            ("selection and augmentation", (0, off), (selected, with)),
        ];
        let mut gains = Vec::new();
        for (change, from, to) in changes {
            gains.extend(Compared { arms: found, from, to }.gain(change, &bootstrap, ratio)?);
        }
        correct(gains.iter_mut());
        Ok(gains)
    };
    let mut warnings = findings.failures();
    warnings.extend(findings.transform_notes());
    if input.sets.len() == 1 {
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
        level: bootstrap.level,
        design: design(&findings),
        metric: Scores::main_name(truth.n_classes).to_string(),
        backbones: input.sets.iter().map(|s| s.backbone.clone()).collect(),
        reference: config.design.reference.clone(),
        on: config.design.on.clone(),
        arms,
        square: square(&main, ratio)?,
        test_square: if input.split.held_out.is_empty() {
            Vec::new()
        } else {
            square(&test, None)?
        },
        curves: curves(&findings, &truth, &bootstrap)?,
        controls: controls(&findings)?,
        warnings,
    })
}

/// Two arms among all that were scored.
#[derive(Clone, Copy)]
struct Compared<'a> {
    arms: &'a BTreeMap<(usize, usize), Found>,
    from: (usize, usize),
    to: (usize, usize),
}

impl Compared<'_> {
    fn metrics(&self, bootstrap: &GroupBootstrap) -> Result<Vec<report::Metric>> {
        match &self.arms[&self.to] {
            Ok(scores) => scores.metrics(bootstrap),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn gain(
        &self,
        change: &str,
        bootstrap: &GroupBootstrap,
        ratio: Option<f64>,
    ) -> Result<Option<StudyGain>> {
        match (&self.arms[&self.from], &self.arms[&self.to]) {
            (Ok(from), Ok(to)) if self.from != self.to && from.same_rows(to) => {
                from.gain(to, change, bootstrap, ratio).map(Some)
            }
            _ => Ok(None),
        }
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

    /// An arm's predictions round by round; past the last arm, those of the chosen ones.
    fn scores(&self, part: Part, backbone: usize, arm: usize, truth: &Truth) -> Result<Found> {
        let (repeats, k) = self.size(part);
        let mut rounds: Vec<Vec<&Fitted>> = Vec::new();
        for repeat in 0..repeats {
            let mut round = Vec::new();
            for fold in 0..k {
                let unit = if arm < self.arms.len() {
                    self.unit(part, backbone, arm, repeat, fold)
                } else {
                    self.best(part, backbone, repeat, fold).map(|(_, unit)| unit)
                };
                match unit.map(|u| &u.result) {
                    Some(Ok(fitted)) => round.push(fitted),
                    Some(Err(reason)) => return Ok(Err(reason.clone())),
                    None => return Ok(Err("it was not run".into())),
                }
            }
            rounds.push(round);
        }
        if rounds.is_empty() {
            return Ok(Err("it was not run".into()));
        }
        Scores::new(&rounds, truth).map(Ok)
    }

    /// The arm of the best inner score in one outer fold, the first of equals.
    fn best(
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
        let design = &self.config.design;
        let repeats = |wanted: Option<usize>| wanted.unwrap_or(0).min(design.repeats);
        match part {
            Part::Main => (design.repeats, self.main.k),
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
        ratio_of(&self.folds, &groups)
    }
}

fn truth(set: &LabelledSet) -> Truth<'_> {
    Truth { labels: set.labels(), groups: set.groups(), n_classes: set.classes().len() }
}

/// Holm's correction over the gains of one table.
fn correct<'a>(gains: impl Iterator<Item = &'a mut StudyGain>) {
    let gains: Vec<&mut StudyGain> = gains.collect();
    let p: Vec<f64> = gains.iter().map(|g| g.p).collect();
    for (gain, corrected) in gains.into_iter().zip(holm(&p)) {
        gain.p_holm = corrected;
    }
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
        repeats: config.design.repeats as u64,
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
    bootstrap: &GroupBootstrap,
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
                let Ok(scores) = findings.scores(part, backbone, arm, truth)? else { continue };
                let metric = &scores.metrics(bootstrap)?[0];
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
                metric: Scores::main_name(truth.n_classes).to_string(),
                points,
            });
        }
    }
    Ok(curves)
}
