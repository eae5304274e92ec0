// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, FittedTransform, Result, TrainBatch, TrainView};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::options::{FittedOn, copy_sources, with_copies, within};
use crate::random::Streams;

const KIND: &str = "gaussian-noise";

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
    fitted_on: FittedOn,
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
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "gamma", self.gamma.into(), 0.0, 10.0)?;
        within(KIND, "copies", self.copies as f64, 0.0, 1000.0)?;
        Ok(Box::new(FittedNoise {
            fitted_on: FittedOn { kind: KIND, n_rows: train.n_rows(), dim: train.dim() },
            scale: deviations(train).into_iter().map(|s| s as f32 * self.gamma).collect(),
            copies: self.copies,
        }))
    }
}

impl FittedTransform for FittedNoise {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let sources = copy_sources(batch.n_rows(), self.copies);
        let noisy =
            Streams::new(draw, KIND).fill(sources.len(), self.fitted_on.dim, |row, rng, new| {
                let old = batch.features().row(sources[row]);
                for ((value, x), scale) in new.iter_mut().zip(old).zip(&self.scale) {
                    let noise: f32 = rng.sample(StandardNormal);
                    *value = x + scale * noise;
                }
            })?;
        with_copies(batch, self.copies, noisy, None)
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
