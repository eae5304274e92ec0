// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{Fold, HeadTrainer, ProxyScores, ProxyTask, Result, TrainBatch, TrainView};
use eosin_eval::splits;

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
        let penalties = &self.penalties;
        let middle = penalties.get(penalties.len() / 2).copied().unwrap_or(1.0);
        let (labels, groups) = (train.labels(), train.groups());
        let n_classes = train.classes().len();
        let k = splits::feasible_folds(&labels, &groups, n_classes, self.inner_folds)?;
        if k < 2 || penalties.len() < 2 {
            return Ok(middle);
        }
        let folds = splits::grouped_stratified_kfold(&labels, &groups, n_classes, k, seed)?;
        let mut totals = vec![0.0; penalties.len()];
        for fold in &folds {
            for (total, score) in totals.iter_mut().zip(self.path(train, fold, penalties)?) {
                *total += score;
            }
        }
        let best = (0..totals.len()).fold(0, |b, i| if totals[i] > totals[b] { i } else { b });
        Ok(penalties[best])
    }

    /// The score of each penalty on one inner fold.
    fn path(&self, train: &TrainView, fold: &Fold, penalties: &[f64]) -> Result<Vec<f64>> {
        let (inner, held_out) = train.split(fold)?;
        let heads = self.search.fit_path(&balanced_batch(&inner)?, penalties)?;
        let (features, truth) = (held_out.features(), held_out.labels());
        heads
            .iter()
            .map(|head| {
                let called = head.predict(&features)?.argmax();
                balanced_accuracy(&truth, &called, train.classes().len())
            })
            .collect()
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
        call_folds(train, folds, |fold, inner, held_out| {
            let penalty = self.tune(inner, fold_seed(self.seed, fold))?;
            let head = self.trainer.fit(&balanced_batch(inner)?, penalty)?;
            Ok(head.predict(&held_out.features())?.argmax())
        })
        .map(Some)
    }
}

/// The rows of a view with weights under which every class that occurs has the same total.
fn balanced_batch(view: &TrainView) -> Result<TrainBatch> {
    let counts = view.class_counts();
    let present = counts.iter().filter(|&&n| n > 0).count();
    let weight = |label: &u32| {
        let n = view.n_rows() as f32;
        n / (present as f32 * counts[*label as usize] as f32)
    };
    TrainBatch::from_view(view).with_weights(view.labels().iter().map(weight).collect())
}
