// SPDX-License-Identifier: MIT OR Apache-2.0

//! Checks of options and the assembly of new rows, which all kinds share.

use eosin_core::{Error, Matrix, Result, TrainBatch};

/// Refuses a value outside `low..=high`, naming the option.
pub(crate) fn within(kind: &str, option: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if value >= low && value <= high {
        Ok(())
    } else {
        Err(Error::input(
            format!("augment {kind}, option {option}"),
            format!("a number from {low} to {high}"),
            value.to_string(),
            "see the defaults in configs/augment",
        ))
    }
}

/// What a fitted transform knows of the rows it was fitted on: how many and how wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FittedOn {
    pub(crate) kind: &'static str,
    pub(crate) n_rows: usize,
    pub(crate) dim: usize,
}

impl FittedOn {
    /// Refuses a batch of other embeddings, or one that stems from other rows.
    pub(crate) fn check(&self, batch: &TrainBatch) -> Result<()> {
        let dim = batch.features().n_cols();
        if dim != self.dim {
            return Err(Error::input(
                format!("batch for augment {}", self.kind),
                format!("rows of {} values, as in the rows it was fitted on", self.dim),
                format!("rows of {dim} values"),
                "fit and apply on the same embeddings",
            ));
        }
        match batch.parents().iter().find(|&&p| p as usize >= self.n_rows) {
            None => Ok(()),
            Some(parent) => Err(Error::input(
                format!("batch for augment {}", self.kind),
                format!("rows that stem from the {} rows it was fitted on", self.n_rows),
                format!("parent {parent}"),
                "fit the transform on the same training rows as the head",
            )),
        }
    }
}

/// The source of each new row where all n rows get `copies`: copy after copy, or each row once
/// where `copies` is 0 and rows are to be replaced.
pub(crate) fn copy_sources(n: usize, copies: usize) -> Vec<usize> {
    (0..copies.max(1)).flat_map(|_| 0..n).collect()
}

/// The batch followed by `copies` new rows for each of its rows, in the order of
/// [`copy_sources`]; a row and its copies share the row's weight, so that the balance between loss
/// and penalty stays. With 0 copies the new rows replace the old.
pub(crate) fn with_copies(
    batch: &TrainBatch,
    copies: usize,
    new_features: Matrix,
    new_targets: Option<Matrix>,
) -> Result<TrainBatch> {
    let n = batch.n_rows();
    let sources = copy_sources(n, copies);
    let targets = new_targets.unwrap_or_else(|| batch.targets().select(&sources));
    if copies == 0 {
        let weights = batch.weights().to_vec();
        return batch.derive_with_targets(new_features, targets, &sources, weights);
    }
    let share = 1.0 / (copies as f32 + 1.0);
    let weights: Vec<f32> = batch.weights().iter().map(|w| w * share).collect();
    let new_weights = weights.repeat(copies);
    let new_rows = batch.derive_with_targets(new_features, targets, &sources, new_weights)?;
    batch.clone().with_weights(weights)?.concat(&new_rows)
}

/// For each class that is short of `ratio` times the rows of the largest, how many rows it lacks.
pub(crate) fn shortage(labels: &[u32], n_classes: usize, ratio: f64) -> Vec<usize> {
    let mut counts = vec![0_usize; n_classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    let wanted = (counts.iter().copied().max().unwrap_or(0) as f64 * ratio).round() as usize;
    // A class without rows has nothing to be made from.
    counts.iter().map(|&n| if n == 0 { 0 } else { wanted.saturating_sub(n) }).collect()
}

/// The sources of the rows that fill each class up: the class's `candidates` in turn.
pub(crate) fn fill_up_sources(
    labels: &[u32],
    lacking: &[usize],
    candidate: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let mut sources = Vec::new();
    for (class, &n) in lacking.iter().enumerate() {
        let rows: Vec<usize> =
            (0..labels.len()).filter(|&i| labels[i] as usize == class && candidate(i)).collect();
        sources.extend(rows.into_iter().cycle().take(n));
    }
    sources
}

/// The batch followed by new rows for `sources`, each as heavy as its source.
pub(crate) fn with_new_rows(
    batch: &TrainBatch,
    sources: &[usize],
    new_features: Matrix,
) -> Result<TrainBatch> {
    let weights = sources.iter().map(|&i| batch.weights()[i]).collect();
    batch.clone().concat(&batch.derive(new_features, sources, weights)?)
}
