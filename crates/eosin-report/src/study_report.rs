// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;
use serde::{Deserialize, Serialize};

use crate::run_report::nan;
use crate::trivial::{self, TrivialCall};
use crate::{
    CalibrationResult, LearningCurve, Metric, PrecisionAtPrevalence, RecallAtPrecision, TestOpened,
    json,
};

/// Everything that a study found out: `study.json`, and all that `study.html` is drawn from.
///
/// Like a run's report it holds no times, paths or hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyReport {
    /// Version of this format.
    pub format: u32,
    /// Heading.
    pub title: String,
    /// What a reader must know, from the configuration.
    pub notes: Vec<String>,
    /// Version of Eosin.
    pub eosin_version: String,
    /// Digest of the configuration and of the rows that were studied.
    pub digest: String,
    /// Seed of the run.
    pub seed: u64,
    /// Bootstrap replicates over groups behind the intervals.
    pub replicates: u64,
    /// Coverage of the intervals.
    pub level: f64,
    /// How it was done.
    pub design: StudyDesign,
    /// The metric that arms are compared by.
    pub metric: String,
    /// Backbones, the default one first.
    pub backbones: Vec<String>,
    /// The arm that gains are counted from.
    pub reference: String,
    /// The arm that stands for "augmentation on".
    pub on: String,
    /// What calls that look at no tile score on the same folds.
    pub trivial: Vec<TrivialCall>,
    /// Every arm of every backbone.
    pub arms: Vec<StudyArm>,
    /// {default, selected} × {off, on} by cross-validation.
    pub square: Vec<StudyGain>,
    /// The same on the test part, where the task has one.
    pub test_square: Vec<StudyGain>,
    /// The chosen arm on the test part, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<StudyTest>,
    /// How arms grow with the number of positives.
    pub curves: Vec<LearningCurve>,
    /// Arms on labels that mean nothing; their gains must be none.
    pub controls: Vec<StudyControl>,
    /// With how many studies the test part was opened, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<TestOpened>,
    /// What a reader should be warned of.
    pub warnings: Vec<String>,
}

/// The sizes of a study.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyDesign {
    /// What the task asks, in words.
    pub task: String,
    /// Classes in the order of outputs.
    pub classes: Vec<String>,
    /// Rows per class of the part that is fitted and cross-validated on.
    pub train_counts: Vec<u64>,
    /// Groups of that part.
    pub train_groups: u64,
    /// Rows per class of the test part.
    pub test_counts: Vec<u64>,
    /// Groups of the test part.
    pub test_groups: u64,
    /// Outer folds of a round.
    pub folds: u64,
    /// Rounds of outer folds.
    pub repeats: u64,
    /// Inner folds.
    pub inner_folds: u64,
    /// Settings that every arm may try.
    pub budget: u64,
    /// Augmented views per tile, beside the tile itself.
    pub n_views: u64,
    /// The head.
    pub head: String,
}

/// An arm on one backbone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyArm {
    /// The backbone.
    pub backbone: String,
    /// The arm.
    pub arm: String,
    /// What it does.
    pub description: String,
    /// Metrics by cross-validation, the mean over folds.
    pub metrics: Vec<Metric>,
    /// Gain over the reference arm of the same backbone; none for the reference itself.
    pub gain: Option<StudyGain>,
    /// Metrics on the test part.
    pub test: Vec<Metric>,
    /// Gain over the reference on the test part.
    pub test_gain: Option<StudyGain>,
    /// What the inner folds took and how often, such as `gamma = 0.1 (14 of 25)`.
    pub chosen: Vec<String>,
    /// Settings that the inner folds tried.
    pub n_settings: u64,
    /// Why the arm has no numbers, where it has none.
    pub failure: Option<String>,
}

/// One arm on the test part, with what an evaluation shows of a head.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyTest {
    /// The backbone, the last of the study.
    pub backbone: String,
    /// The arm: the one that takes the best arm of its inner folds, or the one that stands for
    /// "augmentation on".
    pub arm: String,
    /// The arm that was taken, where one was chosen.
    pub taken: Option<String>,
    /// What calls that look at no tile score on the test part.
    pub trivial: Vec<TrivialCall>,
    /// How its probabilities hold, for two classes.
    pub calibration: Option<CalibrationResult>,
    /// What its calls would be worth at other prevalences.
    pub precision_at_prevalence: Vec<PrecisionAtPrevalence>,
    /// How many positives are found where calls must be so precise.
    pub recall_at_precision: Vec<RecallAtPrecision>,
}

/// A difference of two arms on the same rows and folds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyGain {
    /// What was changed.
    pub change: String,
    /// The difference with its interval: by cross-validation, of the corrected resampled t-test at
    /// the level at which Holm's method tested it; on a test part, of the paired bootstrap over
    /// groups.
    pub absolute: Metric,
    /// As a share of the first arm's value.
    #[serde(deserialize_with = "nan")]
    pub relative: f64,
    /// Two-sided p of the corrected resampled t-test over folds; NaN where there are no folds.
    #[serde(deserialize_with = "nan")]
    pub p: f64,
    /// The same after Holm's correction over the gains of a table.
    #[serde(deserialize_with = "nan")]
    pub p_holm: f64,
    /// What may be said: `better`, `worse`, `equivalent`, `not told apart` or `not tested`.
    pub word: String,
    /// Gains that were tested together.
    pub n_pairs: u64,
}

impl StudyGain {
    /// Whether it is a gain that was told from none.
    pub fn is_better(&self) -> bool {
        self.word == "better"
    }

    /// Whether it is a loss that was told from none.
    pub fn is_worse(&self) -> bool {
        self.word == "worse"
    }
}

/// An arm on permuted labels, over many permutations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyControl {
    /// The backbone.
    pub backbone: String,
    /// The arm.
    pub arm: String,
    /// What changed places: labels `within groups`, or of whole groups (`between groups`).
    pub permuted: String,
    /// Permutations, each scored on one outer fold.
    pub draws: u64,
    /// Those whose held-out rows could be compared.
    pub scored: u64,
    /// Mean score over permutations with its interval; 0.5 is what labels without meaning give.
    pub score: Metric,
    /// Two-sided p of a mean of 0.5, corrected by Holm's method over all arms of the control.
    #[serde(deserialize_with = "nan")]
    pub chance_p: f64,
    /// Gain over the reference arm on the same permutations; none for the reference itself.
    pub gain: Option<Metric>,
    /// Two-sided p of no gain, corrected in the same way; NaN for the reference.
    #[serde(deserialize_with = "nan")]
    pub gain_p: f64,
}

impl StudyControl {
    /// Whether the arm gains where nothing can be gained.
    pub fn gains(&self) -> bool {
        self.gain_p < SIGNIFICANT && self.gain.as_ref().is_some_and(|g| g.estimate > 0.0)
    }

    /// Whether the arm scores above chance where labels mean nothing.
    pub fn beats_chance(&self) -> bool {
        self.chance_p < SIGNIFICANT && self.score.estimate > 0.5
    }
}

/// Corrected p below which a difference is told from none.
pub const SIGNIFICANT: f64 = 0.05;

impl StudyReport {
    /// The version of the format that this release writes.
    pub const FORMAT: u32 = 2;

    /// The JSON text, indented, with a newline at its end.
    pub fn to_json(&self) -> Result<String> {
        json::write(self, "study", HINT)
    }

    /// Reads what [`StudyReport::to_json`] wrote.
    pub fn from_json(json: &str) -> Result<Self> {
        json::read(json, "study.json", "a study of this version", HINT)
    }

    /// The value of the metric that arms are compared by.
    pub fn main<'a>(&self, metrics: &'a [Metric]) -> Option<&'a Metric> {
        metrics.iter().find(|m| m.name == self.metric)
    }

    /// The best that calls which look at no tile score, in the metric that arms are compared by.
    pub fn trivial_level(&self) -> Option<(&TrivialCall, f64)> {
        trivial::level(&self.trivial, &self.metric)
    }

    /// The metrics of the arm that is shown on the test part.
    pub fn tested_metrics(&self) -> &[Metric] {
        let found = self.tested.as_ref().and_then(|t| self.arm(&t.backbone, &t.arm));
        found.map_or(&[], |arm| arm.test.as_slice())
    }

    /// Whether an arm's interval reaches down to what needs no look at a tile.
    pub fn is_trivial(&self, arm: &StudyArm) -> bool {
        match (self.main(&arm.metrics), self.trivial_level()) {
            (Some(own), Some((_, level))) => trivial::reaches(own, level),
            _ => false,
        }
    }

    /// The arm of this name on a backbone.
    pub fn arm(&self, backbone: &str, arm: &str) -> Option<&StudyArm> {
        self.arms.iter().find(|a| a.backbone == backbone && a.arm == arm)
    }
}

const HINT: &str = "write it again with `eosin study`";
