// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, FittedTransform, Result, TrainBatch, TrainView};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::options::{copy_sources, with_copies, within};
use crate::random::Streams;

const KIND: &str = "feature-dropout";

/// Kind `feature-dropout`: each dimension is set to 0 with probability p, and the others are
/// divided by 1 − p, so that the expectation stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureDropout {
    /// Probability of a dimension to be dropped; 0.1 to 0.3 are usual.
    pub p: f32,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
}

struct FittedDropout(FeatureDropout);

impl Default for FeatureDropout {
    fn default() -> Self {
        Self { p: 0.2, copies: 4 }
    }
}

impl FeatureTransform for FeatureDropout {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, _train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "p", self.p.into(), 0.0, 0.99)?;
        within(KIND, "copies", self.copies as f64, 0.0, 1000.0)?;
        Ok(Box::new(FittedDropout(self.clone())))
    }
}

impl FittedTransform for FittedDropout {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        let (p, copies) = (self.0.p, self.0.copies);
        let sources = copy_sources(batch.n_rows(), copies);
        let dim = batch.features().n_cols();
        let kept = Streams::new(draw, KIND).fill(sources.len(), dim, |row, rng, new| {
            for (value, x) in new.iter_mut().zip(batch.features().row(sources[row])) {
                let dropped = rng.random::<f32>() < p;
                *value = if dropped { 0.0 } else { x / (1.0 - p) };
            }
        })?;
        with_copies(batch, copies, kept, None)
    }
}
