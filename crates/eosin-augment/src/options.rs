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

/// Refuses a batch whose rows are not as wide as those that were fitted on.
pub(crate) fn same_dim(kind: &str, fitted: usize, batch: &TrainBatch) -> Result<()> {
    let found = batch.features().n_cols();
    if found == fitted {
        Ok(())
    } else {
        Err(Error::input(
            format!("batch for augment {kind}"),
            format!("rows of {fitted} values, as in the rows it was fitted on"),
            format!("rows of {found} values"),
            "fit and apply on the same embeddings",
        ))
    }
}

/// Refuses a batch whose parents are not positions of the view that was fitted on.
pub(crate) fn known_parents(kind: &str, n_rows: usize, batch: &TrainBatch) -> Result<()> {
    match batch.parents().iter().find(|&&p| p as usize >= n_rows) {
        None => Ok(()),
        Some(parent) => Err(Error::input(
            format!("batch for augment {kind}"),
            format!("rows that stem from the {n_rows} rows it was fitted on"),
            format!("parent {parent}"),
            "fit the transform on the same training rows as the head",
        )),
    }
}

/// The batch followed by `copies` new rows for each of its rows, copy after copy; a row and its
/// copies share the row's weight, so that the balance between loss and penalty stays.
pub(crate) fn with_copies(
    batch: &TrainBatch,
    copies: usize,
    new_features: Matrix,
) -> Result<TrainBatch> {
    let n = batch.n_rows();
    let share = 1.0 / (copies as f32 + 1.0);
    let weights: Vec<f32> = batch.weights().iter().map(|w| w * share).collect();
    let sources: Vec<usize> = (0..copies).flat_map(|_| 0..n).collect();
    let new_rows = batch.derive(new_features, &sources, weights.repeat(copies))?;
    batch.clone().with_weights(weights)?.concat(&new_rows)
}
