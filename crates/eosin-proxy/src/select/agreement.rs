// SPDX-License-Identifier: MIT OR Apache-2.0

//! How well a proxy's ranking foretells that of a target task.

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// Agreement of two rankings of the same backbones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Number of backbones.
    pub n: usize,
    /// Kendall's τ-b.
    pub tau_b: f64,
    /// Its standard error if the rankings had nothing to do with each other, ties taken account of.
    pub standard_error: f64,
    /// Two-sided p of τ-b by the normal approximation; rough below ten backbones.
    pub p: f64,
    /// The target's best score minus its score of the backbone that the proxy puts first.
    pub regret: f64,
    /// The target's best score minus its best among the proxy's first three.
    pub regret_top_3: f64,
    /// Whether the target's best backbone is among the proxy's first three.
    pub top_3_hit: bool,
    /// The regret that a random pick would have on average.
    pub regret_random: f64,
    /// The chance that three random picks hold the target's best.
    pub top_3_hit_random: f64,
}

/// Compares the scores of a proxy with those of a target, backbone by backbone.
pub fn agreement(proxy: &[f64], target: &[f64]) -> Result<Agreement> {
    let n = proxy.len();
    let finite = proxy.iter().chain(target).all(|s| s.is_finite());
    if target.len() != n || n < 2 || !finite {
        return Err(Error::input(
            "scores of proxy and target",
            "finite scores of the same backbones, at least two",
            format!("{n} and {}", target.len()),
            "score every backbone on both tasks",
        ));
    }
    let (tau_b, standard_error) = kendall_tau_b(proxy, target);
    let p = if standard_error > 0.0 {
        2.0 * Normal::standard().cdf(-(tau_b / standard_error).abs())
    } else {
        1.0
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| proxy[b].total_cmp(&proxy[a]).then(a.cmp(&b)));
    let largest =
        |rows: &[usize]| rows.iter().map(|&i| target[i]).fold(f64::NEG_INFINITY, f64::max);
    let best = largest(&order);
    let top = &order[..n.min(3)];
    Ok(Agreement {
        n,
        tau_b,
        standard_error,
        p,
        regret: best - target[order[0]],
        regret_top_3: best - largest(top),
        top_3_hit: largest(top) >= best,
        regret_random: best - target.iter().sum::<f64>() / n as f64,
        top_3_hit_random: top.len() as f64 / n as f64,
    })
}

/// Kendall's τ-b and its standard error under independence (Kendall 1970, with ties).
///
/// τ-b is 0 where one side has but one value.
pub fn kendall_tau_b(a: &[f64], b: &[f64]) -> (f64, f64) {
    let n = a.len();
    let mut balance = 0.0;
    for i in 0..n {
        for j in i + 1..n {
            balance += sign(a[i] - a[j]) * sign(b[i] - b[j]);
        }
    }
    let size = n as f64;
    let pairs = size * (size - 1.0) / 2.0;
    let (ties_a, ties_b) = (Ties::of(a), Ties::of(b));
    let scale = ((pairs - ties_a.pairs) * (pairs - ties_b.pairs)).sqrt();
    if scale == 0.0 {
        return (0.0, 0.0);
    }
    let ordered = 2.0 * pairs;
    let mut variance = (ordered * (2.0 * size + 5.0) - ties_a.fifth - ties_b.fifth) / 18.0
        + 2.0 * ties_a.pairs * ties_b.pairs / ordered;
    if n > 2 {
        variance += ties_a.triples * ties_b.triples / (9.0 * ordered * (size - 2.0));
    }
    (balance / scale, variance.max(0.0).sqrt() / scale)
}

/// Sums over runs of t equal values, as the variance of τ needs them.
struct Ties {
    /// Σ t(t−1)/2.
    pairs: f64,
    /// Σ t(t−1)(t−2).
    triples: f64,
    /// Σ t(t−1)(2t+5).
    fifth: f64,
}

impl Ties {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut ties = Self { pairs: 0.0, triples: 0.0, fifth: 0.0 };
        #[expect(clippy::float_cmp, reason = "ties are equal scores")]
        for run in sorted.chunk_by(|a, b| a == b) {
            let t = run.len() as f64;
            ties.pairs += t * (t - 1.0) / 2.0;
            ties.triples += t * (t - 1.0) * (t - 2.0);
            ties.fifth += t * (t - 1.0) * (2.0 * t + 5.0);
        }
        ties
    }
}

fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}
