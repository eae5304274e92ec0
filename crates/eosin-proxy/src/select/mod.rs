// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ranks backbones that were scored on the same folds, and says how sure the ranking is.

mod agreement;
mod posterior;
mod rank;
mod resume;
mod shortlist;
mod verdict;

pub use agreement::{Agreement, agreement, kendall_tau_b};
pub use rank::rank;
pub use resume::{NoCache, ScoreCache, UnitScores, score_folds, score_repeats};
pub use shortlist::{ParetoPoint, Shortlisted, pareto_front, shortlist};

use eosin_core::ProxyScores;
use eosin_eval::{Comparison, Estimate, Word};
use serde::{Deserialize, Serialize};

/// One backbone with its scores on a proxy task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Name of the backbone.
    pub backbone: String,
    /// A control is ranked and shown, and never selected: it says what the score means.
    #[serde(default)]
    pub control: bool,
    /// What it costs to use.
    #[serde(default)]
    pub cost: Cost,
    /// Scores of each probe, all on the same folds as those of the other arms.
    pub scores: Vec<ProxyScores>,
    /// By the deciding probe, for each of these folds: the mean over folds within its training
    /// part. The gain of the choice is measured with them; without them it is not measured.
    #[serde(default)]
    pub inner: Option<Vec<f64>>,
}

/// What a backbone costs; among equally good ones the cheapest is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Tiles per second, measured on this machine.
    pub tiles_per_s: Option<f64>,
    /// Parameters of the network; 0 for none.
    pub parameters: u64,
    /// Length of an embedding.
    pub dim: u32,
    /// Whether its licence allows commercial use, where the licence is known.
    pub commercial: Option<bool>,
}

/// How arms are ranked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RankOptions {
    /// The probe that decides; the others are shown beside it.
    pub probe: String,
    /// Half the width of the region in which a difference does not matter.
    pub rope: f64,
    /// Held-out groups over training groups of a fold, 1/(k − 1) for k folds; see
    /// [`test_train_ratio`](eosin_eval::splits::test_train_ratio).
    pub test_train_ratio: f64,
    /// Level of intervals; 1 − level is the error allowed over all pairs together.
    pub level: f64,
    /// Draws for the probability of being best.
    pub draws: usize,
    /// Seed of those draws.
    pub seed: u64,
    /// The backbone that one would take without selecting, shown among the baselines.
    pub default_backbone: Option<String>,
}

/// Arms in order, the best first, with what is known of every pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The probe that decided.
    pub probe: String,
    /// What it measures.
    pub metric: String,
    /// Number of folds.
    pub n_folds: usize,
    /// Half the width of the region in which a difference does not matter.
    pub rope: f64,
    /// Level of the intervals.
    pub level: f64,
    /// The arms by descending mean.
    pub arms: Vec<RankedArm>,
    /// Every pair of arms, the better-placed one compared with the other; all are one family.
    ///
    /// Arms that no test tells apart do not make groups: the first may be like the second, the
    /// second like the third, and the first better than the third.
    pub pairs: Vec<Comparison>,
    /// Ways to choose without looking at any score, for comparison.
    #[serde(default)]
    pub baselines: Vec<Baseline>,
    /// The backbone to take.
    pub selected: String,
    /// Why, in a sentence.
    pub verdict: String,
    /// What a control says against it, in a sentence.
    #[serde(default)]
    pub caution: Option<String>,
}

/// An arm's place in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedArm {
    /// Name of the backbone.
    pub backbone: String,
    /// Whether it is a control.
    pub control: bool,
    /// Mean score over the folds.
    pub mean: f64,
    /// Lower end of the interval of the mean.
    pub lower: f64,
    /// Upper end of the interval of the mean.
    pub upper: f64,
    /// Posterior probability that its mean is the largest of all candidates'; none for controls,
    /// which are no candidates.
    pub probability_best: Option<f64>,
    /// What may be said of it against the best arm that is no control; none for that arm itself.
    pub against_best: Option<Word>,
    /// What it costs.
    pub cost: Cost,
    /// Mean score of every probe.
    pub probes: Vec<ProbeMean>,
}

/// A way to choose without looking at scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// `default`, `largest model` or `random pick`.
    pub name: String,
    /// The backbone that it takes; none where it takes any with the same chance.
    pub backbone: Option<String>,
    /// Its mean score, that of a random pick being the mean over the candidates.
    pub mean: f64,
    /// What choosing gains over it, measured by nested selection: folds within each training part
    /// choose, and the fold that had no say scores. None where it was not measured.
    pub gain: Option<Estimate>,
}

/// The mean score of one probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeMean {
    /// The probe.
    pub probe: String,
    /// What it measures.
    pub metric: String,
    /// Mean over the folds.
    pub mean: f64,
}

impl Default for RankOptions {
    fn default() -> Self {
        Self {
            probe: "linear".into(),
            rope: 0.01,
            test_train_ratio: 0.25,
            level: 0.95,
            draws: 10_000,
            seed: 0,
            default_backbone: None,
        }
    }
}

impl Ranking {
    /// The place of a backbone.
    pub fn arm(&self, backbone: &str) -> Option<&RankedArm> {
        self.arms.iter().find(|a| a.backbone == backbone)
    }

    /// The comparison of two backbones, whichever stands first.
    pub fn pair(&self, a: &str, b: &str) -> Option<&Comparison> {
        self.pairs.iter().find(|p| (p.arm == a && p.against == b) || (p.arm == b && p.against == a))
    }
}
