// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a network is trained, and on which items.

use eosin_core::{Error, Result};
use eosin_eval::splits;
use serde::{Deserialize, Serialize};

use crate::Compute;

/// What a class's rows weigh beside their own weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassBalance {
    /// As many as they are.
    #[default]
    AsIs,
    /// Every class alike: n / (classes · n_class), as scikit-learn's `balanced`.
    Balanced,
}

/// What training did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingLog {
    /// Passes over the items that were made.
    pub epochs: usize,
    /// The pass whose parameters were kept, from 1.
    pub best_epoch: usize,
    /// Mean loss on the validation items after that pass; the last pass's training loss where no
    /// group could be held out.
    pub loss: f64,
    /// Whether groups were held out to stop early.
    pub validated: bool,
}

/// Everything about optimisation that is not the network.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub compute: Compute,
    pub seed: u64,
    pub epochs: usize,
    /// Passes without a better validation loss after which training ends.
    pub patience: usize,
    pub batch: usize,
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub dropout: f64,
}

/// Which items are fitted on and which say when to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Items {
    pub train: Vec<usize>,
    /// Empty where no group can be held out.
    pub validation: Vec<usize>,
}

impl Plan {
    /// Refuses numbers that cannot train anything.
    pub fn check(&self, kind: &str) -> Result<()> {
        let fault = |option: &str, expected: &str, found: String| {
            Err(Error::input(
                format!("{kind}, option {option}"),
                expected,
                found,
                "leave it out for the default",
            ))
        };
        if self.epochs == 0 || self.batch == 0 || self.patience == 0 {
            return fault(
                "epochs, patience and batch",
                "at least 1 each",
                format!("{}, {} and {}", self.epochs, self.patience, self.batch),
            );
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return fault(
                "learning_rate",
                "a finite number above 0",
                self.learning_rate.to_string(),
            );
        }
        // AdamW shrinks weights by learning rate times decay at each step.
        let shrinks = self.weight_decay >= 0.0 && self.weight_decay * self.learning_rate < 1.0;
        if !shrinks {
            return fault(
                "weight decay (the penalty)",
                "0 or more, and below 1 over the learning rate",
                self.weight_decay.to_string(),
            );
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fault("dropout", "0 to below 1", self.dropout.to_string());
        }
        Ok(())
    }
}

impl Items {
    /// Holds out one of at most `folds` grouped, stratified folds, or nothing where some class has
    /// fewer than two groups.
    pub fn split(
        labels: &[u32],
        groups: &[u32],
        n_classes: usize,
        folds: usize,
        seed: u64,
    ) -> Result<Self> {
        let feasible = splits::feasible_folds(labels, groups, n_classes, folds)?;
        if feasible < 2 {
            return Ok(Self { train: (0..labels.len()).collect(), validation: Vec::new() });
        }
        let mut folds =
            splits::grouped_stratified_kfold(labels, groups, n_classes, feasible, seed)?;
        let first = folds.swap_remove(0);
        Ok(Self { train: first.train, validation: first.held_out })
    }
}

/// Weights of mean 1 over all rows with weight: the rows' own times those of their classes.
pub(crate) fn balanced_weights(
    targets: &[f64],
    own: &[f64],
    n_classes: usize,
    balance: ClassBalance,
) -> Vec<f64> {
    let mut weights = own.to_vec();
    if balance == ClassBalance::Balanced {
        let mut totals = vec![0.0; n_classes];
        for (target, weight) in targets.chunks_exact(n_classes.max(1)).zip(own) {
            for (total, t) in totals.iter_mut().zip(target) {
                *total += t * weight;
            }
        }
        for (target, weight) in targets.chunks_exact(n_classes.max(1)).zip(&mut weights) {
            let share = |(t, total): (&f64, &f64)| if *total > 0.0 { t / total } else { 0.0 };
            *weight *= target.iter().zip(&totals).map(share).sum::<f64>();
        }
    }
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    if mean > 0.0 {
        for weight in &mut weights {
            *weight /= mean;
        }
    }
    weights
}
