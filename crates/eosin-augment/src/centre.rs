// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Draw, FeatureTransform, FittedTransform, Result, TrainBatch, TrainView};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::options::{FittedOn, copy_sources, with_copies, within};
use crate::random::Streams;
use crate::spread::mean_of;

const KIND: &str = "centre-swap";

/// Kind `centre-swap`: x + γ(μ_{c′,y} − μ_{c,y}), which moves a row from its centre c to a drawn
/// other centre c′ as the mean rows of its class y differ.
///
/// Where no centres are known, every group counts as one: slides differ in stain as centres do.
/// A centre lends or borrows a class only with `min_rows` rows of it; other rows stay as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CentreSwap {
    /// Strength γ; 1 moves all the way.
    pub gamma: f32,
    /// Rows of a class from which a centre's mean is trusted.
    pub min_rows: usize,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
    /// The centre of each group of the set, by group index; empty where every group is its own.
    pub centre_of_group: Vec<u32>,
}

struct FittedSwap {
    fitted_on: FittedOn,
    gamma: f32,
    copies: usize,
    /// Centre and class of each training row, by position.
    rows: Vec<(u32, u32)>,
    /// Trusted means of each class, in the order of centres.
    means: BTreeMap<u32, Vec<(u32, Vec<f64>)>>,
}

impl Default for CentreSwap {
    fn default() -> Self {
        Self { gamma: 1.0, min_rows: 5, copies: 1, centre_of_group: Vec::new() }
    }
}

impl FeatureTransform for CentreSwap {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "gamma", self.gamma.into(), 0.0, 10.0)?;
        within(KIND, "min_rows", self.min_rows as f64, 1.0, 1e9)?;
        within(KIND, "copies", self.copies as f64, 0.0, 1000.0)?;
        let features = train.features();
        let centre = |g: u32| self.centre_of_group.get(g as usize).copied().unwrap_or(g);
        let rows: Vec<(u32, u32)> =
            train.groups().into_iter().map(centre).zip(train.labels()).collect();
        let mut cells: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        for (i, &cell) in rows.iter().enumerate() {
            cells.entry(cell).or_default().push(i);
        }
        let mut means: BTreeMap<u32, Vec<(u32, Vec<f64>)>> = BTreeMap::new();
        for ((centre, class), own) in cells {
            if own.len() >= self.min_rows {
                means.entry(class).or_default().push((centre, mean_of(&features, &own)));
            }
        }
        Ok(Box::new(FittedSwap {
            fitted_on: FittedOn { kind: KIND, n_rows: train.n_rows(), dim: train.dim() },
            gamma: self.gamma,
            copies: self.copies,
            rows,
            means,
        }))
    }
}

impl FittedTransform for FittedSwap {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let sources = copy_sources(batch.n_rows(), self.copies);
        let moved =
            Streams::new(draw, KIND).fill(sources.len(), self.fitted_on.dim, |row, rng, new| {
                let source = sources[row];
                new.copy_from_slice(batch.features().row(source));
                let (centre, class) = self.rows[batch.parents()[source] as usize];
                let known = self.means.get(&class).map_or(&[][..], Vec::as_slice);
                let Some(own) = known.iter().position(|(c, _)| *c == centre) else { return };
                if known.len() < 2 {
                    return;
                }
                // Any but the own, all alike.
                let drawn = rng.random_range(0..known.len() - 1);
                let other = if drawn >= own { drawn + 1 } else { drawn };
                for ((x, to), from) in new.iter_mut().zip(&known[other].1).zip(&known[own].1) {
                    *x += self.gamma * (to - from) as f32;
                }
            })?;
        with_copies(batch, self.copies, moved, None)
    }
}
