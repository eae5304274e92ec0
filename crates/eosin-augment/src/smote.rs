// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::between::{same_class_neighbours, step};
use crate::neighbours::nearest;
use crate::options::{FittedOn, fill_up_sources, shortage, with_new_rows, within};
use crate::random::Streams;

/// Kind `smote`: scarce classes are filled up with x + u(x′ − x), u uniform in 0..1 and x′ one of
/// the k nearest rows of the class (Chawla et al. 2002).
///
/// Neighbours come from other groups alone: tiles of one slide lie so close together that a point
/// between them says nothing new. A row of a class that has but one group has none, and is
/// repeated as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smote {
    /// Neighbours of which one is drawn.
    pub k: usize,
    /// Rows that every class gets at least, in units of the largest class's.
    pub ratio: f64,
}

/// Kind `borderline-smote`: as [`Smote`], but only rows near the border have children (Han et al.
/// 2005, borderline-1).
///
/// A row is near the border where at least half, but not all, of its `m` nearest rows of other
/// groups belong to other classes. A class without such rows is filled up as by [`Smote`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BorderlineSmote {
    /// Neighbours of the same class of which one is drawn.
    pub k: usize,
    /// Neighbours of any class that say whether a row is near the border.
    pub m: usize,
    /// Rows that every class gets at least, in units of the largest class's.
    pub ratio: f64,
}

struct FittedSmote {
    fitted_on: FittedOn,
    ratio: f64,
    features: Matrix,
    neighbours: Vec<Vec<usize>>,
    /// Whether a training row may have children.
    eligible: Vec<bool>,
}

impl Default for Smote {
    fn default() -> Self {
        Self { k: 5, ratio: 1.0 }
    }
}

impl Default for BorderlineSmote {
    fn default() -> Self {
        Self { k: 5, m: 10, ratio: 1.0 }
    }
}

impl FeatureTransform for Smote {
    fn kind(&self) -> &'static str {
        "smote"
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        let eligible = vec![true; train.n_rows()];
        Ok(Box::new(fit_smote(self.kind(), train, self.k, self.ratio, eligible)?))
    }
}

impl FeatureTransform for BorderlineSmote {
    fn kind(&self) -> &'static str {
        "borderline-smote"
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(self.kind(), "m", self.m as f64, 1.0, 1000.0)?;
        let eligible = borderline(train, self.m)?;
        Ok(Box::new(fit_smote(self.kind(), train, self.k, self.ratio, eligible)?))
    }
}

fn fit_smote(
    kind: &'static str,
    train: &TrainView,
    k: usize,
    ratio: f64,
    eligible: Vec<bool>,
) -> Result<FittedSmote> {
    within(kind, "k", k as f64, 1.0, 1000.0)?;
    within(kind, "ratio", ratio, 0.0, 1.0)?;
    let (features, groups) = (train.features(), train.groups());
    let neighbours = same_class_neighbours(train, &features, k, |a, b| groups[a] != groups[b])?;
    let fitted_on = FittedOn { kind, n_rows: train.n_rows(), dim: train.dim() };
    Ok(FittedSmote { fitted_on, ratio, features, neighbours, eligible })
}

/// Rows of which at least half, but not all, of the `m` nearest rows of other groups are of other
/// classes.
fn borderline(train: &TrainView, m: usize) -> Result<Vec<bool>> {
    let (labels, groups) = (train.labels(), train.groups());
    let mut near_border = vec![false; train.n_rows()];
    let all: Vec<usize> = (0..train.n_rows()).collect();
    // The largest class is never filled up, so its rows need no answer.
    let lacking = shortage(&labels, train.classes().len(), 1.0);
    let rows: Vec<usize> =
        all.iter().copied().filter(|&i| lacking[labels[i] as usize] > 0).collect();
    let lists = nearest(&train.features(), &rows, &all, m, |a, b| groups[a] != groups[b])?;
    for (row, list) in rows.into_iter().zip(lists) {
        let others = list.iter().filter(|&&j| labels[j] != labels[row]).count();
        near_border[row] = 2 * others >= list.len() && others < list.len();
    }
    // A class in which no row is near the border would get no children at all.
    for class in 0..lacking.len() as u32 {
        if !(0..labels.len()).any(|i| labels[i] == class && near_border[i]) {
            for (near, _) in near_border.iter_mut().zip(&labels).filter(|(_, l)| **l == class) {
                *near = true;
            }
        }
    }
    Ok(near_border)
}

impl FittedTransform for FittedSmote {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let labels = batch.labels();
        let lacking = shortage(&labels, batch.classes().len(), self.ratio);
        let parent = |i: usize| batch.parents()[i] as usize;
        let sources = fill_up_sources(&labels, &lacking, |i| self.eligible[parent(i)]);
        let new = Streams::new(draw, self.fitted_on.kind).fill(
            sources.len(),
            self.fitted_on.dim,
            |row, rng, new| {
                let source = sources[row];
                let neighbours = &self.neighbours[parent(source)];
                let x = batch.features().row(source);
                step(x, &self.features, neighbours, rng, new, Rng::random::<f32>);
            },
        )?;
        with_new_rows(batch, &sources, new)
    }
}
