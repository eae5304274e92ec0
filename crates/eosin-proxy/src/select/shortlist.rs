// SPDX-License-Identifier: MIT OR Apache-2.0

//! From several proxies to a few backbones, and from those to the ones worth their cost.

use std::collections::BTreeMap;

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::Ranking;

/// A backbone with what several proxies say of it together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shortlisted {
    /// Name of the backbone.
    pub backbone: String,
    /// Mean over the proxies of its standardised score: 1 is one standard deviation of the
    /// backbones above their mean.
    pub standardised: f64,
    /// Its mean score on each proxy, in the order of the rankings.
    pub means: Vec<f64>,
}

/// The `n` backbones that several proxies together put first; controls are left out.
///
/// Scores are standardised within each proxy first, because an easy proxy spreads backbones less
/// than a hard one; a proxy on which all score the same says nothing. Backbones that any of the
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
    for ranking in rankings {
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
            entry.standardised += standard / rankings.len() as f64;
            entry.means.push(arm.mean);
        }
    }
    let mut list: Vec<Shortlisted> =
        by_name.into_values().filter(|s| s.means.len() == rankings.len()).collect();
    list.sort_by(|a, b| b.standardised.total_cmp(&a.standardised));
    list.truncate(n);
    Ok(list)
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
