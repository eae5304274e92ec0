// SPDX-License-Identifier: MIT OR Apache-2.0

//! The linear support vector machine with squared hinge loss, one class against the rest.

use eosin_core::{Head, HeadTrainer, Result, TrainBatch};
use serde::{Deserialize, Serialize};

use crate::linear::{LinearFit, LinearHead, squares_parameters};
use crate::logistic::{Design, Loss, Path, Stop, default_penalties, minimise_smaller};
use crate::rows::{TrainingRows, check_penalty};
use crate::standardize::Standardizer;

/// Minimises Σ ωᵢ · max(0, 1 − yᵢ sᵢ)² + λ/2 ‖w‖² on standardised features, with free intercepts.
///
/// That is liblinear's primal objective with C = 1/λ, but for the intercept, which liblinear
/// penalises. More than two classes have one score each, against the rest. A soft target t counts
/// as t rows of the class and 1 − t of the rest. The solver is that of
/// [`LogisticTrainer`](crate::LogisticTrainer). Probabilities are softmax(2s): the score that is
/// best on average is 2p − 1, and both meet with one slope at the boundary; calibrate a head whose
/// probabilities matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinearSvmTrainer {
    /// The grid that tuning searches, largest first, so that ties go to the simpler head.
    pub penalties: Vec<f64>,
    /// Stop when the gradient is this much shorter than at zero weights.
    pub tolerance: f64,
    /// Passes over the rows, per penalty, after which Newton's method takes over, or the point
    /// reached is taken.
    pub max_passes: usize,
}

impl Default for LinearSvmTrainer {
    fn default() -> Self {
        Self { penalties: default_penalties(), tolerance: 1e-8, max_passes: 250 }
    }
}

impl HeadTrainer for LinearSvmTrainer {
    fn kind(&self) -> &'static str {
        "linear-svm"
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        Ok(self.fit_path(batch, &[penalty])?.remove(0))
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        penalties.iter().try_for_each(|&p| check_penalty(p))?;
        let rows = TrainingRows::check(batch)?;
        let standard = Standardizer::fit(batch.features(), batch.weights());
        let design = Design::new(batch.features(), &standard);
        let total: f64 = rows.class_weights.iter().sum();
        // Two classes are one problem, that of the second against the first.
        let first = usize::from(rows.present.len() == 2);
        let losses: Vec<Loss> = (first..rows.present.len())
            .map(|k| {
                let share = rows.class_weights[k] / total;
                let (targets, weights) = (batch.targets(), batch.weights());
                Loss::squared_hinge(targets, weights, rows.present[k], share)
            })
            .collect();
        let paths: Vec<Path> = losses.iter().map(|loss| Path { loss, penalties }).collect();
        let stop =
            Stop { relative_gradient: self.tolerance, max_passes: self.max_passes, exact: true };
        let found = minimise_smaller(&design, &paths, stop)?;
        let d = design.n_cols();
        let head = |(i, &penalty): (usize, &f64)| -> Box<dyn Head> {
            let mut parameters = squares_parameters("penalty", penalty);
            let (mut weights, mut bias, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
            for path in &found {
                weights.extend_from_slice(&path[i].point[..d]);
                bias.extend_from_slice(&path[i].point[d..]);
                worst = worst.max(path[i].relative_gradient);
            }
            if worst > self.tolerance {
                tracing::warn!(penalty, relative_gradient = worst, "SVM stopped before tolerance");
            }
            parameters.insert("relative_gradient".into(), worst);
            let fit = LinearFit { outputs: rows.present.clone(), weights, bias, parameters };
            Box::new(LinearHead::new(self.kind(), batch.classes(), standard.clone(), fit))
        };
        Ok(penalties.iter().enumerate().map(head).collect())
    }
}
