// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Contract, Fingerprint, Licence, Result};
use serde::{Deserialize, Deserializer, Serialize};

use crate::trivial::{self, TrivialCall};
use crate::{
    AbstentionResult, CalibrationResult, PrecisionAtPrevalence, RecallAtPrecision, TestOpened, json,
};

/// Everything that a run found out: `report.json`, and all that `report.html` is drawn from.
///
/// It holds nothing that differs between two runs of the same configuration on the same data: no
/// times, no paths, no host, no number of threads. A number that is not defined, such as AUROC
/// where a class is missing, is NaN here and `null` in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Version of this format.
    pub format: u32,
    /// Heading.
    pub title: String,
    /// What a reader must know of the data, from the configuration.
    pub notes: Vec<String>,
    /// Version of Eosin.
    pub eosin_version: String,
    /// Digest of the run's configuration with every file that it names.
    pub config_digest: String,
    /// Seed of the run.
    pub seed: u64,
    /// Bootstrap replicates over groups behind the intervals.
    pub replicates: u64,
    /// Coverage of the intervals, such as 0.95.
    pub level: f64,
    /// The data of the target task.
    pub data: DataSummary,
    /// Every backbone of the run, controls included.
    pub backbones: Vec<BackboneSummary>,
    /// The metric that arms are compared by.
    #[serde(default)]
    pub metric: String,
    /// What calls that look at no tile score on the same test rows.
    #[serde(default)]
    pub trivial: Vec<TrivialCall>,
    /// One ranking per proxy task and probe; the first decided.
    pub rankings: Vec<Ranking>,
    /// The backbone one would take without selection.
    pub default_backbone: String,
    /// The backbone that selection took.
    pub selected_backbone: String,
    /// {default, selected} × {augmentation off, on}, in that order; the first is the reference.
    pub arms: Vec<Arm>,
    /// Differences between arms.
    pub gains: Vec<Gain>,
    /// A map of the embeddings per backbone.
    pub embedding_maps: Vec<EmbeddingMap>,
    /// How the metric grows with the number of positives, where it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning_curves: Vec<LearningCurve>,
    /// Metrics per centre, where centres are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub centres: Vec<CentreResult>,
    /// Score against cost, where costs were measured or are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trade_offs: Vec<TradeOff>,
    /// With how many configurations the test part was opened, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<TestOpened>,
    /// Tiles that were left out.
    pub skipped: Vec<SkippedTile>,
    /// What a reader should be warned of.
    pub warnings: Vec<String>,
}

/// The data of the target task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// What the task asks, in words.
    pub task: String,
    /// Tiles with a label.
    pub n_tiles: u64,
    /// Groups, which splits keep together.
    pub n_groups: u64,
    /// What a group is: the manifest's column.
    pub group_column: String,
    /// Classes with their numbers of tiles, in the order of the heads' outputs.
    pub classes: Vec<ClassCount>,
    /// The class of interest of a binary task.
    pub positive: Option<String>,
    /// Each side of the split.
    pub splits: Vec<SplitSummary>,
    /// Findings of the leakage check, by severity; empty where it found nothing.
    pub leakage: Vec<LeakageFinding>,
}

/// A class and how many tiles have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// Its tiles.
    pub n_tiles: u64,
}

/// One side of the split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SplitSummary {
    /// Its name, such as `train`.
    pub name: String,
    /// Its tiles.
    pub n_tiles: u64,
    /// Its groups.
    pub n_groups: u64,
    /// Tiles per class, in the order of the classes.
    pub class_counts: Vec<u64>,
}

/// Something that the leakage check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakageFinding {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// What was found, such as `3 tiles are byte-identical across train and test`.
    pub what: String,
    /// A few tiles that show it.
    pub examples: Vec<String>,
}

/// A backbone of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackboneSummary {
    /// Name of its card.
    pub name: String,
    /// Architecture family.
    pub family: String,
    /// Length of an embedding.
    pub dim: u32,
    /// Number of parameters.
    pub parameters: u64,
    /// Fingerprint of the contract.
    pub fingerprint: Fingerprint,
    /// The contract, everything on which its numbers depend.
    pub contract: Contract,
    /// Licence of the weights.
    pub licence: Licence,
    /// Data sets that the weights were trained on.
    pub training_sources: Vec<String>,
    /// Tiles that were embedded.
    pub rows: u64,
    /// Whether it is there only to be beaten.
    pub is_control: bool,
}

/// Backbones in order of their score on one proxy task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The proxy task.
    pub proxy: String,
    /// The probe.
    pub probe: String,
    /// What is measured.
    pub metric: String,
    /// How folds were made, such as `5 × 5 folds by group`.
    pub design: String,
    /// Best first.
    pub rows: Vec<RankingRow>,
    /// The verdict in words, such as `a scores highest and is not told apart from b; take a`.
    pub verdict: String,
}

/// A backbone's place in a ranking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RankingRow {
    /// The backbone.
    pub backbone: String,
    /// Mean score over folds.
    #[serde(deserialize_with = "nan")]
    pub mean: f64,
    /// Lower end of its interval.
    #[serde(deserialize_with = "nan")]
    pub lower: f64,
    /// Upper end of its interval.
    #[serde(deserialize_with = "nan")]
    pub upper: f64,
    /// Probability of being the best.
    #[serde(deserialize_with = "nan")]
    pub p_best: f64,
    /// What may be said of it against the best candidate, such as `not told apart`, which does not
    /// mean that they are equal; none for the best candidate itself.
    pub against_best: Option<String>,
    /// Whether it is there only to be beaten.
    pub is_control: bool,
}

/// A quantity with its interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name, such as `F1`.
    pub name: String,
    /// The value on all rows.
    #[serde(deserialize_with = "nan")]
    pub estimate: f64,
    /// Lower end of the interval.
    #[serde(deserialize_with = "nan")]
    pub lower: f64,
    /// Upper end of the interval.
    #[serde(deserialize_with = "nan")]
    pub upper: f64,
}

/// One head: a backbone with augmentation off or on, fitted on the training side and scored once
/// on the test side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The backbone.
    pub backbone: String,
    /// Whether this arm uses the selected backbone rather than the default one.
    pub selected: bool,
    /// Whether augmentation was on.
    pub augmented: bool,
    /// Label of the augmentation, `none` where it was off.
    pub augmentation: String,
    /// Kind of the head.
    pub head: String,
    /// The penalty that tuning took.
    pub penalty: f64,
    /// The threshold on the positive class that tuning took; `None` where the most probable class
    /// is taken.
    pub threshold: Option<f64>,
    /// Tiles that it was fitted on, before augmentation.
    pub n_train: u64,
    /// Tiles that it was scored on.
    pub n_test: u64,
    /// Positives among the tiles that it was fitted on; 0 where no class is of interest.
    pub n_train_positives: u64,
    /// Positives among the tiles that it was scored on; 0 where no class is of interest.
    pub n_test_positives: u64,
    /// Metrics without a threshold lead; [`RunReport::metric`] is the one that gains are judged by.
    pub metrics: Vec<Metric>,
    /// Rows: true class; columns: predicted class; both in the order of the classes.
    pub confusion: Vec<Vec<u64>>,
    /// Test tiles of each class that were left uncalled, where the head may; every metric that needs
    /// calls counts them as misses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncalled: Vec<u64>,
    /// What is left uncalled, where it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstention: Option<AbstentionResult>,
    /// How probabilities hold, for two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationResult>,
    /// What the same calls would be worth at other prevalences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precision_at_prevalence: Vec<PrecisionAtPrevalence>,
    /// How many positives are found where calls must be so precise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recall_at_precision: Vec<RecallAtPrecision>,
    /// False-positive rate and recall along the thresholds.
    pub roc: Vec<[f64; 2]>,
    /// Recall and precision along the thresholds.
    pub precision_recall: Vec<[f64; 2]>,
    /// Predicted against observed probability.
    pub reliability: Vec<ReliabilityBin>,
}

/// Rows of similar predicted probability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share of positives.
    pub observed: f64,
    /// Rows.
    pub count: u64,
}

/// The difference of two arms on the same test rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// What was changed, such as `backbone selection`.
    pub change: String,
    /// Number of the arm that is taken from.
    pub from: usize,
    /// Number of the arm that is compared with it.
    pub to: usize,
    /// The metric, with the absolute difference and its paired interval.
    pub absolute: Metric,
    /// The difference as a share of the first arm's value.
    #[serde(deserialize_with = "nan")]
    pub relative: f64,
    /// What may be said, from the paired interval: `better`, `worse`, `not told apart` or, where
    /// there is no interval, `not tested`.
    pub word: String,
    /// Groups of the test part, which were resampled.
    pub n_groups: u64,
}

/// Embeddings projected to two dimensions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingMap {
    /// The backbone.
    pub backbone: String,
    /// Share of the variance that each axis holds.
    pub explained: [f64; 2],
    /// The tiles, perhaps a part of them.
    pub points: Vec<MapPoint>,
}

/// A tile on the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MapPoint {
    /// Position on the two axes.
    pub at: [f64; 2],
    /// Its class, an index into the classes.
    pub label: u32,
    /// Its side of the split, an index into the splits.
    pub split: u32,
}

/// How a metric grows with the number of positives that an arm is fitted on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LearningCurve {
    /// The arm or augmentation.
    pub name: String,
    /// The metric.
    pub metric: String,
    /// Number of positives with the metric there; the metric's name is left empty.
    pub points: Vec<LearningPoint>,
}

/// One size of a learning curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LearningPoint {
    /// Positives that were fitted on.
    pub n_positives: u64,
    /// Mean over draws of that many.
    #[serde(deserialize_with = "nan")]
    pub estimate: f64,
    /// Lower end of its interval.
    #[serde(deserialize_with = "nan")]
    pub lower: f64,
    /// Upper end of its interval.
    #[serde(deserialize_with = "nan")]
    pub upper: f64,
}

/// An arm's metrics on the test tiles of one centre.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CentreResult {
    /// The centre.
    pub centre: String,
    /// Number of the arm.
    pub arm: usize,
    /// Its test tiles.
    pub n_test: u64,
    /// Positives among them.
    pub n_test_positives: u64,
    /// Metrics with their intervals.
    pub metrics: Vec<Metric>,
}

/// A backbone's score against one cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TradeOff {
    /// The backbone.
    pub backbone: String,
    /// Its score on the deciding proxy.
    #[serde(deserialize_with = "nan")]
    pub score: f64,
    /// Its costs by name and unit, such as `bytes per embedding`; lower is better.
    pub costs: BTreeMap<String, f64>,
    /// Whether no other backbone is as good and cheaper.
    pub on_front: bool,
}

/// A tile that was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedTile {
    /// The tile.
    pub tile: String,
    /// Why it was left out.
    pub reason: String,
}

impl RunReport {
    /// The version of the format that this release writes.
    pub const FORMAT: u32 = 2;

    /// The JSON text, indented, keys in the order of the fields, with a newline at its end.
    pub fn to_json(&self) -> Result<String> {
        json::write(self, "report", REPORT_HINT)
    }

    /// Reads what [`RunReport::to_json`] wrote.
    pub fn from_json(json: &str) -> Result<Self> {
        json::read(json, "report.json", "a report of this version", REPORT_HINT)
    }

    /// The arms that differ: those of the selected backbone are left out where it is the default.
    pub fn distinct_arms(&self) -> Vec<&Arm> {
        let same = self.selected_backbone == self.default_backbone;
        self.arms.iter().filter(|arm| !(same && arm.selected)).collect()
    }

    /// The value of the metric that arms are compared by.
    pub fn main<'a>(&self, metrics: &'a [Metric]) -> Option<&'a Metric> {
        metrics.iter().find(|m| m.name == self.metric)
    }

    /// The best that calls which look at no tile score, in the metric that arms are compared by.
    pub fn trivial_level(&self) -> Option<(&TrivialCall, f64)> {
        trivial::level(&self.trivial, &self.metric)
    }

    /// Whether an arm's interval reaches down to what needs no look at a tile.
    pub fn is_trivial(&self, arm: &Arm) -> bool {
        match (self.main(&arm.metrics), self.trivial_level()) {
            (Some(own), Some((_, level))) => trivial::reaches(own, level),
            _ => false,
        }
    }

    /// Whether a gain ends at the level of calls that look at no tile, so that none is claimed.
    pub fn is_trivial_gain(&self, gain: &Gain) -> bool {
        gain.word == "better" && self.arms.get(gain.to).is_some_and(|arm| self.is_trivial(arm))
    }

    /// How much of the test part heads call, where they may leave tiles uncalled.
    pub fn coverage(&self) -> Option<String> {
        let known = self.distinct_arms().into_iter();
        let arms: Vec<(String, &AbstentionResult)> =
            known.filter_map(|arm| Some((arm.label(), arm.abstention.as_ref()?))).collect();
        let [(_, first), others @ ..] = &arms[..] else { return None };
        if others.iter().all(|(_, other)| other.share() == first.share()) {
            return Some(first.sentence("test tiles"));
        }
        let each: Vec<String> =
            arms.iter().map(|(label, found)| format!("{label}: {}", found.share())).collect();
        Some(format!(
            "Heads leave test tiles uncalled, which count as misses. Called are, by {}.",
            each.join("; ")
        ))
    }

    /// The arm of the default or selected backbone with augmentation off or on.
    pub fn arm(&self, selected: bool, augmented: bool) -> Option<&Arm> {
        self.arms.iter().find(|a| a.selected == selected && a.augmented == augmented)
    }
}

impl RankingRow {
    /// Whether it is the best candidate, or was not told apart from it.
    pub fn may_be_best(&self) -> bool {
        !matches!(self.against_best.as_deref(), Some("better" | "worse"))
    }

    /// What stands beside it in a table.
    pub fn remark(&self) -> String {
        let mut remarks = Vec::new();
        if self.is_control {
            remarks.push("control");
        }
        match self.against_best.as_deref() {
            Some("not told apart") => remarks.push("not told apart from the best"),
            Some("equivalent") => remarks.push("equivalent to the best"),
            Some("not tested") => remarks.push("too few folds to tell from the best"),
            _ => {}
        }
        remarks.join(", ")
    }
}

impl LeakageFinding {
    /// What was found, with its examples.
    pub fn sentence(&self) -> String {
        match &self.examples[..] {
            [] => self.what.clone(),
            examples => format!("{} ({})", self.what, examples.join(", ")),
        }
    }
}

const REPORT_HINT: &str = "write the report again with `eosin run`";

impl Arm {
    /// The metric of this name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|m| m.name == name)
    }

    /// What tells this arm from the others, such as `selected, augmentation on`.
    pub fn label(&self) -> String {
        let backbone = if self.selected { "selected" } else { "default" };
        let augmentation = if self.augmented { "on" } else { "off" };
        format!("{backbone}, augmentation {augmentation}")
    }
}

/// JSON has no NaN; it is written as `null` and read back here.
pub(crate) fn nan<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
