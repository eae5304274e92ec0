// SPDX-License-Identifier: MIT OR Apache-2.0

//! Probes: small classifiers that say how well embeddings part the classes of a proxy task.

mod episodes;
mod knn;
mod linear;
mod reduced;
mod simple_shot;

pub use episodes::FewShot;
pub use knn::KnnProbe;
pub(crate) use knn::{nearest, vote};
pub use linear::LinearProbe;
pub use reduced::Reduced;
pub use simple_shot::SimpleShot;

use eosin_core::{Fold, HeldOutView, ProxyScores, Result, TrainView};
use eosin_eval::ConfusionMatrix;
use rayon::prelude::*;

/// What all probes report, since a proxy task's classes are seldom of equal size.
pub(crate) const METRIC: &str = "balanced accuracy";

/// Scores each fold by the balanced accuracy of `classify`, which gives a class for every held-out
/// row.
fn score_folds(
    probe: &str,
    train: &TrainView,
    folds: &[Fold],
    classify: impl Fn(&Fold, &TrainView, &HeldOutView) -> Result<Vec<u32>> + Sync,
) -> Result<ProxyScores> {
    score_folds_by(probe, train, folds, |fold, inner, held_out| {
        let called = classify(fold, inner, held_out)?;
        balanced_accuracy(&held_out.labels(), &called, train.classes().len())
    })
}

/// Scores each fold; folds run in parallel and independently, so threads change nothing.
fn score_folds_by(
    probe: &str,
    train: &TrainView,
    folds: &[Fold],
    score: impl Fn(&Fold, &TrainView, &HeldOutView) -> Result<f64> + Sync,
) -> Result<ProxyScores> {
    let scores = folds
        .par_iter()
        .map(|fold| {
            let (inner, held_out) = train.split(fold)?;
            score(fold, &inner, &held_out)
        })
        .collect::<Result<_>>()?;
    Ok(ProxyScores { probe: probe.into(), metric: METRIC.into(), folds: scores })
}

/// Mean recall of the classes that occur.
fn balanced_accuracy(truth: &[u32], called: &[u32], n_classes: usize) -> Result<f64> {
    Ok(ConfusionMatrix::new(truth, called, n_classes, None)?.balanced_accuracy())
}

/// A seed of a fold's own, so that a score depends neither on the fold's place in a list nor on
/// what other folds are scored in the same call.
fn fold_seed(seed: u64, fold: &Fold) -> u64 {
    let mix = |hash: u64, row: &usize| {
        let mixed = (hash ^ *row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    };
    fold.held_out.iter().fold(seed, mix)
}
