// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Licence, Result};
use serde::{Deserialize, Serialize};

use crate::trivial::{self, TrivialCall};
use crate::{EmbeddingMap, Metric, RankingRow, Verdict, json};

/// Everything that a selection found out: `select.json`, and all that `select.html` is drawn from.
///
/// Like a run's report it holds nothing that differs between two selections of the same
/// configuration on the same data; measured speeds are passed beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SelectReport {
    /// Version of this format.
    pub format: u32,
    /// Heading.
    pub title: String,
    /// What a reader must know of the data, from the configuration.
    pub notes: Vec<String>,
    /// Version of Eosin.
    pub eosin_version: String,
    /// Digest of the configuration with every file that it names.
    pub config_digest: String,
    /// Seed of everything.
    pub seed: u64,
    /// Bootstrap replicates over groups.
    pub replicates: u64,
    /// Coverage of the intervals.
    pub level: f64,
    /// Half the width of the region in which a difference does not matter.
    pub rope: f64,
    /// The search for a penalty that every backbone had.
    pub budget: String,
    /// Which backbone to take and why.
    pub verdict: Verdict,
    /// The backbone to take.
    pub selected: String,
    /// The backbone one would take without selection.
    pub default_backbone: String,
    /// Every backbone that was compared.
    pub candidates: Vec<SelectCandidate>,
    /// Backbones that were not, with reasons.
    pub left_out: Vec<LeftOutBackbone>,
    /// What the proxies put first, best first.
    pub shortlist: Vec<ShortlistRow>,
    /// The deciding ranking, then one per task and probe.
    pub rankings: Vec<SelectRanking>,
    /// Proxies against the target.
    pub agreement: Vec<AgreementRow>,
    /// Classes of the maps' points.
    pub classes: Vec<String>,
    /// Maps of the first three backbones.
    pub maps: Vec<EmbeddingMap>,
    /// What a reader should be warned of.
    pub warnings: Vec<String>,
}

/// A backbone with its costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectCandidate {
    /// Its name.
    pub backbone: String,
    /// Whether it is there only to say what a score means.
    pub is_control: bool,
    /// Length of an embedding.
    pub dim: u32,
    /// Number of parameters.
    pub parameters: u64,
    /// Bytes of an embedding in the store.
    pub bytes_per_tile: u64,
    /// Bytes of the weights in memory.
    pub weight_bytes: u64,
    /// Licence of the weights.
    pub licence: Licence,
    /// Data sets that it was trained on.
    pub training_sources: Vec<String>,
    /// Nearness by biology over nearness by centre, where centres are known.
    pub robustness: Option<Metric>,
    /// Balanced accuracy with which its embeddings tell the centre within a class.
    pub centre_probe: Option<f64>,
    /// Tasks whose data it may have been trained on.
    pub overlaps: Vec<String>,
    /// Whether no other scores as well and costs less.
    pub on_front: bool,
    /// Its score on the first ranking of all backbones.
    pub score: Option<f64>,
}

/// A backbone that was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutBackbone {
    /// Its name.
    pub backbone: String,
    /// Why.
    pub reason: String,
}

/// A place on the shortlist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShortlistRow {
    /// The backbone.
    pub backbone: String,
    /// Mean of its standardised scores on the proxies.
    pub standardised: f64,
}

/// Backbones in order of their score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SelectRanking {
    /// The task.
    pub task: String,
    /// What it asks.
    pub description: String,
    /// `decides`, `target`, `proxy` or `beside`.
    pub role: String,
    /// The probe.
    pub probe: String,
    /// What is measured.
    pub metric: String,
    /// How folds were made.
    pub design: String,
    /// Best first.
    pub rows: Vec<RankingRow>,
    /// What calls that look at no tile score on the same folds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trivial: Vec<TrivialCall>,
    /// Pairs of backbones.
    pub pairs: Vec<PairRow>,
    /// Choices that look at no score.
    pub baselines: Vec<BaselineRow>,
    /// Scores that stand beside, by name and backbone.
    pub beside: BTreeMap<String, BTreeMap<String, f64>>,
    /// The verdict of this ranking alone.
    pub verdict: String,
}

/// Two backbones on the same folds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// The backbone with the larger mean.
    pub first: String,
    /// The other.
    pub second: String,
    /// Difference of the means with the corrected resampled t interval.
    pub difference: Metric,
    /// Two-sided p of the corrected t-test.
    pub p: f64,
    /// The same after Holm.
    pub p_holm: f64,
    /// Posterior probabilities that the first is worse, equivalent, better.
    pub posterior: [f64; 3],
}

/// What the choice gains over one that looks at no score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BaselineRow {
    /// `default`, `largest model` or `random pick`.
    pub name: String,
    /// The backbone that it takes, if it is one.
    pub backbone: Option<String>,
    /// Its mean score.
    pub mean: f64,
    /// What the choice gains over it.
    pub gain: Metric,
}

/// A proxy's ranking against that of the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgreementRow {
    /// The proxy.
    pub proxy: String,
    /// Number of backbones.
    pub n: u64,
    /// Kendall's τ-b.
    pub tau_b: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The target's best minus its score of the proxy's first.
    pub regret: f64,
    /// The target's best minus the best of the proxy's first three.
    pub regret_top_3: f64,
    /// Whether the target's best is among the proxy's first three.
    pub top_3_hit: bool,
    /// Regret of a random pick.
    pub regret_random: f64,
    /// Chance that three random picks hold the best.
    pub top_3_hit_random: f64,
    /// Regret of the largest model.
    pub regret_largest: f64,
    /// Backbone, score on the proxy, score on the target.
    pub points: Vec<(String, f64, f64)>,
}

impl SelectReport {
    /// The version of the format that this release writes.
    pub const FORMAT: u32 = 2;

    /// The JSON text, indented, keys in the order of the fields, with a newline at its end.
    pub fn to_json(&self) -> Result<String> {
        json::write(self, "selection", HINT)
    }

    /// Reads what [`SelectReport::to_json`] wrote.
    pub fn from_json(json: &str) -> Result<Self> {
        json::read(json, "select.json", "a selection of this version", HINT)
    }

    /// The candidate of this name.
    pub fn candidate(&self, backbone: &str) -> Option<&SelectCandidate> {
        self.candidates.iter().find(|c| c.backbone == backbone)
    }
}

impl SelectRanking {
    /// The best that calls which look at no tile score.
    pub fn trivial_level(&self) -> Option<(&TrivialCall, f64)> {
        trivial::level(&self.trivial, &self.metric)
    }
}

const HINT: &str = "write it again with `eosin select`";
