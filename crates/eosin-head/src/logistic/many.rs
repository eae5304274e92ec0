// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{Error, Head, HeadGrid, HeadTrainer, Matrix, Result};

use super::design::Design;
use super::loss::{Affine, Loss};
use super::solver::{Path, Stop, minimise};
use super::{LinearHead, LogisticTrainer, linear_fit, minimise_smaller};
use crate::rows::{TrainingRows, check_features, check_penalty};
use crate::standardize::Standardizer;

/// One task, or one fold of one, on features that many share.
#[derive(Clone, Copy, Debug)]
pub struct FitJob<'a> {
    /// Class names.
    pub classes: &'a [String],
    /// Rows × classes, each row a distribution.
    pub targets: &'a Matrix,
    /// A weight per row; rows of weight 0 are held out.
    pub weights: &'a [f32],
    /// The penalties at which a head is wanted.
    pub penalties: &'a [f64],
}

impl LogisticTrainer {
    /// Fits every job at every one of its penalties on the same features.
    ///
    /// Each head is the one that [`fit`](HeadTrainer::fit) gives for the job's rows alone: held-out
    /// rows take no part, not even in the moments by which features are standardised. Shared are
    /// the passes over the rows and one Gram matrix.
    ///
    /// Returned are the heads of each job in the order of its penalties.
    pub fn fit_many(&self, features: &Matrix, jobs: &[FitJob]) -> Result<HeadGrid> {
        self.fit_many_until(self.stop(), features, jobs)
    }

    pub(super) fn fit_many_until(
        &self,
        stop: Stop,
        features: &Matrix,
        jobs: &[FitJob],
    ) -> Result<HeadGrid> {
        check_features(features)?;
        for job in jobs {
            check_job(features, job)?;
        }
        let rows: Vec<TrainingRows> = jobs
            .iter()
            .map(|job| TrainingRows::of_classes(job.targets, job.weights, job.classes))
            .collect::<Result<_>>()?;
        // Tasks mostly share their folds, whose moments are then found once.
        let mut known: Vec<(&[f32], Arc<Standardizer>)> = Vec::new();
        for job in jobs {
            if known.iter().all(|(weights, _)| *weights != job.weights) {
                known.push((job.weights, Arc::new(Standardizer::fit(features, job.weights))));
            }
        }
        // What the shared rows are standardised by; every job corrects it to its own.
        let whole = match known.as_slice() {
            [(_, only)] => Arc::clone(only),
            _ => Arc::new(Standardizer::fit(features, &vec![1.0; features.n_rows()])),
        };
        let design = Design::new(features, &whole);
        let standard_of = |job: &FitJob| {
            known.iter().find(|(weights, _)| *weights == job.weights).map_or(&whole, |k| &k.1)
        };
        let losses: Vec<Loss> = jobs
            .iter()
            .zip(&rows)
            .map(|(job, rows)| {
                let standard = standard_of(job);
                let affine = (standard != &whole).then(|| Affine::between(&whole, standard));
                Loss::new(job.targets, job.weights, &rows.present, &rows.class_weights, affine)
            })
            .collect();
        let paths: Vec<Path> = jobs
            .iter()
            .zip(&losses)
            .map(|(job, loss)| Path { loss, penalties: job.penalties })
            .collect();
        // Jobs that are standardised alike may share the smaller space that their rows span.
        let alike = known.len() < 2;
        let found = if alike { minimise_smaller } else { minimise }(&design, &paths, stop)?;
        let heads = jobs.iter().zip(&rows).zip(found).map(|((job, rows), solutions)| {
            let head = |(solution, &penalty)| -> Box<dyn Head> {
                let fit = linear_fit(solution, penalty, stop, rows, design.n_cols());
                let standard = Arc::clone(standard_of(job));
                Box::new(LinearHead::new(self.kind(), job.classes, standard, fit))
            };
            solutions.into_iter().zip(job.penalties).map(head).collect()
        });
        Ok(heads.collect())
    }
}

fn check_job(features: &Matrix, job: &FitJob) -> Result<()> {
    let n = features.n_rows();
    job.penalties.iter().try_for_each(|&p| check_penalty(p))?;
    let sound = job.weights.iter().all(|w| w.is_finite() && *w >= 0.0)
        && job.targets.values().iter().all(|t| t.is_finite() && *t >= 0.0);
    if job.weights.len() != n
        || job.targets.n_rows() != n
        || job.targets.n_cols() != job.classes.len()
        || !sound
    {
        return Err(Error::input(
            "job of fit_many",
            format!("{n} finite weights and {n} × {} targets, none below 0", job.classes.len()),
            format!(
                "{} weights and {} × {} targets",
                job.weights.len(),
                job.targets.n_rows(),
                job.targets.n_cols()
            ),
            "give every row of the features a weight and a target; hold rows out by weight 0",
        ));
    }
    Ok(())
}
