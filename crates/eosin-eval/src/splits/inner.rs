// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Fold, Result};

use super::{feasible_folds, grouped_stratified_kfold};

/// Folds within the training part of every outer fold, on which a choice is made that the outer
/// fold then scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerFolds {
    /// Folds of positions of the whole set, those of an outer fold together. An outer fold's
    /// held-out rows are on neither side.
    pub folds: Vec<Fold>,
    /// How many each outer fold has.
    pub counts: Vec<usize>,
}

/// `k` inner folds, or fewer where the groups allow no more, for every outer fold; `None` where
/// the training part of some outer fold allows no two.
pub fn inner_folds(
    labels: &[u32],
    groups: &[u32],
    n_classes: usize,
    outer: &[Fold],
    k: usize,
    seed: u64,
) -> Result<Option<InnerFolds>> {
    let mut inner = InnerFolds { folds: Vec::new(), counts: Vec::with_capacity(outer.len()) };
    for (at, fold) in outer.iter().enumerate() {
        let of = |all: &[u32]| fold.train.iter().map(|&row| all[row]).collect::<Vec<u32>>();
        let (own_labels, own_groups) = (of(labels), of(groups));
        let feasible = feasible_folds(&own_labels, &own_groups, n_classes, k)?;
        if feasible < 2 {
            return Ok(None);
        }
        // An odd multiplier keeps the seeds of neighbouring folds apart.
        let seed = seed.wrapping_add((at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let made = grouped_stratified_kfold(&own_labels, &own_groups, n_classes, feasible, seed)?;
        inner.counts.push(made.len());
        let whole = |rows: Vec<usize>| rows.into_iter().map(|i| fold.train[i]).collect();
        inner.folds.extend(
            made.into_iter().map(|f| Fold { train: whole(f.train), held_out: whole(f.held_out) }),
        );
    }
    Ok(Some(inner))
}

impl InnerFolds {
    /// The mean of the inner folds' scores for every outer fold.
    ///
    /// `scores` has one entry per inner fold, in their order; missing ones make NaN.
    pub fn means(&self, scores: &[f64]) -> Vec<f64> {
        let mut at = 0;
        let mean = |&n: &usize| {
            let own = scores.get(at..at + n).unwrap_or(&[]);
            at += n;
            own.iter().sum::<f64>() / own.len() as f64
        };
        self.counts.iter().map(mean).collect()
    }
}
