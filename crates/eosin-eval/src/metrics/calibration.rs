// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Probabilities;
use serde::{Deserialize, Serialize};

use super::{ratio, weight};

/// Rows whose predicted probabilities are alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Their mean predicted probability.
    pub predicted: f64,
    /// The share of them that is positive.
    pub observed: f64,
    /// Their total weight.
    pub weight: f64,
}

/// Mean squared error of the positive class's probability.
pub fn brier(probabilities: &[f64], labels: &[bool], weights: Option<&[f64]>) -> f64 {
    mean(labels.len().min(probabilities.len()), weights, |i| {
        (probabilities[i] - f64::from(u8::from(labels[i]))).powi(2)
    })
}

/// Mean over rows of the squared distance between probabilities and one-hot labels.
pub fn brier_multiclass(
    probabilities: &Probabilities,
    labels: &[u32],
    weights: Option<&[f64]>,
) -> f64 {
    mean(labels.len().min(probabilities.n_rows()), weights, |i| {
        let truth = labels[i] as usize;
        let one_hot = |k: usize| if k == truth { 1.0 } else { 0.0 };
        probabilities.row(i).iter().enumerate().map(|(k, p)| (p - one_hot(k)).powi(2)).sum()
    })
}

/// Mean −ln of the probability given to the true class, which is clipped to [ε, 1 − ε] of `f64`.
pub fn log_loss(probabilities: &[f64], labels: &[bool], weights: Option<&[f64]>) -> f64 {
    mean(labels.len().min(probabilities.len()), weights, |i| {
        -clipped(if labels[i] { probabilities[i] } else { 1.0 - probabilities[i] }).ln()
    })
}

/// [`log_loss`] for any number of classes.
pub fn log_loss_multiclass(
    probabilities: &Probabilities,
    labels: &[u32],
    weights: Option<&[f64]>,
) -> f64 {
    mean(labels.len().min(probabilities.n_rows()), weights, |i| {
        -clipped(probabilities.row(i).get(labels[i] as usize).copied().unwrap_or(0.0)).ln()
    })
}

/// Predicted and observed probability in at most `n_bins` bins of equal weight; equal predictions
/// share a bin, and empty bins are left out.
///
/// Edges are the linearly interpolated quantiles of the predictions, as in scikit-learn's
/// `calibration_curve(strategy="quantile")`; an integer weight counts as so many rows.
pub fn reliability(
    probabilities: &[f64],
    labels: &[bool],
    weights: Option<&[f64]>,
    n_bins: usize,
) -> Vec<ReliabilityBin> {
    let mut order: Vec<usize> = (0..labels.len().min(probabilities.len())).collect();
    order.retain(|&i| weight(weights, i) > 0.0);
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(a.cmp(&b)));
    if order.is_empty() || n_bins == 0 {
        return Vec::new();
    }
    let edges = quantile_edges(&order, probabilities, weights, n_bins);
    let mut sums = vec![(0.0, 0.0, 0.0); n_bins];
    for &i in &order {
        let bin = edges.partition_point(|&edge| edge < probabilities[i]);
        let w = weight(weights, i);
        sums[bin].0 += w * probabilities[i];
        sums[bin].1 += w * f64::from(u8::from(labels[i]));
        sums[bin].2 += w;
    }
    sums.into_iter()
        .filter(|sum| sum.2 > 0.0)
        .map(|(p, y, w)| ReliabilityBin { predicted: p / w, observed: y / w, weight: w })
        .collect()
}

/// Expected calibration error: the mean gap between predicted and observed probability over the
/// rows of [`reliability`]; the field's usual choice is 15 bins.
pub fn expected_calibration_error(
    probabilities: &[f64],
    labels: &[bool],
    weights: Option<&[f64]>,
    n_bins: usize,
) -> f64 {
    let bins = reliability(probabilities, labels, weights, n_bins);
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    let gaps = bins.iter().map(|bin| bin.weight * (bin.predicted - bin.observed).abs()).sum();
    ratio(gaps, total, f64::NAN)
}

/// The `n_bins − 1` inner edges. The order of operations is NumPy's, since a last bit decides on
/// which side of an edge a prediction falls that is equal to it.
fn quantile_edges(
    order: &[usize],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    n_bins: usize,
) -> Vec<f64> {
    let mut cumulative = Vec::with_capacity(order.len());
    let mut total = 0.0;
    for &i in order {
        total += weight(weights, i);
        cumulative.push(total);
    }
    let value_at = |position: f64| {
        let at = cumulative.partition_point(|&c| c <= position).min(order.len() - 1);
        probabilities[order[at]]
    };
    let step = 1.0 / n_bins as f64;
    let edge = |i: usize| {
        let quantile = (i as f64 * step) * 100.0 / 100.0;
        let position = (total - 1.0).max(0.0) * quantile;
        let (low, high) = (value_at(position.floor()), value_at(position.floor() + 1.0));
        let t = position - position.floor();
        if t < 0.5 { low + (high - low) * t } else { high - (high - low) * (1.0 - t) }
    };
    (1..n_bins).map(edge).collect()
}

fn clipped(p: f64) -> f64 {
    p.clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}

fn mean(n: usize, weights: Option<&[f64]>, value: impl Fn(usize) -> f64) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for i in 0..n {
        let w = weight(weights, i);
        sum += w * value(i);
        total += w;
    }
    ratio(sum, total, f64::NAN)
}
