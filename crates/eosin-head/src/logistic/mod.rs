// SPDX-License-Identifier: MIT OR Apache-2.0

//! Exact L2 logistic regression, binary and multinomial, many heads in the same passes.

mod design;
mod loss;
mod precondition;
mod solver;

use std::collections::BTreeMap;

use eosin_core::{Head, HeadTrainer, Result, TrainBatch};
use serde::{Deserialize, Serialize};

use self::design::Design;
use self::loss::{Loss, Trial, gradients, objective};
use self::precondition::Preconditioner;
use self::solver::{Job, Solution, Stop, minimise, norm, ratios};
use crate::linear::{LinearFit, LinearHead};
use crate::rows::{TrainingRows, check_penalty};
use crate::standardize::Standardizer;

/// Columns that are solved together before the next penalties start from their solutions.
const WAVE_COLUMNS: usize = 64;

/// Minimises Σ ωᵢ · cross-entropy + λ/2 ‖w‖² on standardised features, with free intercepts.
///
/// Soft targets and row weights are exact parts of the objective. Features are standardised by
/// the weighted moments of the training rows, so that a penalty means the same for every backbone.
/// Two classes have one score, more have one each; a class without weight gets probability 0.
///
/// The method is L-BFGS preconditioned by the Cholesky factor of c·XᵀX + λI, where c is half the
/// null model's curvature; all penalties of a path are columns of the same matrix products.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogisticTrainer {
    /// The grid that tuning searches, largest first, so that ties go to the simpler head.
    pub penalties: Vec<f64>,
    /// Stop when the gradient is this much shorter than at zero weights.
    pub tolerance: f64,
    /// Passes over the rows after which the best point so far is taken.
    pub max_passes: usize,
}

impl Default for LogisticTrainer {
    fn default() -> Self {
        Self { penalties: default_penalties(), tolerance: 1e-8, max_passes: 1000 }
    }
}

/// Thirteen penalties from 1e5 to 1e-1, two per decade.
pub fn default_penalties() -> Vec<f64> {
    (0..13).map(|i| 10_f64.powf(5.0 - 0.5 * f64::from(i))).collect()
}

impl HeadTrainer for LogisticTrainer {
    fn kind(&self) -> &'static str {
        "logistic"
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        let mut heads = self.fit_path(batch, &[penalty])?;
        Ok(heads.remove(0))
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        penalties.iter().try_for_each(|&p| check_penalty(p))?;
        let rows = TrainingRows::check(batch)?;
        let standard = Standardizer::fit(batch.features(), batch.weights());
        let design = Design::new(batch.features(), &standard);
        let loss = Loss::new(batch, &rows);
        let stop = Stop { relative_gradient: self.tolerance, max_passes: self.max_passes };
        let solutions = solve_path(&design, &loss, penalties, stop)?;
        let d = design.n_cols();
        let head = |(solution, &penalty): (Solution, &f64)| -> Box<dyn Head> {
            if solution.relative_gradient > self.tolerance {
                tracing::warn!(
                    penalty,
                    relative_gradient = solution.relative_gradient,
                    passes = solution.passes,
                    "logistic head stopped before its tolerance"
                );
            }
            let mut parameters = BTreeMap::from([
                ("penalty".to_string(), penalty),
                ("relative_gradient".to_string(), solution.relative_gradient),
                ("passes".to_string(), solution.passes as f64),
            ]);
            // It costs a pass, which a path that serves tuning alone need not pay.
            if penalties.len() == 1 {
                let trial = Trial { loss: &loss, point: &solution.point };
                parameters.insert("objective".into(), objective(&design, &trial, penalty));
            }
            let (weights, bias) = solution.point.split_at(loss.n_columns() * d);
            let fit = LinearFit {
                outputs: rows.present.clone(),
                weights: weights.to_vec(),
                bias: bias.to_vec(),
                parameters,
            };
            Box::new(LinearHead::new(self.kind(), batch.classes(), standard.clone(), fit))
        };
        Ok(solutions.into_iter().zip(penalties).map(head).collect())
    }
}

/// One solution per penalty, in the order given.
fn solve_path(
    design: &Design,
    loss: &Loss,
    penalties: &[f64],
    stop: Stop,
) -> Result<Vec<Solution>> {
    let null = loss.null_point(design.n_cols());
    let at_null = gradients(design, &[Trial { loss, point: &null }]);
    let reference = norm(&at_null[0]);
    let gram = design.gram(loss.weights());
    // Strong penalties first: their solutions are near zero and lead to the next.
    let mut order: Vec<usize> = (0..penalties.len()).collect();
    order.sort_by(|&a, &b| penalties[b].total_cmp(&penalties[a]).then(a.cmp(&b)));
    let mut solutions: Vec<Option<Solution>> = vec![None; penalties.len()];
    let mut start = null;
    let per_wave = (WAVE_COLUMNS / loss.n_columns()).max(1);
    for wave in order.chunks(per_wave) {
        let all: Vec<f64> = wave.iter().flat_map(|&i| ratios(loss, penalties[i])).collect();
        let preconditioner = Preconditioner::new(&gram, &all)?;
        let job = |&i: &usize| Job { loss, penalty: penalties[i], reference, start: start.clone() };
        let found = minimise(design, &preconditioner, wave.iter().map(job).collect(), stop)?;
        if let Some(last) = found.last() {
            start.clone_from(&last.point);
        }
        for (&i, solution) in wave.iter().zip(found) {
            solutions[i] = Some(solution);
        }
    }
    Ok(solutions.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
