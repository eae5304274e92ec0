// SPDX-License-Identifier: MIT OR Apache-2.0

//! Probes: small classifiers that say how well embeddings part the classes of a proxy task.

mod knn;
mod linear;
mod simple_shot;

pub use knn::KnnProbe;
pub use linear::LinearProbe;
pub use simple_shot::SimpleShot;

use eosin_core::{Fold, HeldOutView, ProxyScores, Result, TrainView};
use eosin_eval::ConfusionMatrix;
use rayon::prelude::*;

/// What all probes report, since a proxy task's classes are seldom of equal size.
pub(crate) const METRIC: &str = "balanced accuracy";

/// Scores each fold by `classify`, which gives a class for every held-out row; folds run in
/// parallel and independently, so the number of threads changes nothing.
fn score_folds(
    probe: &str,
    train: &TrainView,
    folds: &[Fold],
    classify: impl Fn(usize, &TrainView, &HeldOutView) -> Result<Vec<u32>> + Sync,
) -> Result<ProxyScores> {
    let scores = folds
        .par_iter()
        .enumerate()
        .map(|(i, fold)| {
            let (inner, held_out) = train.split(fold)?;
            let called = classify(i, &inner, &held_out)?;
            balanced_accuracy(&held_out.labels(), &called, train.classes().len())
        })
        .collect::<Result<_>>()?;
    Ok(ProxyScores { probe: probe.into(), metric: METRIC.into(), folds: scores })
}

/// Mean recall of the classes that occur.
fn balanced_accuracy(truth: &[u32], called: &[u32], n_classes: usize) -> Result<f64> {
    Ok(ConfusionMatrix::new(truth, called, n_classes, None)?.balanced_accuracy())
}
