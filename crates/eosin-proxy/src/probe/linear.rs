// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{
    Fold, Head, HeadTrainer, HeldOutView, ProxyScores, ProxyTask, Result, Reweighted, TrainBatch,
    TrainView,
};
use eosin_eval::splits;
use rayon::prelude::*;

use super::{balanced_accuracy, call_folds, fold_seed, score_by_calls};

/// Probe `linear`: a head whose penalty is tuned within each fold's training rows.
///
/// Every backbone gets the same search: all of `penalties`, by grouped cross-validation on
/// the training rows, the best mean balanced accuracy winning and the grid's order breaking ties.
/// A fixed penalty would mean another amount of shrinkage for every backbone.
/// Rows are weighted so that all classes weigh the same, as balanced accuracy asks for.
/// Where a class lives in fewer than two groups of the training rows, nothing can be tuned, and
/// the penalty in the middle of the grid is taken.
#[derive(Clone)]
pub struct LinearProbe {
    /// Fits the heads that are scored.
    pub trainer: Arc<dyn HeadTrainer>,
    /// Fits the heads of the inner cross-validation.
    pub search: Arc<dyn HeadTrainer>,
    /// The penalties that are searched, the same for every backbone.
    pub penalties: Vec<f64>,
    /// Folds of the inner cross-validation, fewer where the groups do not allow as many.
    pub inner_folds: usize,
    /// Seed of the inner folds.
    pub seed: u64,
}

impl LinearProbe {
    /// A probe with three inner folds that searches the trainer's whole grid.
    pub fn new(trainer: Arc<dyn HeadTrainer>) -> Self {
        let penalties = trainer.penalties();
        let search = trainer.for_search().unwrap_or_else(|| Arc::clone(&trainer));
        Self { trainer, search, penalties, inner_folds: 3, seed: 0 }
    }

    /// The penalty that inner cross-validation on these rows chooses.
    pub fn tune(&self, train: &TrainView, seed: u64) -> Result<f64> {
        let Some(folds) = self.inner_splits(train, seed)? else { return Ok(self.middle()) };
        let mut totals = vec![0.0; self.penalties.len()];
        for fold in &folds {
            let (inner, held_out) = train.split(fold)?;
            let heads = self.search.fit_path(&balanced_batch(&inner)?, &self.penalties)?;
            add_scores(&heads, &held_out, &mut totals)?;
        }
        Ok(self.best(&totals))
    }

    /// The penalty where nothing can be tuned.
    fn middle(&self) -> f64 {
        self.penalties.get(self.penalties.len() / 2).copied().unwrap_or(1.0)
    }

    /// The penalty with the largest sum of scores, of equals the first of the grid.
    fn best(&self, totals: &[f64]) -> f64 {
        let best = (0..totals.len()).fold(0, |b, i| if totals[i] > totals[b] { i } else { b });
        self.penalties[best]
    }

    /// Inner folds, where the groups allow any and there is a grid to search.
    fn inner_splits(&self, train: &TrainView, seed: u64) -> Result<Option<Vec<Fold>>> {
        let (labels, groups) = (train.labels(), train.groups());
        let n_classes = train.classes().len();
        let k = splits::feasible_folds(&labels, &groups, n_classes, self.inner_folds)?;
        if k < 2 || self.penalties.len() < 2 {
            return Ok(None);
        }
        splits::grouped_stratified_kfold(&labels, &groups, n_classes, k, seed).map(Some)
    }

    /// The calls on every fold by fits that share their passes over the rows, where the kind of
    /// head has such.
    fn classify_together(
        &self,
        train: &TrainView,
        folds: &[Fold],
    ) -> Result<Option<Vec<Vec<u32>>>> {
        let batch = TrainBatch::from_view(train);
        let mut requests = Vec::new();
        // The outer fold of each request, and what it is scored on.
        let mut of_requests: Vec<(usize, HeldOutView)> = Vec::new();
        let mut outer = Vec::with_capacity(folds.len());
        for (at, fold) in folds.iter().enumerate() {
            let (inner, held_out) = train.split(fold)?;
            for inner_fold in
                self.inner_splits(&inner, fold_seed(self.seed, fold))?.iter().flatten()
            {
                let (rows, scored) = inner.split(inner_fold)?;
                let positions = inner_fold.train.iter().map(|&i| fold.train[i]);
                let weights = spread(train.n_rows(), positions, &balanced_weights(&rows));
                requests.push(Reweighted { weights, penalties: self.penalties.clone() });
                of_requests.push((at, scored));
            }
            outer.push((inner, held_out));
        }
        let mut totals = vec![vec![0.0; self.penalties.len()]; folds.len()];
        if !requests.is_empty() {
            let Some(grid) = self.search.fit_reweighted(&batch, &requests)? else {
                return Ok(None);
            };
            let scores = grid.par_iter().zip(&of_requests).map(|(heads, (_, scored))| {
                let mut scores = vec![0.0; heads.len()];
                add_scores(heads, scored, &mut scores).map(|()| scores)
            });
            let scores: Vec<Vec<f64>> = scores.collect::<Result<_>>()?;
            for ((at, _), scores) in of_requests.iter().zip(scores) {
                totals[*at].iter_mut().zip(scores).for_each(|(total, score)| *total += score);
            }
        }
        let tuned: Vec<bool> =
            (0..folds.len()).map(|fold| of_requests.iter().any(|(at, _)| *at == fold)).collect();
        let finals: Vec<Reweighted> = (0..folds.len())
            .map(|at| {
                let positions = folds[at].train.iter().copied();
                let weights = spread(train.n_rows(), positions, &balanced_weights(&outer[at].0));
                let penalty = if tuned[at] { self.best(&totals[at]) } else { self.middle() };
                Reweighted { weights, penalties: vec![penalty] }
            })
            .collect();
        let Some(grid) = self.trainer.fit_reweighted(&batch, &finals)? else { return Ok(None) };
        let call = |(heads, (_, held_out)): (&Vec<Box<dyn Head>>, &(TrainView, HeldOutView))| {
            Ok(heads[0].predict(&held_out.features())?.argmax())
        };
        grid.iter().zip(&outer).map(call).collect::<Result<_>>().map(Some)
    }
}

impl ProxyTask for LinearProbe {
    fn kind(&self) -> &'static str {
        "linear"
    }

    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        score_by_calls(self, train, folds)
    }

    fn classify(&self, train: &TrainView, folds: &[Fold]) -> Result<Option<Vec<Vec<u32>>>> {
        if let Some(calls) = self.classify_together(train, folds)? {
            return Ok(Some(calls));
        }
        call_folds(train, folds, |fold, inner, held_out| {
            let penalty = self.tune(inner, fold_seed(self.seed, fold))?;
            let head = self.trainer.fit(&balanced_batch(inner)?, penalty)?;
            Ok(head.predict(&held_out.features())?.argmax())
        })
        .map(Some)
    }
}

/// Adds the score of each penalty's head.
fn add_scores(heads: &[Box<dyn Head>], held_out: &HeldOutView, totals: &mut [f64]) -> Result<()> {
    let (features, truth) = (held_out.features(), held_out.labels());
    for (total, head) in totals.iter_mut().zip(heads) {
        let called = head.predict(&features)?.argmax();
        *total += balanced_accuracy(&truth, &called, held_out.classes().len())?;
    }
    Ok(())
}

fn balanced_batch(view: &TrainView) -> Result<TrainBatch> {
    TrainBatch::from_view(view).with_weights(balanced_weights(view))
}

/// Weights of a view's rows under which every class that occurs has the same total.
fn balanced_weights(view: &TrainView) -> Vec<f32> {
    let counts = view.class_counts();
    let present = counts.iter().filter(|&&n| n > 0).count();
    let weight = |label: &u32| {
        let n = view.n_rows() as f32;
        n / (present as f32 * counts[*label as usize] as f32)
    };
    view.labels().iter().map(weight).collect()
}

/// `values` at the given positions of `n`, 0 elsewhere.
fn spread(n: usize, positions: impl Iterator<Item = usize>, values: &[f32]) -> Vec<f32> {
    let mut all = vec![0.0; n];
    for (position, &value) in positions.zip(values) {
        all[position] = value;
    }
    all
}
