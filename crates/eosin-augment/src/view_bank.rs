// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{
    Draw, Error, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView,
};
use serde::{Deserialize, Serialize};

use crate::options::{FittedOn, within};
use crate::random::Streams;

const KIND: &str = "view-bank";

/// Kind `view-bank`: embeddings of augmented images of the same tile stand in for the tile.
///
/// It reads the bank by each row's parent, so it belongs first in a pipeline: what an earlier
/// stage did to a row is not in the bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewBankTransform {
    /// Whether all views are used or some are drawn.
    pub mode: BankMode,
    /// How many views are drawn for a row and epoch; only for [`BankMode::Draw`].
    pub n: usize,
}

/// How the views of a bank are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BankMode {
    /// The row and its V views, each with weight 1/(V+1) of the row's.
    #[default]
    All,
    /// `n` different ones of the row and its views, drawn anew for every row and epoch, each with
    /// weight 1/n of the row's.
    Draw,
}

struct FittedBank {
    mode: BankMode,
    n: usize,
    fitted_on: FittedOn,
    n_views: usize,
    /// Views of the training rows alone, by position, the views of a row together.
    views: Matrix,
}

impl Default for ViewBankTransform {
    fn default() -> Self {
        Self { mode: BankMode::All, n: 1 }
    }
}

impl FeatureTransform for ViewBankTransform {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        let n_views = train.bank().map(eosin_core::ViewBank::n_views).ok_or_else(no_bank)?;
        within(KIND, "n", self.n as f64, 1.0, n_views as f64 + 1.0)?;
        Ok(Box::new(FittedBank {
            mode: self.mode,
            n: self.n,
            fitted_on: FittedOn { kind: KIND, n_rows: train.n_rows(), dim: train.dim() },
            n_views,
            views: training_views(train)?,
        }))
    }
}

impl FittedTransform for FittedBank {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let per_row = match self.mode {
            BankMode::All => self.n_views + 1,
            BankMode::Draw => self.n,
        };
        let streams = Streams::new(draw, KIND);
        let (n, dim) = (batch.n_rows(), self.fitted_on.dim);
        // One stream and one stretch of rows for each row of the batch.
        let views = streams.fill(n, per_row * dim, |row, rng, new| {
            let chosen: Vec<usize> = match self.mode {
                BankMode::All => (0..per_row).collect(),
                BankMode::Draw => {
                    rand::seq::index::sample(rng, self.n_views + 1, self.n).into_vec()
                }
            };
            let parent = batch.parents()[row] as usize;
            for (slot, &choice) in new.chunks_exact_mut(dim.max(1)).zip(&chosen) {
                // Choice 0 is the row itself, choice v its view v − 1.
                slot.copy_from_slice(match choice {
                    0 => batch.features().row(row),
                    v => self.views.row(parent * self.n_views + v - 1),
                });
            }
        })?;
        let views = Matrix::new(n * per_row, dim, views.into_values())?;
        let sources: Vec<usize> = (0..n).flat_map(|i| std::iter::repeat_n(i, per_row)).collect();
        let weights = sources.iter().map(|&i| batch.weights()[i] / per_row as f32).collect();
        batch.derive(views, &sources, weights)
    }
}

/// Copies the views of the training rows, so that nothing of other rows is at hand later.
pub(crate) fn training_views(train: &TrainView) -> Result<Matrix> {
    let n_views = train.bank().map(eosin_core::ViewBank::n_views).ok_or_else(no_bank)?;
    let mut values = Vec::with_capacity(train.n_rows() * n_views * train.dim());
    for i in 0..train.n_rows() {
        for view in 0..n_views {
            values.extend_from_slice(train.bank_row(i, view).ok_or_else(no_bank)?);
        }
    }
    Matrix::new(train.n_rows() * n_views, train.dim(), values)
}

/// An error with a way out where the set has no bank.
pub(crate) fn require_bank(train: &TrainView) -> Result<()> {
    train.bank().map(|_| ()).ok_or_else(no_bank)
}

fn no_bank() -> Error {
    Error::input(
        "view bank of the training rows",
        "embeddings of augmented views beside those of the tiles",
        "none",
        "make one with `eosin embed --views 8`, or leave out the augmentations that read it",
    )
}
