// SPDX-License-Identifier: MIT OR Apache-2.0

//! Exact L2 logistic regression, binary and multinomial, many heads in the same passes.

mod design;
mod loss;
mod many;
mod newton;
mod pass;
mod precondition;
mod row_space;
mod solver;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use eosin_core::{Head, HeadGrid, HeadTrainer, Result, Reweighted, TrainBatch};
use serde::{Deserialize, Serialize};

pub(crate) use self::design::Design;
pub(crate) use self::loss::Loss;
pub use self::many::FitJob;
pub(crate) use self::pass::{Trial, objective};
pub(crate) use self::precondition::{factor, solve_columns};
pub(crate) use self::row_space::minimise_smaller;
pub(crate) use self::solver::{Path, Solution, Stop};
use crate::linear::{LinearFit, LinearHead};
use crate::rows::{TrainingRows, check_penalty};
use crate::standardize::Standardizer;

/// Tolerance of a search; that of scikit-learn's solver.
const SEARCH_TOLERANCE: f64 = 1e-4;
/// Passes of a search, per penalty.
const SEARCH_PASSES: usize = 60;

/// Minimises Σ ωᵢ · cross-entropy + λ/2 ‖w‖² on standardised features, with free intercepts.
///
/// Soft targets and row weights are exact parts of the objective. Features are standardised by
/// the weighted moments of the training rows, so that a penalty means the same for every backbone.
/// Two classes have one score, more have one each; a class without weight gets probability 0.
///
/// The method is L-BFGS preconditioned by Cholesky factors of c·XᵀX + λI, where c is half the
/// null model's curvature; all penalties of a path are columns of the same matrix products, and
/// what is learnt of the curvature at one penalty is kept for the next. A head that this serves
/// badly, as small penalties on separable rows do, goes on with factors of its own Hessian's
/// blocks, and after `max_passes` with Newton steps, where its Hessian has 5,200 rows at most.
/// Fewer rows than features are solved in the space that the rows span.
/// [`LogisticTrainer::fit_many`] shares all of it among tasks and folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogisticTrainer {
    /// The grid that tuning searches, largest first, so that ties go to the simpler head.
    pub penalties: Vec<f64>,
    /// Stop when the gradient is this much shorter than at zero weights.
    pub tolerance: f64,
    /// Passes over the rows, per penalty, after which Newton's method takes over, or the point
    /// reached is taken.
    pub max_passes: usize,
}

impl Default for LogisticTrainer {
    fn default() -> Self {
        Self { penalties: default_penalties(), tolerance: 1e-8, max_passes: 250 }
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
        self.fit_path_until(self.stop(), batch, penalties)
    }

    /// All requests are columns of the same passes; fewer rows than features are left to
    /// `fit_path`, which works in the smaller space that each request's rows span.
    fn fit_reweighted(
        &self,
        batch: &TrainBatch,
        requests: &[Reweighted],
    ) -> Result<Option<HeadGrid>> {
        self.fit_reweighted_until(self.stop(), batch, requests)
    }

    fn for_search(&self) -> Option<Arc<dyn HeadTrainer>> {
        Some(Arc::new(Search(self.clone())))
    }
}

/// The trainer, content with a gradient that is ten thousand times shorter than at the start, or
/// with what it reaches in so many passes.
struct Search(LogisticTrainer);

impl Search {
    fn stop(&self) -> Stop {
        let relative_gradient = self.0.tolerance.max(SEARCH_TOLERANCE);
        Stop { relative_gradient, max_passes: self.0.max_passes.min(SEARCH_PASSES), exact: false }
    }
}

impl HeadTrainer for Search {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn penalties(&self) -> Vec<f64> {
        self.0.penalties()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        let mut heads = self.fit_path(batch, &[penalty])?;
        Ok(heads.remove(0))
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        self.0.fit_path_until(self.stop(), batch, penalties)
    }

    fn fit_reweighted(
        &self,
        batch: &TrainBatch,
        requests: &[Reweighted],
    ) -> Result<Option<HeadGrid>> {
        self.0.fit_reweighted_until(self.stop(), batch, requests)
    }
}

impl LogisticTrainer {
    fn stop(&self) -> Stop {
        Stop { relative_gradient: self.tolerance, max_passes: self.max_passes, exact: true }
    }

    fn fit_path_until(
        &self,
        stop: Stop,
        batch: &TrainBatch,
        penalties: &[f64],
    ) -> Result<Vec<Box<dyn Head>>> {
        penalties.iter().try_for_each(|&p| check_penalty(p))?;
        let rows = TrainingRows::check(batch)?;
        let standard = Standardizer::fit(batch.features(), batch.weights());
        let design = Design::new(batch.features(), &standard);
        let weights = batch.weights();
        let loss = Loss::new(batch.targets(), weights, &rows.present, &rows.class_weights, None);
        let paths = [Path { loss: &loss, penalties }];
        let found = minimise_smaller(&design, &paths, stop)?.into_iter().flatten();
        let standard = Arc::new(standard);
        let mut heads = Vec::with_capacity(penalties.len());
        for (solution, &penalty) in found.zip(penalties) {
            // It costs a pass, which a path that serves tuning alone need not pay.
            let trial = Trial { loss: &loss, point: &solution.point };
            let value = (penalties.len() == 1).then(|| objective(&design, trial, penalty));
            let mut fit = linear_fit(solution, penalty, stop, &rows, design.n_cols());
            fit.parameters.extend(value.map(|value| ("objective".to_string(), value)));
            let head = LinearHead::new(self.kind(), batch.classes(), Arc::clone(&standard), fit);
            heads.push(Box::new(head) as Box<dyn Head>);
        }
        Ok(heads)
    }

    fn fit_reweighted_until(
        &self,
        stop: Stop,
        batch: &TrainBatch,
        requests: &[Reweighted],
    ) -> Result<Option<HeadGrid>> {
        if batch.n_rows() < batch.features().n_cols() {
            return Ok(None);
        }
        let jobs: Vec<FitJob> = requests
            .iter()
            .map(|request| FitJob {
                classes: batch.classes(),
                targets: batch.targets(),
                weights: &request.weights,
                penalties: &request.penalties,
            })
            .collect();
        self.fit_many_until(stop, batch.features(), &jobs).map(Some)
    }
}

fn linear_fit(
    solution: Solution,
    penalty: f64,
    stop: Stop,
    rows: &TrainingRows,
    d: usize,
) -> LinearFit {
    if stop.exact && solution.relative_gradient > stop.relative_gradient {
        tracing::warn!(
            penalty,
            relative_gradient = solution.relative_gradient,
            passes = solution.passes,
            "logistic head stopped before its tolerance"
        );
    }
    let n_columns = solution.point.len() / (d + 1);
    let mut weights = solution.point;
    let bias = weights.split_off(n_columns * d);
    weights.shrink_to_fit();
    LinearFit {
        outputs: rows.present.clone(),
        weights,
        bias,
        parameters: BTreeMap::from([
            ("penalty".to_string(), penalty),
            ("relative_gradient".to_string(), solution.relative_gradient),
            ("passes".to_string(), solution.passes as f64),
        ]),
    }
}

#[cfg(test)]
mod tests;
