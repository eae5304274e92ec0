// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Matrix, Result, TrainBatch};

/// What every trainer asks of its rows, checked once.
pub(crate) struct TrainingRows {
    /// Classes that have weight, by index; at least two.
    pub present: Vec<usize>,
    /// Total weight of each class in `present`.
    pub class_weights: Vec<f64>,
}

impl TrainingRows {
    /// Refuses batches without rows, without columns, with NaN, or with fewer than two classes.
    pub fn check(batch: &TrainBatch) -> Result<Self> {
        check_features(batch.features())?;
        Self::of_classes(batch.targets(), batch.weights(), batch.classes())
    }

    /// Refuses targets with fewer than two classes that have weight.
    pub fn of_classes(targets: &Matrix, weights: &[f32], classes: &[String]) -> Result<Self> {
        let mut totals = vec![0.0; classes.len()];
        for (target, &weight) in targets.rows().zip(weights) {
            for (total, &t) in totals.iter_mut().zip(target) {
                *total += f64::from(t) * f64::from(weight);
            }
        }
        let present: Vec<usize> = (0..totals.len()).filter(|&k| totals[k] > 0.0).collect();
        if present.len() < 2 {
            let found = present.first().map_or("none".into(), |&k| classes[k].clone());
            return Err(Error::input(
                "training rows",
                "rows of at least two classes with weight above 0",
                format!("one class: {found}"),
                "check the labels, or use folds in which every class occurs",
            ));
        }
        let class_weights = present.iter().map(|&k| totals[k]).collect();
        Ok(Self { present, class_weights })
    }
}

/// Refuses features without rows or columns, and NaN.
pub(crate) fn check_features(features: &Matrix) -> Result<()> {
    if features.n_rows() == 0 || features.n_cols() == 0 {
        return Err(Error::input(
            "training rows",
            "at least one row and one feature",
            format!("{} × {}", features.n_rows(), features.n_cols()),
            "check that the split leaves rows to train on",
        ));
    }
    refuse_bad_rows(features)
}

/// Refuses NaN and infinities, naming the first row that has one.
pub(crate) fn refuse_bad_rows(features: &Matrix) -> Result<()> {
    match features.first_bad_row() {
        None => Ok(()),
        Some(row) => Err(Error::input(
            format!("row {row} of the features"),
            "finite values",
            "NaN or infinity",
            "embed that tile again, or leave it out",
        )),
    }
}

/// Refuses a penalty that has no unique minimum.
pub(crate) fn check_penalty(penalty: f64) -> Result<()> {
    if penalty.is_finite() && penalty > 0.0 {
        return Ok(());
    }
    Err(Error::input(
        "penalty",
        "a finite number above 0",
        penalty.to_string(),
        "separable rows have no optimum at 0; use a small penalty such as 1e-4",
    ))
}

/// Refuses features of another width than the head was fitted on; no rows at all are fine.
pub(crate) fn check_width(features: &Matrix, expected: usize) -> Result<()> {
    if features.n_rows() == 0 || features.n_cols() == expected {
        return Ok(());
    }
    Err(Error::input(
        "features",
        format!("{expected} values per row, as the head was fitted on"),
        features.n_cols().to_string(),
        "use the backbone that the head was trained with",
    ))
}
