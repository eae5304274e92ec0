// SPDX-License-Identifier: MIT OR Apache-2.0

//! Normal noise with the covariance of a set of rows, without a factorisation of it.

use eosin_core::Matrix;
use rand::Rng;
use rand_distr::StandardNormal;

/// Members that describe a covariance at most; more add cost and no directions worth having.
const MAX_MEMBERS: usize = 512;

/// Rows less their mean. A standard normal combination of them, divided by √n, has exactly their
/// covariance (with divisor n) as its own: Σ zᵢ(xᵢ − μ)/√n.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    deviations: Matrix,
    scale: f32,
}

impl Spread {
    /// Of the given rows, or of as many as are allowed at even steps.
    pub(crate) fn of(features: &Matrix, rows: &[usize]) -> Self {
        let n = rows.len().min(MAX_MEMBERS);
        let members: Vec<usize> = (0..n).map(|i| rows[i * rows.len() / n]).collect();
        let mut deviations = features.select(&members);
        let mean = mean_of(features, &members);
        for i in 0..n {
            for (x, m) in deviations.row_mut(i).iter_mut().zip(&mean) {
                *x -= *m as f32;
            }
        }
        Self { deviations, scale: 1.0 / (n.max(1) as f32).sqrt() }
    }

    /// Adds `strength` times a draw to `row`.
    pub(crate) fn add<R: Rng>(&self, strength: f32, rng: &mut R, row: &mut [f32]) {
        for member in self.deviations.rows() {
            let z: f32 = rng.sample(StandardNormal);
            let factor = strength * self.scale * z;
            for (value, d) in row.iter_mut().zip(member) {
                *value += factor * d;
            }
        }
    }
}

/// The mean of the given rows.
pub(crate) fn mean_of(features: &Matrix, rows: &[usize]) -> Vec<f64> {
    let mut mean = vec![0.0; features.n_cols()];
    for &i in rows {
        for (m, &x) in mean.iter_mut().zip(features.row(i)) {
            *m += f64::from(x);
        }
    }
    let n = rows.len().max(1) as f64;
    for m in &mut mean {
        *m /= n;
    }
    mean
}
