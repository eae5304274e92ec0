// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Matrix;
use rayon::prelude::*;

/// Columns whose moments are summed together.
const PANEL: usize = 64;

/// Mean and standard deviation of every feature, by which a penalty means the same for every
/// backbone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standardizer {
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Standardizer {
    /// Weighted moments of the rows; a feature that does not vary gets scale 1.
    pub fn fit(features: &Matrix, weights: &[f32]) -> Self {
        let d = features.n_cols();
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        let panels: Vec<usize> = (0..d).step_by(PANEL).collect();
        let moments: Vec<(Vec<f64>, Vec<f64>)> = panels
            .par_iter()
            .map(|&start| panel_moments(features, weights, total, start, (start + PANEL).min(d)))
            .collect();
        let (mean, scale): (Vec<_>, Vec<_>) = moments.into_iter().unzip();
        Self { mean: mean.concat(), scale: scale.concat() }
    }

    /// (x − mean) / scale, row after row, rounded to `f32` after the arithmetic.
    pub fn apply(&self, features: &Matrix) -> Vec<f32> {
        let mut values = vec![0.0; features.values().len()];
        values.par_chunks_mut(self.mean.len().max(1)).enumerate().for_each(|(i, out)| {
            let standard = features.row(i).iter().zip(&self.mean).zip(&self.scale);
            for (out, ((&x, m), s)) in out.iter_mut().zip(standard) {
                *out = ((f64::from(x) - m) / s) as f32;
            }
        });
        values
    }
}

/// Mean and scale of the columns `start..end`.
fn panel_moments(
    features: &Matrix,
    weights: &[f32],
    total: f64,
    start: usize,
    end: usize,
) -> (Vec<f64>, Vec<f64>) {
    let mut mean = vec![0.0; end - start];
    for (row, &weight) in features.rows().zip(weights) {
        for (m, &x) in mean.iter_mut().zip(&row[start..end]) {
            *m += f64::from(weight) * f64::from(x);
        }
    }
    for m in &mut mean {
        *m /= total;
    }
    let mut variance = vec![0.0; end - start];
    for (row, &weight) in features.rows().zip(weights) {
        for ((v, &x), m) in variance.iter_mut().zip(&row[start..end]).zip(&mean) {
            let centred = f64::from(x) - m;
            *v += f64::from(weight) * centred * centred;
        }
    }
    // Rounding of the mean alone leaves a spread of some 1e-16 of it.
    let scale = |(v, m): (&f64, &f64)| {
        let sd = (v / total).sqrt();
        if sd > 1e-12 * m.abs() && sd > 0.0 { sd } else { 1.0 }
    };
    let scale = variance.iter().zip(&mean).map(scale).collect();
    (mean, scale)
}
