// SPDX-License-Identifier: MIT OR Apache-2.0

//! Standard errors of AUROCs without resampling: DeLong's, and its form for rows in clusters.
//!
//! DeLong et al. 1988 take every row as independent. Rows of one patient are not, so results over
//! tiles want the clustered form (Obuchowski 1997), which with one row per cluster is DeLong's.
//! Both rest on placement values: for a positive row the share of negative rows below it, for a
//! negative row the share of positive rows above it, ties counting half. They are found from one
//! sort (Sun & Xu 2014). Normal approximations are poor near an area of 1 and with few clusters;
//! [`GroupBootstrap`](crate::GroupBootstrap) is the alternative.

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// An AUROC with its standard error and Wald interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AucEstimate {
    /// Area under the ROC curve, ties counting half.
    pub auc: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Lower end of the interval, at least 0.
    pub lower: f64,
    /// Upper end of the interval, at most 1.
    pub upper: f64,
}

/// The AUROCs of two scores of the same rows, compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AucDifference {
    /// The first score's area.
    pub first: f64,
    /// The second score's area.
    pub second: f64,
    /// Second minus first.
    pub difference: f64,
    /// Standard error of the difference, which knows that both scores are of the same rows.
    pub standard_error: f64,
    /// `difference / standard_error`; 0 for equal areas, infinite where nothing varies.
    pub z: f64,
    /// Two-sided p.
    pub p: f64,
    /// Lower end of the difference's interval.
    pub lower: f64,
    /// Upper end of the difference's interval.
    pub upper: f64,
}

/// DeLong's standard error of one AUROC; `level` is the interval's, usually 0.95.
///
/// At least two rows of each class are needed.
pub fn delong(scores: &[f64], labels: &[bool], level: f64) -> Result<AucEstimate> {
    clustered_delong(scores, labels, &each_its_own(labels.len()), level)
}

/// DeLong's test of two scores of the same rows.
pub fn delong_difference(
    first: &[f64],
    second: &[f64],
    labels: &[bool],
    level: f64,
) -> Result<AucDifference> {
    clustered_delong_difference(first, second, labels, &each_its_own(labels.len()), level)
}

/// Obuchowski's standard error of one AUROC of rows in clusters, such as tiles of patients.
///
/// At least two clusters that hold rows of each class are needed; a cluster may hold both.
pub fn clustered_delong(
    scores: &[f64],
    labels: &[bool],
    groups: &[u32],
    level: f64,
) -> Result<AucEstimate> {
    let z = normal_quantile(level)?;
    let clusters = Clusters::new(labels, groups)?;
    let placed = clusters.place(scores, labels)?;
    let standard_error = clusters.covariance(&placed, &placed).max(0.0).sqrt();
    Ok(AucEstimate {
        auc: placed.auc,
        standard_error,
        lower: (placed.auc - z * standard_error).max(0.0),
        upper: (placed.auc + z * standard_error).min(1.0),
    })
}

/// Obuchowski's test of two scores of the same rows in clusters.
pub fn clustered_delong_difference(
    first: &[f64],
    second: &[f64],
    labels: &[bool],
    groups: &[u32],
    level: f64,
) -> Result<AucDifference> {
    let quantile = normal_quantile(level)?;
    let clusters = Clusters::new(labels, groups)?;
    let (a, b) = (clusters.place(first, labels)?, clusters.place(second, labels)?);
    // The variance of the difference from differences, so that equal scores give exactly 0.
    let change = b.minus(&a);
    let standard_error = clusters.covariance(&change, &change).max(0.0).sqrt();
    let difference = change.auc;
    let (z, p) = if standard_error > 0.0 {
        let z = difference / standard_error;
        (z, 2.0 * Normal::standard().cdf(-z.abs()))
    } else if difference == 0.0 {
        (0.0, 1.0)
    } else {
        (f64::INFINITY.copysign(difference), 0.0)
    };
    Ok(AucDifference {
        first: a.auc,
        second: b.auc,
        difference,
        standard_error,
        z,
        p,
        lower: difference - quantile * standard_error,
        upper: difference + quantile * standard_error,
    })
}

/// Which cluster each row is of, and how many clusters hold rows of each class.
struct Clusters {
    cluster_of_row: Vec<usize>,
    count: usize,
    with_positive: f64,
    with_negative: f64,
    n_positive: f64,
    n_negative: f64,
}

/// An area with the deviations from it, summed over the rows of each cluster.
struct Placed {
    auc: f64,
    /// Σ (placement − area) over a cluster's positive rows.
    positive: Vec<f64>,
    /// The same over its negative rows.
    negative: Vec<f64>,
}

impl Clusters {
    fn new(labels: &[bool], groups: &[u32]) -> Result<Self> {
        if labels.len() != groups.len() {
            return Err(Error::input(
                "AUROC of clusters",
                format!("{} groups, one per label", labels.len()),
                groups.len().to_string(),
                "give one label and one group per row",
            ));
        }
        let mut names = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        let cluster_of_row: Vec<usize> =
            groups.iter().map(|&g| names.partition_point(|&name| name < g)).collect();
        let mut holds = vec![[false; 2]; names.len()];
        for (&cluster, &label) in cluster_of_row.iter().zip(labels) {
            holds[cluster][usize::from(label)] = true;
        }
        let holding = |class: usize| holds.iter().filter(|h| h[class]).count();
        if holding(0) < 2 || holding(1) < 2 {
            return Err(Error::input(
                "standard error of an AUROC",
                "at least 2 groups with positive rows and 2 with negative rows",
                format!("{} and {}", holding(1), holding(0)),
                "score rows of more patients, or give no interval",
            ));
        }
        let n_positive = labels.iter().filter(|&&l| l).count();
        Ok(Self {
            cluster_of_row,
            count: names.len(),
            with_positive: holding(1) as f64,
            with_negative: holding(0) as f64,
            n_positive: n_positive as f64,
            n_negative: (labels.len() - n_positive) as f64,
        })
    }

    fn place(&self, scores: &[f64], labels: &[bool]) -> Result<Placed> {
        let placements = self.placements(scores, labels)?;
        let of_positive = placements.iter().zip(labels).filter(|(_, l)| **l).map(|(p, _)| p);
        let auc = of_positive.sum::<f64>() / self.n_positive;
        let mut placed =
            Placed { auc, positive: vec![0.0; self.count], negative: vec![0.0; self.count] };
        for ((&cluster, &label), placement) in
            self.cluster_of_row.iter().zip(labels).zip(&placements)
        {
            let side = if label { &mut placed.positive } else { &mut placed.negative };
            side[cluster] += placement - auc;
        }
        Ok(placed)
    }

    /// The placement value of every row.
    fn placements(&self, scores: &[f64], labels: &[bool]) -> Result<Vec<f64>> {
        let sound = scores.iter().all(|s| !s.is_nan());
        if scores.len() != labels.len() || !sound {
            return Err(Error::input(
                "scores",
                format!("{} scores, none NaN", labels.len()),
                format!("{} scores{}", scores.len(), if sound { "" } else { " with NaN" }),
                "give one score and one label per row",
            ));
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let mut placements = vec![0.0; scores.len()];
        let (mut positives_below, mut negatives_below) = (0.0, 0.0);
        #[expect(clippy::float_cmp, reason = "ties are equal scores, to the bit but for ±0")]
        for run in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            let positives = run.iter().filter(|&&i| labels[i]).count() as f64;
            let negatives = run.len() as f64 - positives;
            for &i in run {
                placements[i] = if labels[i] {
                    (negatives_below + 0.5 * negatives) / self.n_negative
                } else {
                    (self.n_positive - positives_below - 0.5 * positives) / self.n_positive
                };
            }
            positives_below += positives;
            negatives_below += negatives;
        }
        Ok(placements)
    }

    /// S₁₀/m + S₀₁/n + (S₁₁ + S₁₁ᵀ)/(mn) of Obuchowski's equations 2 and 3.
    fn covariance(&self, a: &Placed, b: &Placed) -> f64 {
        let corrected = |n: f64| n / (n - 1.0);
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let (m, n) = (self.n_positive, self.n_negative);
        corrected(self.with_positive) * dot(&a.positive, &b.positive) / (m * m)
            + corrected(self.with_negative) * dot(&a.negative, &b.negative) / (n * n)
            + corrected(self.count as f64)
                * (dot(&a.positive, &b.negative) + dot(&a.negative, &b.positive))
                / (m * n)
    }
}

impl Placed {
    fn minus(&self, other: &Self) -> Self {
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self {
            auc: self.auc - other.auc,
            positive: minus(&self.positive, &other.positive),
            negative: minus(&self.negative, &other.negative),
        }
    }
}

fn each_its_own(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

/// The normal quantile of a two-sided interval.
fn normal_quantile(level: f64) -> Result<f64> {
    if level > 0.0 && level < 1.0 {
        return Ok(Normal::standard().inverse_cdf(f64::midpoint(1.0, level)));
    }
    Err(Error::input(
        "level of an interval",
        "a number between 0 and 1",
        level.to_string(),
        "the usual choice is 0.95",
    ))
}
