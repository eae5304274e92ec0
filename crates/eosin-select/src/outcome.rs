// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a selection found.

use std::collections::BTreeMap;

use eosin_core::BackboneInfo;
use eosin_eval::Interval;
use eosin_proxy::select::{Agreement, Ranking, Shortlisted};
use eosin_report::Verdict;
use serde::{Deserialize, Serialize};

use super::Role;

/// The ranking of backbones by one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyRanking {
    /// Name of the task.
    pub proxy: String,
    /// What it asks.
    pub description: String,
    /// What it may decide.
    pub role: Role,
    /// A ranking per probe; the first decides.
    pub rankings: Vec<Ranking>,
    /// Rows that it was made on.
    pub n_rows: usize,
    /// Groups of these rows.
    pub n_groups: usize,
    /// Folds of each repeat.
    pub n_folds: usize,
    /// Repeats: different partitions into these folds.
    pub n_repeats: usize,
    /// What calls that look at no tile score on the same folds.
    #[serde(default)]
    pub trivial: Vec<TrivialLevel>,
    /// Scores that decide nothing, by name and backbone: without training, or on fewer dimensions.
    pub beside: Vec<Column>,
}

/// What a call that looks at no tile scores, the mean over folds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrivialLevel {
    /// What is called.
    pub call: String,
    /// The metric of a ranking.
    pub metric: String,
    /// Its value.
    pub level: f64,
}

/// A score of every backbone that is shown beside the probes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The score by backbone; absent where it could not be made.
    pub values: BTreeMap<String, f64>,
}

/// How well a proxy foretold the order on the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyAgreement {
    /// The proxy, or `all proxies` for the mean of their standardised scores.
    pub proxy: String,
    /// The comparison, controls left out.
    pub agreement: Agreement,
    /// What taking the largest model costs on the target.
    pub regret_largest: f64,
    /// Each backbone with its score on the proxy and on the target.
    pub points: Vec<(String, f64, f64)>,
}

/// A backbone that was compared, with what it costs and what speaks for and against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What is known of it.
    pub info: BackboneInfo,
    /// Whether it is there only to say what a score means.
    pub control: bool,
    /// Bytes of an embedding in half precision.
    pub bytes_per_tile: u64,
    /// Bytes of its weights in single precision.
    pub weight_bytes: u64,
    /// Nearness by biology over nearness by centre, where centres are known.
    pub robustness: Option<Interval>,
    /// Balanced accuracy with which its embeddings tell the centre within a class.
    pub centre_probe: Option<f64>,
    /// Tasks whose data it may have been trained on.
    pub overlaps: Vec<String>,
    /// Whether no other backbone scores as well and costs less.
    pub on_front: bool,
}

/// A backbone that was not compared, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub backbone: String,
    /// Why.
    pub reason: String,
}

/// The choice of a backbone with everything that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The backbone to take.
    pub selected: String,
    /// Why.
    pub verdict: Verdict,
    /// The ranking that decided: that of the target among the shortlist, or of the first proxy.
    pub decision: Ranking,
    /// Every task: the target first, then proxies, then what is shown beside.
    pub rankings: Vec<ProxyRanking>,
    /// The backbones that the proxies together put first; empty without proxies.
    pub shortlist: Vec<Shortlisted>,
    /// How well the proxies foretold the target.
    pub agreement: Vec<ProxyAgreement>,
    /// Every backbone that was compared.
    pub compared: Vec<Compared>,
    /// Backbones that were not.
    pub left_out: Vec<LeftOut>,
    /// What a reader should know: controls that are missing, proxies that could not be made.
    pub notes: Vec<String>,
}
