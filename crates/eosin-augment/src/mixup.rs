// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{
    Draw, Error, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView,
};
use rand::Rng;
use rand_distr::{Beta, Distribution};
use serde::{Deserialize, Serialize};

use crate::options::{copy_sources, with_copies, within};
use crate::random::Streams;

const KIND: &str = "mixup";

/// Kind `mixup`: λx + (1 − λ)x′ with targets mixed alike, λ ~ Beta(α, α) and x′ any row of the
/// batch (Zhang et al. 2018).
///
/// The larger of λ and 1 − λ goes to the row whose parent and group the new row takes over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mixup {
    /// Shape α of the Beta distribution; 0.1 to 0.4 are usual.
    pub alpha: f64,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
}

struct FittedMixup {
    beta: Beta<f64>,
    copies: usize,
}

impl Default for Mixup {
    fn default() -> Self {
        Self { alpha: 0.2, copies: 1 }
    }
}

impl FeatureTransform for Mixup {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, _train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "alpha", self.alpha, 0.001, 100.0)?;
        within(KIND, "copies", self.copies as f64, 0.0, 1000.0)?;
        let beta = Beta::new(self.alpha, self.alpha).map_err(|e| {
            Error::input("augment mixup, option alpha", "above 0", e.to_string(), "0.2 is usual")
        })?;
        Ok(Box::new(FittedMixup { beta, copies: self.copies }))
    }
}

impl FittedTransform for FittedMixup {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        let (dim, n_classes) = (batch.features().n_cols(), batch.classes().len());
        let sources = copy_sources(batch.n_rows(), self.copies);
        // Features and targets of a row are drawn together, side by side.
        let mixed =
            Streams::new(draw, KIND).fill(sources.len(), dim + n_classes, |row, rng, new| {
                let (i, j) = (sources[row], rng.random_range(0..batch.n_rows()));
                let lambda: f64 = self.beta.sample(rng);
                let lambda = lambda.max(1.0 - lambda) as f32;
                let (features, targets) = new.split_at_mut(dim);
                mix(batch.features(), i, j, lambda, features);
                mix(batch.targets(), i, j, lambda, targets);
            })?;
        let (mut features, mut targets) = (Vec::new(), Vec::new());
        for row in mixed.rows() {
            features.extend_from_slice(&row[..dim]);
            targets.extend_from_slice(&row[dim..]);
        }
        let n = sources.len();
        let targets = Matrix::new(n, n_classes, targets)?;
        with_copies(batch, self.copies, Matrix::new(n, dim, features)?, Some(targets))
    }
}

fn mix(matrix: &Matrix, i: usize, j: usize, lambda: f32, new: &mut [f32]) {
    for ((value, a), b) in new.iter_mut().zip(matrix.row(i)).zip(matrix.row(j)) {
        *value = lambda * a + (1.0 - lambda) * b;
    }
}
