// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Matrix, Result};
use ndarray::{Array1, Array2, Axis, s};

use super::spectrum::{centred, check, gram, rows_by_class, spectrum};

/// Principal components of less than this share of the largest variance are rounding, not data.
const LEAST_VARIANCE: f64 = 1e-8;
/// Dimensions that are kept, as the authors have it.
const DIMENSIONS: usize = 64;

/// GBC: minus the sum over pairs of classes of exp(−Bhattacharyya distance), a Gaussian with
/// diagonal covariance for each class, after PCA to at most 64 dimensions.
///
/// Variances have divisor n_c and a floor of 1e-6 of the dimension's over all rows. Source: Pándy et al. 2022.
pub fn gbc(features: &Matrix, labels: &[u32], n_classes: usize) -> Result<f64> {
    check(features, labels, n_classes)?;
    let x = principal_components(features, DIMENSIONS)?;
    let floor = x.var_axis(Axis(0), 0.0) * 1e-6;
    let gaussians: Vec<(Array1<f64>, Array1<f64>)> = rows_by_class(labels, n_classes)
        .iter()
        .filter(|rows| !rows.is_empty())
        .map(|rows| {
            let own = x.select(Axis(0), rows);
            let mean = own.sum_axis(Axis(0)) / rows.len() as f64;
            let variance = own.var_axis(Axis(0), 0.0);
            let floored = variance.iter().zip(&floor).map(|(v, f)| v.max(*f)).collect();
            (mean, floored)
        })
        .collect();
    let mut overlap = 0.0;
    for (i, a) in gaussians.iter().enumerate() {
        for (j, b) in gaussians.iter().enumerate() {
            if i != j {
                overlap += (-bhattacharyya(a, b)).exp();
            }
        }
    }
    Ok(-overlap)
}

/// ⅛ Δᵀ S⁻¹ Δ + ½ ln(|S| / √(|S₁||S₂|)), S the mean of the diagonal covariances.
fn bhattacharyya(a: &(Array1<f64>, Array1<f64>), b: &(Array1<f64>, Array1<f64>)) -> f64 {
    let mut distance = 0.0;
    for d in 0..a.0.len() {
        let between = f64::midpoint(a.1[d], b.1[d]);
        distance += (a.0[d] - b.0[d]).powi(2) / between / 8.0;
        distance += 0.5 * (between.ln() - f64::midpoint(a.1[d].ln(), b.1[d].ln()));
    }
    distance
}

/// The rows' coordinates along the leading eigenvectors of their covariance, largest first.
pub(crate) fn principal_components(features: &Matrix, at_most: usize) -> Result<Array2<f64>> {
    let f = centred(features)?;
    let spectrum = spectrum(&gram(&f))?;
    let least = LEAST_VARIANCE * spectrum.values.iter().copied().fold(0.0, f64::max);
    let rank = spectrum.values.iter().filter(|v| **v > least).count().max(1);
    let kept = rank.min(at_most);
    let d = f.ncols();
    let leading = spectrum.vectors.slice(s![.., d - kept..; 1]).to_owned();
    let coordinates = f.dot(&leading);
    Ok(coordinates.slice(s![.., ..;-1]).to_owned())
}
