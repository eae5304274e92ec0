// SPDX-License-Identifier: MIT OR Apache-2.0

//! New rows between a row and its neighbours of the same class, or beyond.

use eosin_core::{Draw, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::neighbours::nearest;
use crate::options::{FittedOn, copy_sources, with_copies, within};
use crate::random::Streams;

/// Kind `interpolate`: x + λ(x′ − x), x′ one of the nearest training rows of the same class
/// (DeVries & Taylor 2017).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Interpolate {
    /// How far towards the neighbour.
    pub lambda: f32,
    /// Neighbours of which one is drawn.
    pub neighbours: usize,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
}

/// Kind `extrapolate`: x + λ(x − x′), away from one of the nearest training rows of the same class
/// (DeVries & Taylor 2017, who found it to serve better than interpolation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extrapolate {
    /// How far away from the neighbour.
    pub lambda: f32,
    /// Neighbours of which one is drawn.
    pub neighbours: usize,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
}

struct FittedStep {
    fitted_on: FittedOn,
    /// Signed step towards the neighbour.
    step: f32,
    copies: usize,
    features: Matrix,
    /// Neighbours of each training row, by position.
    neighbours: Vec<Vec<usize>>,
}

impl Default for Interpolate {
    fn default() -> Self {
        Self { lambda: 0.5, neighbours: 10, copies: 1 }
    }
}

impl Default for Extrapolate {
    fn default() -> Self {
        Self { lambda: 0.5, neighbours: 10, copies: 1 }
    }
}

impl FeatureTransform for Interpolate {
    fn kind(&self) -> &'static str {
        "interpolate"
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        fit_step(self.kind(), train, self.lambda, 1.0, self.neighbours, self.copies)
    }
}

impl FeatureTransform for Extrapolate {
    fn kind(&self) -> &'static str {
        "extrapolate"
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        fit_step(self.kind(), train, self.lambda, -1.0, self.neighbours, self.copies)
    }
}

fn fit_step(
    kind: &'static str,
    train: &TrainView,
    lambda: f32,
    sign: f32,
    k: usize,
    copies: usize,
) -> Result<Box<dyn FittedTransform>> {
    within(kind, "lambda", lambda.into(), 0.0, 1.0)?;
    within(kind, "neighbours", k as f64, 1.0, 1000.0)?;
    within(kind, "copies", copies as f64, 0.0, 1000.0)?;
    let features = train.features();
    Ok(Box::new(FittedStep {
        fitted_on: FittedOn { kind, n_rows: train.n_rows(), dim: train.dim() },
        step: sign * lambda,
        copies,
        neighbours: same_class_neighbours(train, &features, k, |_, _| true)?,
        features,
    }))
}

impl FittedTransform for FittedStep {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let sources = copy_sources(batch.n_rows(), self.copies);
        let new = Streams::new(draw, self.fitted_on.kind).fill(
            sources.len(),
            self.fitted_on.dim,
            |row, rng, new| {
                let source = sources[row];
                let neighbours = &self.neighbours[batch.parents()[source] as usize];
                step(batch.features().row(source), &self.features, neighbours, rng, new, |_| {
                    self.step
                });
            },
        )?;
        with_copies(batch, self.copies, new, None)
    }
}

/// Writes x + u(x′ − x) with a drawn neighbour x′; without neighbours it writes x.
pub(crate) fn step<R: Rng>(
    x: &[f32],
    features: &Matrix,
    neighbours: &[usize],
    rng: &mut R,
    new: &mut [f32],
    u: impl Fn(&mut R) -> f32,
) {
    if neighbours.is_empty() {
        new.copy_from_slice(x);
        return;
    }
    let other = features.row(neighbours[rng.random_range(0..neighbours.len())]);
    let u = u(rng);
    for ((value, x), other) in new.iter_mut().zip(x).zip(other) {
        *value = x + u * (other - x);
    }
}

/// The nearest rows of the same class for each row of the view, by position.
pub(crate) fn same_class_neighbours(
    train: &TrainView,
    features: &Matrix,
    k: usize,
    allowed: impl Fn(usize, usize) -> bool + Sync,
) -> Result<Vec<Vec<usize>>> {
    let labels = train.labels();
    let mut neighbours = vec![Vec::new(); train.n_rows()];
    for class in 0..train.classes().len() as u32 {
        let rows: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
        let found = nearest(features, &rows, &rows, k, &allowed)?;
        for (row, list) in rows.into_iter().zip(found) {
            neighbours[row] = list;
        }
    }
    Ok(neighbours)
}
