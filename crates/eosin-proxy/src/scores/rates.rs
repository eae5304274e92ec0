// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Matrix, Result};
use ndarray::{Array1, Array2, Axis};

use super::spectrum::{Spectrum, centred, check, gram, rows, rows_by_class, spectrum};

/// Ranks between which [`alpha_req`] fits its power law, as far as the spectrum reaches.
const POWER_LAW_RANKS: std::ops::RangeInclusive<usize> = 3..=50;

/// H-score: tr(cov(f)⁺ cov(E[f|y])). It approaches C − 1 as D approaches N, whatever the
/// embeddings; use [`h_score_regularised`] there.
///
/// Source: Bao et al. 2019.
pub fn h_score(features: &Matrix, labels: &[u32], n_classes: usize) -> Result<f64> {
    check(features, labels, n_classes)?;
    let f = centred(features)?;
    let n = f.nrows() as f64;
    let mut spectrum = spectrum(&(gram(&f) / (n - 1.0)))?;
    spectrum.values = spectrum.ranked();
    let inverse = |v: f64| if v > 0.0 { 1.0 / v } else { 0.0 };
    Ok(between_classes(&f, labels, n_classes, &spectrum, inverse))
}

/// H-score with the features' covariance shrunk as by Ledoit and Wolf: tr(Σ_α⁻¹ (1 − α) Σ_E[f|y]).
///
/// Source: Ibrahim et al. 2021; Ledoit & Wolf 2004 for the shrinkage α.
pub fn h_score_regularised(features: &Matrix, labels: &[u32], n_classes: usize) -> Result<f64> {
    check(features, labels, n_classes)?;
    let f = centred(features)?;
    let (n, d) = (f.nrows() as f64, f.ncols() as f64);
    let covariance = gram(&f) / n;
    let mean_variance = covariance.diag().sum() / d;
    let square = covariance.iter().map(|v| v * v).sum::<f64>();
    let distance = (square - d * mean_variance * mean_variance) / d;
    let fourth: f64 = f.axis_iter(Axis(0)).map(|x| x.dot(&x).powi(2)).sum();
    let noise = ((fourth / n - square) / (d * n)).min(distance);
    let alpha = if distance > 0.0 { noise / distance } else { 0.0 };
    let spectrum = spectrum(&covariance)?;
    let inverse = |v: f64| (1.0 - alpha) / ((1.0 - alpha) * v + alpha * mean_variance);
    Ok(between_classes(&f, labels, n_classes, &spectrum, inverse))
}

/// tr(M · cov(E[f|y])) for the matrix M that has the spectrum's vectors and `inverse` of its
/// values; the class means stand for the rows of their class.
fn between_classes(
    f: &Array2<f64>,
    labels: &[u32],
    n_classes: usize,
    spectrum: &Spectrum,
    inverse: impl Fn(f64) -> f64,
) -> f64 {
    let mut total = 0.0;
    for class in rows_by_class(labels, n_classes).iter().filter(|c| !c.is_empty()) {
        let size = class.len() as f64;
        let mean = f.select(Axis(0), class).sum_axis(Axis(0)) / size;
        let along = spectrum.vectors.t().dot(&mean);
        let weighted: f64 =
            along.iter().zip(&spectrum.values).map(|(m, &v)| m * m * inverse(v)).sum();
        total += size * weighted;
    }
    total / (f.nrows() as f64 - 1.0)
}

/// TransRate: R(F) − Σ_c (n_c/n) R(F_c), R(F) = ½ ln det(I + FᵀF/(nε)), features centred;
/// ε = 1e-4 is usual.
///
/// As in the authors' algorithm, F_c is centred by the mean of all rows, not its own. For two
/// balanced classes it is therefore near 0 however far they are apart: read it with more classes.
/// Source: Huang et al. 2022, equation 3, classes weighted by their rows.
pub fn trans_rate(
    features: &Matrix,
    labels: &[u32],
    n_classes: usize,
    epsilon: f64,
) -> Result<f64> {
    check(features, labels, n_classes)?;
    let f = centred(features)?;
    let mut rate = coding_rate(&f, epsilon)?;
    for class in rows_by_class(labels, n_classes).iter().filter(|c| !c.is_empty()) {
        let share = class.len() as f64 / labels.len() as f64;
        rate -= share * coding_rate(&f.select(Axis(0), class), epsilon)?;
    }
    Ok(rate)
}

/// ½ ln det(I + FᵀF/(nε)), from whichever of FᵀF and FFᵀ is smaller.
fn coding_rate(f: &Array2<f64>, epsilon: f64) -> Result<f64> {
    let n = f.nrows() as f64;
    let product = if f.nrows() < f.ncols() { gram(&f.t().to_owned()) } else { gram(f) };
    let spectrum = spectrum(&product)?;
    Ok(spectrum.values.iter().map(|v| (v / (n * epsilon)).ln_1p()).sum::<f64>() / 2.0)
}

/// RankMe: the effective rank exp(−Σ p ln p) of the embeddings, p = σ/Σσ over singular values.
///
/// Source: Garrido et al. 2023, equation 1, without their ε.
pub fn rank_me(features: &Matrix) -> Result<f64> {
    let sigma: Array1<f64> = spectrum(&gram(&rows(features)?))?.ranked().mapv(f64::sqrt);
    let total = sigma.sum();
    let entropy: f64 =
        sigma.iter().filter(|s| **s > 0.0).map(|s| -(s / total) * (s / total).ln()).sum();
    Ok(entropy.exp())
}

/// α-ReQ: the exponent α of λ_i ∝ i^−α, the covariance's eigenvalues in descending order; about 1
/// is said to serve best.
///
/// The line is fitted to ln λ against ln i over ranks 3 to 50, or as far as the spectrum reaches,
/// with weights 1/i, as Stringer et al. 2019 do. Source: Agrawal et al. 2022.
pub fn alpha_req(features: &Matrix) -> Result<f64> {
    let f = centred(features)?;
    let mut values = spectrum(&gram(&f))?.ranked().to_vec();
    values.reverse();
    let points: Vec<(f64, f64)> = POWER_LAW_RANKS
        .filter_map(|i| values.get(i - 1).filter(|v| **v > 0.0).map(|v| (i as f64, v.ln())))
        .collect();
    if points.len() < 2 {
        return Err(Error::input(
            "rows for alpha-req",
            "embeddings of rank 4 at least",
            format!("{} eigenvalues from the third on", points.len()),
            "score more rows, or leave out alpha-req",
        ));
    }
    let weight: f64 = points.iter().map(|(i, _)| 1.0 / i).sum();
    let mean_x = points.iter().map(|(i, _)| i.ln() / i).sum::<f64>() / weight;
    let mean_y = points.iter().map(|(i, y)| y / i).sum::<f64>() / weight;
    let covariance: f64 = points.iter().map(|(i, y)| (i.ln() - mean_x) * (y - mean_y) / i).sum();
    let variance: f64 = points.iter().map(|(i, _)| (i.ln() - mean_x).powi(2) / i).sum();
    Ok(-covariance / variance)
}
