// SPDX-License-Identifier: MIT OR Apache-2.0

//! Logistic regression by the linfa-logistic crate: the independent reference for `logistic`.

use std::collections::BTreeMap;

use eosin_core::{Error, Head, HeadTrainer, Result, TrainBatch};
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::linear::{LinearFit, LinearHead};
use crate::logistic::default_penalties;
use crate::rows::{TrainingRows, check_penalty};
use crate::standardize::Standardizer;

/// The same objective as [`LogisticTrainer`](crate::LogisticTrainer), minimised by linfa-logistic.
///
/// linfa takes neither row weights nor soft targets. Rows of weight 0 are left out, and one weight
/// common to all others becomes part of the penalty, which is exact; any other weights and soft
/// targets are refused. It is slow and its multinomial loss loses digits where scores differ by
/// more than 30, so that it serves as a check on small sets, not as the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinfaLogisticTrainer {
    /// The grid that tuning searches.
    pub penalties: Vec<f64>,
    /// Stop when the gradient's length is below this, relative to the total weight of the rows.
    pub tolerance: f64,
    /// Iterations at most.
    pub max_iterations: u64,
}

impl Default for LinfaLogisticTrainer {
    fn default() -> Self {
        Self { penalties: default_penalties(), tolerance: 1e-7, max_iterations: 1000 }
    }
}

impl HeadTrainer for LinfaLogisticTrainer {
    fn kind(&self) -> &'static str {
        "linfa-logistic"
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        check_penalty(penalty)?;
        let rows = TrainingRows::check(batch)?;
        let (kept, weight) = equal_weights(batch)?;
        let labels = hard_labels(batch, &kept)?;
        let standard = Standardizer::fit(batch.features(), batch.weights());
        let values: Vec<f64> =
            standard.apply(&batch.features().select(&kept)).into_iter().map(f64::from).collect();
        let d = batch.features().n_cols();
        let records = Array2::from_shape_vec((kept.len(), d), values).map_err(refused)?;
        let data = DatasetBase::new(records, Array1::from_vec(labels));
        let alpha = penalty / weight;
        let tolerance = self.tolerance * kept.len() as f64;
        let (weights, bias) = if rows.present.len() == 2 {
            let fitted = LogisticRegression::default()
                .alpha(alpha)
                .max_iterations(self.max_iterations)
                .gradient_tolerance(tolerance)
                .fit(&data)
                .map_err(refused)?;
            // linfa scores the class that it chose as positive; ours is the second.
            let sign = if fitted.labels().pos.class == rows.present[1] { 1.0 } else { -1.0 };
            let weights: Vec<f64> = fitted.params().iter().map(|w| sign * w).collect();
            (weights, vec![sign * fitted.intercept()])
        } else {
            let fitted = MultiLogisticRegression::default()
                .alpha(alpha)
                .max_iterations(self.max_iterations)
                .gradient_tolerance(tolerance)
                .fit(&data)
                .map_err(refused)?;
            (fitted.params().t().iter().copied().collect(), fitted.intercept().to_vec())
        };
        let parameters = BTreeMap::from([("penalty".to_string(), penalty)]);
        let fit = LinearFit { outputs: rows.present, weights, bias, parameters };
        Ok(Box::new(LinearHead::new(self.kind(), batch.classes(), standard, fit)))
    }
}

/// The rows with weight, which must all have the same.
fn equal_weights(batch: &TrainBatch) -> Result<(Vec<usize>, f64)> {
    let kept: Vec<usize> = (0..batch.n_rows()).filter(|&i| batch.weights()[i] > 0.0).collect();
    let weight = kept.first().map_or(1.0, |&i| batch.weights()[i]);
    match kept.iter().find(|&&i| (batch.weights()[i] - weight).abs() > 1e-6 * weight) {
        None => Ok((kept, f64::from(weight))),
        Some(&row) => Err(Error::input(
            "row weights of a linfa-logistic head",
            format!("one weight for all rows, as the first has {weight}"),
            format!("{} in row {row}", batch.weights()[row]),
            "use the head kind `logistic`, which takes row weights",
        )),
    }
}

fn hard_labels(batch: &TrainBatch, kept: &[usize]) -> Result<Vec<usize>> {
    let label = |&row: &usize| {
        let target = batch.targets().row(row);
        target.iter().position(|&t| (t - 1.0).abs() < 1e-6).ok_or_else(|| {
            Error::input(
                "targets of a linfa-logistic head",
                "one class per row",
                format!("soft targets in row {row}"),
                "use the head kind `logistic`, which takes soft targets",
            )
        })
    };
    kept.iter().map(label).collect()
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::input(
        "linfa-logistic",
        "rows that it can fit",
        error.to_string(),
        "use the head kind `logistic`",
    )
}
