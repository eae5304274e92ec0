// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ranks backbones that were scored on the same folds, and says how sure the ranking is.

mod agreement;
mod posterior;
mod rank;
mod resume;
mod shortlist;
mod tally;
mod verdict;

pub use agreement::{Agreement, agreement, kendall_tau_b};
pub use rank::{rank, test_train_ratio};
pub use resume::{NoCache, ScoreCache, UnitScores, score_repeats};
pub use shortlist::{ParetoPoint, Shortlisted, pareto_front, shortlist};
pub use tally::Tally;

use std::collections::BTreeMap;

use eosin_core::ProxyScores;
use eosin_eval::Interval;
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
    /// Right calls by probe, where it calls classes: what patients are resampled by.
    #[serde(default)]
    pub tallies: BTreeMap<String, Tally>,
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
    /// Held-out groups over training groups of a fold, 1/(k − 1) for k folds;
    /// see [`test_train_ratio`].
    pub test_train_ratio: f64,
    /// Level of intervals; 1 − level is the error allowed over all pairs together.
    pub level: f64,
    /// Draws for the probability of being best.
    pub draws: usize,
    /// Seed of those draws and of the bootstrap.
    pub seed: u64,
    /// Resamples of patients for the intervals of differences; 0 makes none.
    pub replicates: usize,
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
    /// Every pair of arms, the better-placed first.
    pub pairs: Vec<Pair>,
    /// Runs of neighbours in the ranking among which no pair differs; an arm may be in several.
    pub groups: Vec<Vec<String>>,
    /// Ways to choose without looking at any score, for comparison.
    #[serde(default)]
    pub baselines: Vec<Baseline>,
    /// The backbone to take.
    pub selected: String,
    /// Why, in words.
    pub verdict: String,
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
    /// Posterior probability that its mean is the largest of all arms'.
    pub probability_best: f64,
    /// Whether no test tells it from the best arm that is not a control.
    pub tied_with_best: bool,
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
    /// What the selected backbone scores above it.
    pub gain: f64,
    /// Lower end of the gain's interval.
    pub lower: f64,
    /// Upper end of the gain's interval.
    pub upper: f64,
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

/// A comparison of two arms on the same folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The arm with the larger mean.
    pub first: String,
    /// The other arm.
    pub second: String,
    /// Mean difference, first minus second.
    pub difference: f64,
    /// Lower end of its interval.
    pub lower: f64,
    /// Upper end of its interval.
    pub upper: f64,
    /// Two-sided p of the corrected resampled t-test.
    pub p: f64,
    /// The same, adjusted by Holm's method over all pairs.
    pub p_holm: f64,
    /// Posterior probability that the first is worse by more than the ROPE.
    pub worse: f64,
    /// Posterior probability that they differ by no more than the ROPE.
    pub equivalent: f64,
    /// Posterior probability that the first is better by more than the ROPE.
    pub better: f64,
    /// The difference of pooled scores with its interval by resampling patients, where the probe
    /// calls classes.
    #[serde(default)]
    pub by_patient: Option<Interval>,
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
            replicates: 2000,
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
    pub fn pair(&self, a: &str, b: &str) -> Option<&Pair> {
        self.pairs
            .iter()
            .find(|p| (p.first == a && p.second == b) || (p.first == b && p.second == a))
    }
}
