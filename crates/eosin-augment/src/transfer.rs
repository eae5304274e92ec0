// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, FittedTransform, Result, TrainBatch, TrainView};
use serde::{Deserialize, Serialize};

use crate::options::{FittedOn, fill_up_sources, shortage, with_new_rows, within};
use crate::random::Streams;
use crate::spread::{Spread, mean_of};

const KIND: &str = "covariance-transfer";

/// Kind `covariance-transfer`: scarce classes are filled up with x + γ·N(0, Σ), Σ being the
/// covariance of the nearest class that has rows enough to know it.
///
/// The idea of distribution calibration (Yang et al. 2021) for classes of a few rows. The class
/// mean stays that of its own rows: with few classes, the mean of the nearest would pull a scarce
/// class onto its opposite. Where no training value is negative, as after a final ReLU, negative
/// values of new rows become 0. A class that is rich itself lends to itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CovarianceTransfer {
    /// Strength γ.
    pub gamma: f32,
    /// Rows from which on a class lends its covariance; without such a class the largest lends.
    pub rich: usize,
    /// Rows that every class gets at least, in units of the largest class's.
    pub ratio: f64,
}

struct FittedTransfer {
    fitted_on: FittedOn,
    gamma: f32,
    ratio: f64,
    non_negative: bool,
    /// What each class borrows.
    spreads: Vec<Spread>,
}

impl Default for CovarianceTransfer {
    fn default() -> Self {
        Self { gamma: 0.5, rich: 50, ratio: 1.0 }
    }
}

impl FeatureTransform for CovarianceTransfer {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "gamma", self.gamma.into(), 0.0, 10.0)?;
        within(KIND, "rich", self.rich as f64, 2.0, 1e9)?;
        within(KIND, "ratio", self.ratio, 0.0, 1.0)?;
        let (features, labels) = (train.features(), train.labels());
        let rows_of: Vec<Vec<usize>> = (0..train.classes().len())
            .map(|c| (0..labels.len()).filter(|&i| labels[i] as usize == c).collect())
            .collect();
        let means: Vec<Vec<f64>> = rows_of.iter().map(|rows| mean_of(&features, rows)).collect();
        let largest = rows_of.iter().map(Vec::len).max().unwrap_or(0);
        let enough = self.rich.min(largest);
        let lends = |c: &usize| rows_of[*c].len() >= enough && !rows_of[*c].is_empty();
        let distance = |a: usize, b: usize| -> f64 {
            means[a].iter().zip(&means[b]).map(|(x, y)| (x - y).powi(2)).sum()
        };
        let spreads = (0..rows_of.len())
            .map(|class| {
                // The class itself is at distance 0.
                let lender = (0..rows_of.len())
                    .filter(lends)
                    .min_by(|&a, &b| distance(class, a).total_cmp(&distance(class, b)));
                Spread::of(&features, lender.map_or(&[][..], |c| &rows_of[c]))
            })
            .collect();
        Ok(Box::new(FittedTransfer {
            fitted_on: FittedOn { kind: KIND, n_rows: train.n_rows(), dim: train.dim() },
            gamma: self.gamma,
            ratio: self.ratio,
            non_negative: features.values().iter().all(|v| *v >= 0.0),
            spreads,
        }))
    }
}

impl FittedTransform for FittedTransfer {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let labels = batch.labels();
        let lacking = shortage(&labels, batch.classes().len(), self.ratio);
        let sources = fill_up_sources(&labels, &lacking, |_| true);
        let new =
            Streams::new(draw, KIND).fill(sources.len(), self.fitted_on.dim, |row, rng, new| {
                let source = sources[row];
                new.copy_from_slice(batch.features().row(source));
                self.spreads[labels[source] as usize].add(self.gamma, rng, new);
                if self.non_negative {
                    for value in new {
                        *value = value.max(0.0);
                    }
                }
            })?;
        with_new_rows(batch, &sources, new)
    }
}
