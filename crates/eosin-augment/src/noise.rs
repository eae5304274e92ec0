// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView};
use rand::Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::options::{same_dim, with_copies, within};
use crate::random::Streams;

/// Kind `gaussian-noise`: x + γ·σ_d ⊙ ε, σ_d being the standard deviation of dimension d over the
/// training rows and ε standard normal.
///
/// For a quadratic loss its expectation is Tikhonov's penalty (Bishop 1995).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GaussianNoise {
    /// Strength γ, in standard deviations of each dimension; 0.05 to 0.5 are usual.
    pub gamma: f32,
    /// Noisy copies that each row gets beside it; the row and its copies share its weight.
    /// With 0 the row itself is replaced by a noisy one, a new one in every epoch.
    pub copies: usize,
}

struct FittedNoise {
    scale: Vec<f32>,
    copies: usize,
}

impl Default for GaussianNoise {
    fn default() -> Self {
        Self { gamma: 0.1, copies: 4 }
    }
}

impl FeatureTransform for GaussianNoise {
    fn kind(&self) -> &'static str {
        "gaussian-noise"
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(self.kind(), "gamma", self.gamma.into(), 0.0, 10.0)?;
        within(self.kind(), "copies", self.copies as f64, 0.0, 1000.0)?;
        let scale = deviations(train).into_iter().map(|s| s as f32 * self.gamma).collect();
        Ok(Box::new(FittedNoise { scale, copies: self.copies }))
    }
}

impl FittedTransform for FittedNoise {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        same_dim("gaussian-noise", self.scale.len(), batch)?;
        let copies = self.copies.max(1);
        let noisy = self.noisy(batch.features(), copies, &Streams::new(draw, "gaussian-noise"))?;
        if self.copies == 0 {
            batch.clone().with_features(noisy)
        } else {
            with_copies(batch, copies, noisy)
        }
    }
}

impl FittedNoise {
    fn noisy(&self, features: &Matrix, copies: usize, streams: &Streams) -> Result<Matrix> {
        let (n, dim) = (features.n_rows(), features.n_cols());
        let mut values = features.values().repeat(copies);
        values.par_chunks_mut(dim.max(1)).enumerate().for_each(|(row, new)| {
            let mut rng = streams.row(row);
            for (value, scale) in new.iter_mut().zip(&self.scale) {
                let noise: f32 = rng.sample(StandardNormal);
                *value += scale * noise;
            }
        });
        Matrix::new(n * copies, dim, values)
    }
}

/// The standard deviation of each dimension over a view's rows, with divisor N.
pub(crate) fn deviations(train: &TrainView) -> Vec<f64> {
    let n = train.n_rows().max(1) as f64;
    let mut mean = vec![0.0; train.dim()];
    for i in 0..train.n_rows() {
        for (m, &x) in mean.iter_mut().zip(train.feature_row(i)) {
            *m += f64::from(x) / n;
        }
    }
    let mut variance = vec![0.0; train.dim()];
    for i in 0..train.n_rows() {
        for ((v, m), &x) in variance.iter_mut().zip(&mean).zip(train.feature_row(i)) {
            *v += (f64::from(x) - m).powi(2) / n;
        }
    }
    variance.into_iter().map(f64::sqrt).collect()
}
