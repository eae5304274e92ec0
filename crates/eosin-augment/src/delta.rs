// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{
    Draw, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView, ViewBank,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::options::{FittedOn, copy_sources, with_copies, within};
use crate::random::Streams;
use crate::view_bank::training_views;

const KIND: &str = "delta";

/// Kind `delta`: x_i + γ(f(T x_j) − f(x_j)), what a view T did to another training tile j of the
/// same class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delta {
    /// Strength γ.
    pub gamma: f32,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
}

struct FittedDelta {
    fitted_on: FittedOn,
    gamma: f32,
    copies: usize,
    n_views: usize,
    /// View less row, for each training row, the views of a row together.
    deltas: Matrix,
    /// Positions of each class, and the class of each position.
    rows_of: Vec<Vec<usize>>,
    class: Vec<u32>,
}

impl Default for Delta {
    fn default() -> Self {
        Self { gamma: 1.0, copies: 4 }
    }
}

impl FeatureTransform for Delta {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "gamma", self.gamma.into(), 0.0, 10.0)?;
        within(KIND, "copies", self.copies as f64, 0.0, 1000.0)?;
        let mut deltas = training_views(train)?;
        let n_views = train.bank().map_or(1, ViewBank::n_views);
        for i in 0..deltas.n_rows() {
            for (d, x) in deltas.row_mut(i).iter_mut().zip(train.feature_row(i / n_views)) {
                *d -= x;
            }
        }
        let class = train.labels();
        let mut rows_of = vec![Vec::new(); train.classes().len()];
        for (i, &c) in class.iter().enumerate() {
            rows_of[c as usize].push(i);
        }
        Ok(Box::new(FittedDelta {
            fitted_on: FittedOn { kind: KIND, n_rows: train.n_rows(), dim: train.dim() },
            gamma: self.gamma,
            copies: self.copies,
            n_views,
            deltas,
            rows_of,
            class,
        }))
    }
}

impl FittedTransform for FittedDelta {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let sources = copy_sources(batch.n_rows(), self.copies);
        let moved =
            Streams::new(draw, KIND).fill(sources.len(), self.fitted_on.dim, |row, rng, new| {
                let source = sources[row];
                let class = self.class[batch.parents()[source] as usize];
                // The parent itself is of the class, so the list is never empty.
                let rows = &self.rows_of[class as usize];
                let other = rows[rng.random_range(0..rows.len())];
                let delta =
                    self.deltas.row(other * self.n_views + rng.random_range(0..self.n_views));
                for ((value, x), d) in new.iter_mut().zip(batch.features().row(source)).zip(delta) {
                    *value = x + self.gamma * d;
                }
            })?;
        with_copies(batch, self.copies, moved, None)
    }
}
