// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Contract, Result};
use serde::{Deserialize, Serialize};

use crate::number::percent_of;
use crate::run_report::nan;
use crate::{Metric, ReliabilityBin, SkippedTile, TrivialCall, json};

/// What a saved head is worth on labelled rows that it never saw: `evaluation.json`, and all that
/// `evaluation.html` is drawn from.
///
/// Like a run's report it holds no times, paths or hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Version of this format.
    pub format: u32,
    /// Heading.
    pub title: String,
    /// Version of Eosin.
    pub eosin_version: String,
    /// The head.
    pub head: EvaluatedHead,
    /// Columns that label and group were read from.
    pub columns: [String; 2],
    /// What a row is: `tile` or `slide`.
    pub unit: String,
    /// Classes in the order of the head's outputs; of two, the second is the positive one.
    pub classes: Vec<String>,
    /// Rows of each class.
    pub class_counts: Vec<u64>,
    /// Rows.
    pub n_rows: u64,
    /// Groups, over which intervals are made.
    pub n_groups: u64,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Bootstrap replicates over groups.
    pub replicates: u64,
    /// Coverage of the intervals.
    pub level: f64,
    /// Every metric with its interval for a fixed head.
    pub metrics: Vec<Metric>,
    /// What calls that look at no tile score on the same rows.
    pub trivial: Vec<TrivialCall>,
    /// Rows: true class; columns: called class.
    pub confusion: Vec<Vec<u64>>,
    /// Rows of each class that were left uncalled, where the head may; every metric that needs calls
    /// counts them as misses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncalled: Vec<u64>,
    /// False-positive rate and recall along the thresholds.
    pub roc: Vec<[f64; 2]>,
    /// Recall and precision along the thresholds.
    pub precision_recall: Vec<[f64; 2]>,
    /// How probabilities hold, for two classes.
    pub calibration: Option<CalibrationResult>,
    /// What the same calls would be worth at other prevalences.
    pub precision_at_prevalence: Vec<PrecisionAtPrevalence>,
    /// How many positives are found where calls must be so precise.
    pub recall_at_precision: Vec<RecallAtPrecision>,
    /// The same head on the rows of each centre.
    pub centres: Vec<EvaluatedCentre>,
    /// Rows that the head leaves uncalled, where it may.
    pub abstention: Option<AbstentionResult>,
    /// How often these rows were opened for a test, this time counted.
    pub opened: Option<TestOpened>,
    /// Contract fields that were accepted as different from the head's training.
    pub accepted: Vec<String>,
    /// Tiles that were left out.
    pub skipped: Vec<SkippedTile>,
    /// What is known of the rows of the head's training.
    pub notes: Vec<String>,
    /// What a reader should be warned of.
    pub warnings: Vec<String>,
}

/// The head that was evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedHead {
    /// Its kind.
    pub kind: String,
    /// The threshold on the positive class.
    pub threshold: Option<f64>,
    /// The penalty that it was fitted with.
    pub penalty: Option<f64>,
    /// Digest of the rows that it was trained on.
    pub training_digest: String,
    /// The release that trained it.
    pub eosin_version: String,
    /// The contract of its embeddings.
    pub contract: Option<Contract>,
}

/// Predicted against observed probabilities, before and after the head's calibration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationResult {
    /// What the head corrects its probabilities by.
    pub method: String,
    /// As the head's model gives them.
    pub before: Vec<ReliabilityBin>,
    /// As the head uses them.
    pub after: Vec<ReliabilityBin>,
    /// Expected calibration error before.
    #[serde(deserialize_with = "nan")]
    pub ece_before: f64,
    /// Expected calibration error after.
    #[serde(deserialize_with = "nan")]
    pub ece_after: f64,
    /// The mean error that a perfect head of the same probabilities would show on so many rows.
    #[serde(deserialize_with = "nan")]
    pub ece_perfect: f64,
    /// What a perfect head stays below in 95 % of draws.
    #[serde(deserialize_with = "nan")]
    pub ece_perfect_upper: f64,
    /// Brier score before.
    #[serde(deserialize_with = "nan")]
    pub brier_before: f64,
    /// Brier score after.
    #[serde(deserialize_with = "nan")]
    pub brier_after: f64,
    /// Log loss before.
    #[serde(deserialize_with = "nan")]
    pub log_loss_before: f64,
    /// Log loss after.
    #[serde(deserialize_with = "nan")]
    pub log_loss_after: f64,
}

/// The head's calls where positives have another share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrecisionAtPrevalence {
    /// The share of positives.
    pub prevalence: f64,
    /// Whether somebody stated it; otherwise it is one of a usual few.
    pub stated: bool,
    /// The share of positive calls that would be right.
    #[serde(deserialize_with = "nan")]
    pub precision: f64,
    /// Its interval over groups.
    pub interval: Metric,
    /// The share of negative calls that would be right.
    #[serde(deserialize_with = "nan")]
    pub negative_predictive_value: f64,
    /// F1 at that share.
    #[serde(deserialize_with = "nan")]
    pub f1: f64,
    /// On the head's own probabilities: calls from here on are those that its threshold makes on
    /// probabilities recalibrated to that share. None where the head does not say what shares it
    /// was trained on.
    pub threshold: Option<f64>,
}

/// The largest recall among thresholds of so much precision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecallAtPrecision {
    /// The least precision.
    pub precision: f64,
    /// The recall.
    #[serde(deserialize_with = "nan")]
    pub recall: f64,
    /// Its interval over groups.
    pub interval: Metric,
    /// The threshold that has it on these rows; none where no threshold is so precise.
    pub threshold: Option<f64>,
}

/// The head on the rows of one centre.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedCentre {
    /// The centre.
    pub name: String,
    /// Its rows.
    pub n_rows: u64,
    /// Its groups.
    pub n_groups: u64,
    /// Metrics with their intervals.
    pub metrics: Vec<Metric>,
    /// Rows: true class; columns: called class.
    pub confusion: Vec<Vec<u64>>,
    /// Rows of each class that were left uncalled, where the head may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncalled: Vec<u64>,
}

/// Rows that were left uncalled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AbstentionResult {
    /// Rows without a call.
    pub n_uncalled: u64,
    /// The share of rows with a call.
    #[serde(deserialize_with = "nan")]
    pub coverage: f64,
    /// The share of calls that are wrong.
    #[serde(deserialize_with = "nan")]
    pub wrong: f64,
}

/// How often a test part was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestOpened {
    /// Distinct heads or configurations that were scored on it, this one counted.
    pub n_configurations: u64,
}

impl EvaluationReport {
    /// The version of the format that this release writes.
    pub const FORMAT: u32 = 1;

    /// The JSON text, indented, with a newline at its end.
    pub fn to_json(&self) -> Result<String> {
        json::write(self, "evaluation", HINT)
    }

    /// Reads what [`EvaluationReport::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self> {
        json::read(text, "evaluation.json", "an evaluation of this version", HINT)
    }

    /// The metric that the verdict is about: F1, which depends on the calls.
    pub fn main(&self) -> Option<&Metric> {
        let named = |name: &str| self.metrics.iter().find(|m| m.name == name);
        named("F1").or_else(|| named("macro F1")).or(self.metrics.first())
    }

    /// The best that calls which look at no tile score in the main metric.
    pub fn trivial_level(&self) -> Option<(&TrivialCall, f64)> {
        let name = &self.main()?.name;
        let level = |call: &'_ TrivialCall| {
            call.metrics.iter().find(|m| m.name == *name).map(|m| m.estimate)
        };
        let found = self.trivial.iter().filter_map(|call| Some((call, level(call)?)));
        found.filter(|(_, level)| level.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// What the evaluation says, in one plain sentence and at most three more.
    pub fn verdict(&self) -> Vec<String> {
        use crate::number::{interval, score};
        let Some(main) = self.main() else { return Vec::new() };
        let unit = |n: u64| if n == 1 { self.unit.clone() } else { format!("{}s", self.unit) };
        let rows = format!("{} {} of {} groups", self.n_rows, unit(self.n_rows), self.n_groups);
        let sure = if main.lower.is_finite() && main.upper.is_finite() {
            interval(main.lower, main.upper)
        } else {
            format!("(too few groups ({}) for an interval)", self.n_groups)
        };
        let estimate = score(main.estimate);
        let mut first = format!("On {rows} the head's {} is {estimate} {sure}.", main.name);
        if let Some(a) = &self.abstention {
            first = format!("{first} {}", a.sentence(&format!("{}s", self.unit)));
        }
        let mut said = vec![first];
        if let Some((call, level)) = self.trivial_level() {
            let beats = if main.lower > level {
                "which the head beats"
            } else if main.estimate > level {
                "which the head is not told apart from"
            } else {
                "which the head does not reach"
            };
            let name = &call.name;
            said.push(format!("With {name} it would be {}, {beats}.", score(level)));
        }
        if let Some(c) = &self.calibration {
            let reading = if c.ece_after > c.ece_perfect_upper {
                "more than chance explains"
            } else {
                "no more than chance explains"
            };
            said.push(format!(
                "Its probabilities are off by {} on average, {reading} (a perfect head: {}).",
                score(c.ece_after),
                score(c.ece_perfect)
            ));
        }
        if let Some(opened) = &self.opened {
            said.push(opened.sentence());
        }
        said
    }
}

impl AbstentionResult {
    /// How much is called, and how well, in words; `rows` are such as `tiles`.
    pub fn sentence(&self, rows: &str) -> String {
        if self.wrong.is_nan() {
            return format!("No {rows} are called: all are left uncalled, and count as misses.");
        }
        let (called, wrong) = (percent_of(self.coverage), percent_of(self.wrong));
        format!(
            "{called} of the {rows} are called, {wrong} of those wrongly; what is left uncalled \
             counts as a miss."
        )
    }

    /// The share that is called, and of it the share that is wrong.
    pub(crate) fn share(&self) -> String {
        if self.wrong.is_nan() {
            return "none".into();
        }
        format!("{}, {} of those wrongly", percent_of(self.coverage), percent_of(self.wrong))
    }
}

impl TestOpened {
    /// How often, in words.
    pub fn sentence(self) -> String {
        match self.n_configurations {
            1 => "These rows were opened for the first time.".into(),
            n => format!(
                "These rows were opened with {n} different heads or configurations, this one \
                 counted: the best of them looks better than it is."
            ),
        }
    }
}

const HINT: &str = "write it again with `eosin evaluate`";
