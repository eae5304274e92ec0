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

use eosin_core::{Fold, HeldOutView, ProxyScores, ProxyTask, Result, TrainView};
use eosin_eval::ConfusionMatrix;
use rayon::prelude::*;

/// What all probes report, since a proxy task's classes are seldom of equal size.
pub(crate) const METRIC: &str = "balanced accuracy";

/// The calls of `classify` on each fold; folds run in parallel and independently.
fn call_folds(
    train: &TrainView,
    folds: &[Fold],
    classify: impl Fn(&Fold, &TrainView, &HeldOutView) -> Result<Vec<u32>> + Sync,
) -> Result<Vec<Vec<u32>>> {
    folds
        .par_iter()
        .map(|fold| {
            let (inner, held_out) = train.split(fold)?;
            classify(fold, &inner, &held_out)
        })
        .collect()
}

/// The scores of a probe that calls classes: the balanced accuracy of each fold's calls.
pub(crate) fn score_calls(
    probe: &str,
    train: &TrainView,
    folds: &[Fold],
    calls: &[Vec<u32>],
) -> Result<ProxyScores> {
    let labels = train.labels();
    let score = |(fold, called): (&Fold, &Vec<u32>)| {
        let truth: Vec<u32> = fold.held_out.iter().map(|&i| labels[i]).collect();
        balanced_accuracy(&truth, called, train.classes().len())
    };
    let scores = folds.iter().zip(calls).map(score).collect::<Result<_>>()?;
    Ok(ProxyScores { probe: probe.into(), metric: METRIC.into(), folds: scores })
}

/// Scores a probe that calls classes, which every probe but few-shot and the diagnostics does.
fn score_by_calls(probe: &dyn ProxyTask, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
    let calls = probe.classify(train, folds)?.unwrap_or_default();
    score_calls(probe.kind(), train, folds, &calls)
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
