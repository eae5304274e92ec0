// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Matrix;

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
        let mut mean = vec![0.0; d];
        for (row, &weight) in features.rows().zip(weights) {
            for (m, &x) in mean.iter_mut().zip(row) {
                *m += f64::from(weight) * f64::from(x);
            }
        }
        mean.iter_mut().for_each(|m| *m /= total);
        let mut variance = vec![0.0; d];
        for (row, &weight) in features.rows().zip(weights) {
            for ((v, &x), m) in variance.iter_mut().zip(row).zip(&mean) {
                *v += f64::from(weight) * (f64::from(x) - m).powi(2);
            }
        }
        // Rounding of the mean alone leaves a spread of some 1e-16 of it.
        let scale = |(v, m): (&f64, &f64)| {
            let sd = (v / total).sqrt();
            if sd > 1e-12 * m.abs() && sd > 0.0 { sd } else { 1.0 }
        };
        let scale = variance.iter().zip(&mean).map(scale).collect();
        Self { mean, scale }
    }

    /// (x − mean) / scale, row after row, rounded to `f32` after the arithmetic.
    pub fn apply(&self, features: &Matrix) -> Vec<f32> {
        let mut values = Vec::with_capacity(features.values().len());
        for row in features.rows() {
            let standard = row.iter().zip(&self.mean).zip(&self.scale);
            values.extend(standard.map(|((&x, m), s)| ((f64::from(x) - m) / s) as f32));
        }
        values
    }
}
