// SPDX-License-Identifier: MIT OR Apache-2.0

//! From several proxies to a few backbones, and from those to the ones worth their cost.

use std::collections::BTreeMap;

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Ranking;

/// A backbone with what several proxies say of it together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shortlisted {
    /// Name of the backbone.
    pub backbone: String,
    /// Mean over the proxies, by how reliable they are, of its standardised score: 1 is one standard
    /// deviation of the backbones above their mean.
    pub standardised: f64,
    /// Its mean score on each proxy, in the order of the rankings.
    pub means: Vec<f64>,
}

/// The `n` backbones that several proxies together put first; controls are left out.
///
/// Scores are standardised within each proxy first, because an easy proxy spreads backbones less
/// than a hard one, and weighted by the share of their spread that is not the noise of the folds:
/// a proxy on which backbones differ by chance alone says nothing. Backbones that any of the
/// proxies lacks are left out.
pub fn shortlist(rankings: &[&Ranking], n: usize) -> Result<Vec<Shortlisted>> {
    if rankings.is_empty() || n == 0 {
        return Err(Error::input(
            "shortlist",
            "at least one ranking and one place",
            format!("{} rankings and {n} places", rankings.len()),
            "score the backbones on a proxy first",
        ));
    }
    let mut by_name: BTreeMap<&str, Shortlisted> = BTreeMap::new();
    let mut weights: Vec<f64> = rankings.iter().map(|r| reliability(r)).collect();
    if weights.iter().sum::<f64>() <= 0.0 {
        // None says anything; then all say as much.
        weights.fill(1.0);
    }
    let total: f64 = weights.iter().sum();
    for (ranking, weight) in rankings.iter().zip(weights) {
        let arms: Vec<_> = ranking.arms.iter().filter(|a| !a.control).collect();
        let size = arms.len().max(1) as f64;
        let mean = arms.iter().map(|a| a.mean).sum::<f64>() / size;
        let sd = (arms.iter().map(|a| (a.mean - mean).powi(2)).sum::<f64>() / size).sqrt();
        for arm in arms {
            let standard = if sd > 0.0 { (arm.mean - mean) / sd } else { 0.0 };
            let entry = by_name.entry(&arm.backbone).or_insert_with(|| Shortlisted {
                backbone: arm.backbone.clone(),
                standardised: 0.0,
                means: Vec::new(),
            });
            entry.standardised += standard * weight / total;
            entry.means.push(arm.mean);
        }
    }
    let mut list: Vec<Shortlisted> =
        by_name.into_values().filter(|s| s.means.len() == rankings.len()).collect();
    list.sort_by(|a, b| b.standardised.total_cmp(&a.standardised));
    list.truncate(n);
    Ok(list)
}

/// The share of the variance between the means of candidates that is not the noise with which the
/// folds measure them, from 0 to 1.
fn reliability(ranking: &Ranking) -> f64 {
    let candidates: Vec<_> = ranking.arms.iter().filter(|a| !a.control).collect();
    let n = candidates.len() as f64;
    let mean = candidates.iter().map(|a| a.mean).sum::<f64>() / n;
    let spread = candidates.iter().map(|a| (a.mean - mean).powi(2)).sum::<f64>() / (n - 1.0);
    // Half the squared standard error of a difference is the noise of one mean, without what the
    // folds have in common.
    let is_candidate = |name: &str| candidates.iter().any(|a| a.backbone == name);
    let noise: Vec<f64> = ranking
        .pairs
        .iter()
        .filter(|p| is_candidate(&p.arm) && is_candidate(&p.against))
        .filter_map(|p| {
            let t = StudentsT::new(0.0, 1.0, p.n_folds as f64 - 1.0).ok()?;
            let quantile = t.inverse_cdf(f64::midpoint(1.0, p.interval_level));
            Some(((p.upper - p.lower) / 2.0 / quantile).powi(2) / 2.0)
        })
        .collect();
    let noise = noise.iter().sum::<f64>() / noise.len().max(1) as f64;
    if spread > 0.0 { (1.0 - noise / spread).max(0.0) } else { 0.0 }
}

/// A backbone as the Pareto front sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParetoPoint {
    /// Name of the backbone.
    pub backbone: String,
    /// Its score, higher being better.
    pub score: f64,
    /// What it costs, lower being better; every point has the same costs in the same order, such
    /// as seconds per tile, bytes per embedding, memory, 1 − robustness.
    pub costs: Vec<f64>,
}

/// Which points no other beats: A beats B if A's score is at most `epsilon` below B's, no cost of
/// A's is higher and one is lower, or if costs are equal and A's score is higher.
pub fn pareto_front(points: &[ParetoPoint], epsilon: f64) -> Vec<bool> {
    let beats = |a: &ParetoPoint, b: &ParetoPoint| {
        let pairs = || a.costs.iter().zip(&b.costs);
        let no_dearer = pairs().all(|(x, y)| x <= y);
        let cheaper = pairs().any(|(x, y)| x < y);
        no_dearer && if cheaper { a.score >= b.score - epsilon } else { a.score > b.score }
    };
    points.iter().map(|b| !points.iter().any(|a| beats(a, b))).collect()
}
