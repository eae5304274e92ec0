// SPDX-License-Identifier: MIT OR Apache-2.0

use std::f64::consts::PI;

use eosin_core::{Matrix, Result};
use ndarray::{Array1, Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::gaussians::principal_components;
use super::spectrum::{check, rows_by_class};

/// Dimensions that are kept before the mixture is fitted.
const DIMENSIONS: usize = 64;
/// Components for each class, as the authors have it.
const COMPONENTS_PER_CLASS: usize = 5;
/// Added to every variance in units of the mean variance.
const VARIANCE_FLOOR: f64 = 1e-4;
/// Rounds of expectation and maximisation at most.
const MAX_ROUNDS: usize = 100;
/// Gain in mean log likelihood below which the mixture is taken as found.
const TOLERANCE: f64 = 1e-5;

/// N-LEEP: [`leep`] with the responsibilities of a Gaussian mixture in place of a source model's
/// classes; 5 components per class with diagonal covariances, on at most 64 principal components.
///
/// Source: Li et al. 2021. The mixture starts from k-means++ centres of the seed.
pub fn n_leep(features: &Matrix, labels: &[u32], n_classes: usize, seed: u64) -> Result<f64> {
    check(features, labels, n_classes)?;
    let x = principal_components(features, DIMENSIONS)?;
    let present = rows_by_class(labels, n_classes).iter().filter(|r| !r.is_empty()).count();
    let k = (COMPONENTS_PER_CLASS * present).min(x.nrows());
    let centres = spread_centres(&x, k, &mut ChaCha8Rng::seed_from_u64(seed));
    let responsibilities = fit_mixture(&x, centres, MAX_ROUNDS, TOLERANCE);
    Ok(leep(&responsibilities, labels, n_classes))
}

/// LEEP: the mean log likelihood of the labels under P(y|x) = Σ_z P(y|z) P(z|x), P(y|z) being
/// estimated from the same rows; `probabilities` is N × Z.
///
/// Source: Nguyen et al. 2020.
pub fn leep(probabilities: &Array2<f64>, labels: &[u32], n_classes: usize) -> f64 {
    let n = labels.len() as f64;
    let mut joint = Array2::<f64>::zeros((n_classes, probabilities.ncols()));
    for (row, &label) in probabilities.axis_iter(Axis(0)).zip(labels) {
        let mut of_class = joint.row_mut(label as usize);
        of_class += &row;
    }
    let marginal = joint.sum_axis(Axis(0)).mapv(|v| if v > 0.0 { v } else { 1.0 });
    let conditional = joint / &marginal;
    let log_likelihood = |(row, &label): (ndarray::ArrayView1<f64>, &u32)| {
        conditional.row(label as usize).dot(&row).max(f64::MIN_POSITIVE).ln()
    };
    probabilities.axis_iter(Axis(0)).zip(labels).map(log_likelihood).sum::<f64>() / n
}

/// k-means++: each centre is a row, drawn in proportion to its squared distance to those before.
fn spread_centres(x: &Array2<f64>, k: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    let mut chosen = vec![rng.random_range(0..x.nrows())];
    let mut nearest = vec![f64::INFINITY; x.nrows()];
    while chosen.len() < k {
        let last = x.row(chosen[chosen.len() - 1]);
        for (distance, row) in nearest.iter_mut().zip(x.axis_iter(Axis(0))) {
            let square: f64 = row.iter().zip(last).map(|(a, b)| (a - b).powi(2)).sum();
            *distance = distance.min(square);
        }
        let mut at = rng.random::<f64>() * nearest.iter().sum::<f64>();
        let next = nearest.iter().position(|&d| {
            at -= d;
            at < 0.0
        });
        chosen.push(next.unwrap_or(x.nrows() - 1));
    }
    x.select(Axis(0), &chosen)
}

/// Responsibilities (N × K) of a mixture with diagonal covariances, by expectation maximisation
/// from the given means, equal weights and the variances of all rows.
pub(crate) fn fit_mixture(
    x: &Array2<f64>,
    mut means: Array2<f64>,
    max_rounds: usize,
    tolerance: f64,
) -> Array2<f64> {
    let (n, k) = (x.nrows() as f64, means.nrows());
    let overall = x.var_axis(Axis(0), 0.0);
    let floor = VARIANCE_FLOOR * overall.mean().unwrap_or(1.0).max(f64::MIN_POSITIVE);
    let mut variances = Array2::from_shape_fn(means.raw_dim(), |(_, d)| overall[d] + floor);
    let mut weights = Array1::from_elem(k, 1.0 / k as f64);
    let squares = x.mapv(|v| v * v);
    let (mut responsibilities, mut before) = expect(x, &squares, &means, &variances, &weights);
    for _ in 0..max_rounds {
        // The tiny addend keeps a component that lost all rows finite, as scikit-learn does.
        let mass = responsibilities.sum_axis(Axis(0)) + 10.0 * f64::EPSILON;
        means = responsibilities.t().dot(x) / mass.view().insert_axis(Axis(1));
        variances = responsibilities.t().dot(&squares) / mass.view().insert_axis(Axis(1));
        variances -= &means.mapv(|v| v * v);
        variances.mapv_inplace(|v| v.max(0.0) + floor);
        weights = &mass / n;
        let (next, likelihood) = expect(x, &squares, &means, &variances, &weights);
        responsibilities = next;
        if (likelihood - before).abs() < tolerance {
            break;
        }
        before = likelihood;
    }
    responsibilities
}

/// Responsibilities and the mean log likelihood.
fn expect(
    x: &Array2<f64>,
    squares: &Array2<f64>,
    means: &Array2<f64>,
    variances: &Array2<f64>,
    weights: &Array1<f64>,
) -> (Array2<f64>, f64) {
    let precisions = variances.mapv(|v| 1.0 / v);
    let d = x.ncols() as f64;
    // ln w − ½(D ln 2π + Σ ln v + Σ (x−m)²/v), the square written out into three products.
    let mut logs = x.dot(&(means * &precisions).t()) - squares.dot(&precisions.t()) * 0.5;
    for (k, mut column) in logs.axis_iter_mut(Axis(1)).enumerate() {
        let constant = weights[k].ln()
            - 0.5 * (d * (2.0 * PI).ln() + variances.row(k).mapv(f64::ln).sum())
            - 0.5 * (&means.row(k) * &means.row(k) * precisions.row(k)).sum();
        column += constant;
    }
    let mut likelihood = 0.0;
    for mut row in logs.axis_iter_mut(Axis(0)) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|v| (v - largest).exp()).sum();
        let total = largest + sum.ln();
        likelihood += total;
        row.mapv_inplace(|v| (v - total).exp());
    }
    let n = logs.nrows() as f64;
    (logs, likelihood / n)
}

#[cfg(test)]
mod tests;
