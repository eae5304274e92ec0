// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ridge regression on class indicators: every penalty, and every patient left out, in closed form.

use std::collections::BTreeMap;

use eosin_core::{Error, Head, HeadTrainer, Probabilities, Result, TrainBatch};
use faer::Mat;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linear::{LinearFit, LinearHead, softmax, squares_parameters};
use crate::logistic::{Design, default_penalties, factor, solve_columns};
use crate::rows::{TrainingRows, check_penalty};
use crate::spectrum::{Spectrum, product};
use crate::standardize::Standardizer;

/// Rows that are rotated at a time.
const BLOCK_ROWS: usize = 1024;

/// Minimises Σ ωᵢ · ½‖yᵢ − sᵢ‖² + λ/2 ‖w‖² on standardised features, with free intercepts, where
/// y is 1 for a row's class and −1 for others.
///
/// That is scikit-learn's `Ridge` with alpha = λ. Two classes have one score, more have one each;
/// soft targets t are y = 2t − 1. One eigendecomposition serves all penalties, and
/// [`RidgeTrainer::leave_one_group_out`] all groups besides. Probabilities are softmax(2s), as for
/// [`LinearSvmTrainer`](crate::LinearSvmTrainer).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RidgeTrainer {
    /// The grid that tuning searches, largest first, so that ties go to the simpler head.
    pub penalties: Vec<f64>,
}

impl Default for RidgeTrainer {
    fn default() -> Self {
        Self { penalties: default_penalties() }
    }
}

impl HeadTrainer for RidgeTrainer {
    fn kind(&self) -> &'static str {
        "ridge"
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        Ok(self.fit_path(batch, &[penalty])?.remove(0))
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        penalties.iter().try_for_each(|&p| check_penalty(p))?;
        let problem = Problem::of(batch)?;
        let head = |&penalty: &f64| -> Box<dyn Head> {
            let along = problem.solve(penalty);
            let weights = product(problem.spectrum.vectors.as_ref(), along.as_ref());
            let fit = LinearFit {
                outputs: problem.rows.present.clone(),
                weights: (0..weights.ncols())
                    .flat_map(|c| weights.col(c).iter().copied().collect::<Vec<_>>())
                    .collect(),
                bias: problem.bias.clone(),
                parameters: squares_parameters("penalty", penalty),
            };
            let standard = problem.standard.clone();
            Box::new(LinearHead::new(self.kind(), batch.classes(), standard, fit))
        };
        Ok(penalties.iter().map(head).collect())
    }
}

impl RidgeTrainer {
    /// What every row is predicted by the head of all groups but its own, at each penalty.
    ///
    /// No head is fitted again: with H the hat matrix, the errors of a group left out are
    /// (I − H_GG)⁻¹ e_G, exactly, for the features as all rows standardise them. Groups are the
    /// batch's, mostly patients. With one group only there is nothing to predict from.
    pub fn leave_one_group_out(
        &self,
        batch: &TrainBatch,
        penalties: &[f64],
    ) -> Result<Vec<Probabilities>> {
        penalties.iter().try_for_each(|&p| check_penalty(p))?;
        let problem = Problem::of(batch)?;
        let scores = penalties.iter().map(|&p| problem.left_out(batch, p));
        scores.map(|scores| problem.probabilities(batch, &scores?)).collect()
    }
}

/// Standardised rows, what they span, and their indicators along it.
struct Problem {
    rows: TrainingRows,
    standard: Standardizer,
    design: Design,
    spectrum: Spectrum,
    /// Vᵀ Xᵀ Ω (y − mean y), a column per score.
    moments: Mat<f64>,
    /// Mean y of every score.
    bias: Vec<f64>,
    total: f64,
}

impl Problem {
    fn of(batch: &TrainBatch) -> Result<Self> {
        let rows = TrainingRows::check(batch)?;
        let standard = Standardizer::fit(batch.features(), batch.weights());
        let design = Design::new(batch.features(), &standard);
        let spectrum = Spectrum::of(&design, batch.weights())?;
        let total: f64 = rows.class_weights.iter().sum();
        let skipped = usize::from(rows.present.len() == 2);
        let bias: Vec<f64> =
            rows.class_weights[skipped..].iter().map(|w| 2.0 * w / total - 1.0).collect();
        let mut problem =
            Self { rows, standard, design, spectrum, moments: Mat::new(), bias, total };
        problem.moments = problem.moments(batch);
        Ok(problem)
    }

    fn moments(&self, batch: &TrainBatch) -> Mat<f64> {
        let n = batch.n_rows();
        let mut sum = Mat::zeros(self.spectrum.values.len(), self.bias.len());
        for start in (0..n).step_by(BLOCK_ROWS) {
            let end = (start + BLOCK_ROWS).min(n);
            let z = self.spectrum.rotate(&self.design, start, end);
            let y = Mat::from_fn(end - start, self.bias.len(), |i, k| {
                f64::from(batch.weights()[start + i])
                    * (self.indicator(batch, start + i, k) - self.bias[k])
            });
            sum += product(z.transpose(), y.as_ref());
        }
        sum
    }

    /// y of a row for score k.
    fn indicator(&self, batch: &TrainBatch, row: usize, k: usize) -> f64 {
        let skipped = self.rows.present.len() - self.bias.len();
        2.0 * f64::from(batch.targets().row(row)[self.rows.present[k + skipped]]) - 1.0
    }

    /// The weights along the eigenvectors.
    fn solve(&self, penalty: f64) -> Mat<f64> {
        Mat::from_fn(self.moments.nrows(), self.moments.ncols(), |j, k| {
            self.moments[(j, k)] / (self.spectrum.values[j] + penalty)
        })
    }

    /// Scores of every row from the other groups, row after row.
    fn left_out(&self, batch: &TrainBatch, penalty: f64) -> Result<Vec<f64>> {
        let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (row, &group) in batch.groups().iter().enumerate() {
            groups.entry(group).or_default().push(row);
        }
        if groups.len() < 2 {
            return Err(Error::input(
                "leave-one-group-out",
                "rows of at least two groups",
                "one group",
                "give tiles of more patients or slides",
            ));
        }
        let along = self.solve(penalty);
        let groups: Vec<Vec<usize>> = groups.into_values().collect();
        let found: Vec<Mat<f64>> = groups
            .par_iter()
            .map(|rows| self.group_left_out(batch, rows, &along, penalty))
            .collect::<Result<_>>()?;
        let n_scores = self.bias.len();
        let mut scores = vec![0.0; batch.n_rows() * n_scores];
        for (rows, found) in groups.iter().zip(found) {
            for (i, &row) in rows.iter().enumerate() {
                for k in 0..n_scores {
                    scores[row * n_scores + k] = found[(i, k)];
                }
            }
        }
        Ok(scores)
    }

    fn group_left_out(
        &self,
        batch: &TrainBatch,
        rows: &[usize],
        along: &Mat<f64>,
        penalty: f64,
    ) -> Result<Mat<f64>> {
        let (m, r, n_scores) = (rows.len(), self.spectrum.values.len(), self.bias.len());
        let d = self.design.n_cols();
        let (mut x, mut read) = (Mat::zeros(m, d), Vec::new());
        for (i, &row) in rows.iter().enumerate() {
            for (j, &value) in self.design.rows(row, row + 1, &mut read).iter().enumerate() {
                x[(i, j)] = f64::from(value);
            }
        }
        let z = product(x.as_ref(), self.spectrum.vectors.as_ref());
        let fitted = product(z.as_ref(), along.as_ref());
        let error =
            |i: usize, k: usize| self.indicator(batch, rows[i], k) - self.bias[k] - fitted[(i, k)];
        let root = |i: usize| f64::from(batch.weights()[rows[i]]).sqrt();
        // √Ω H √Ω = B Bᵀ, whose last column is that of the intercept.
        let b = Mat::from_fn(m, r + 1, |i, j| {
            let of_feature = |j: usize| z[(i, j)] / (self.spectrum.values[j] + penalty).sqrt();
            root(i) * if j < r { of_feature(j) } else { 1.0 / self.total.sqrt() }
        });
        let weighted = Mat::from_fn(m, n_scores, |i, k| root(i) * error(i, k));
        // Rows of weight 0 are left out already. For the others e_G/(I − H_GG) is their error plus
        // what H would have taken from it, B (I − BᵀB)⁻¹ Bᵀ e, or the like from the left.
        let pulled = if m <= r {
            let solved = solve_identity_minus(product(b.as_ref(), b.transpose()), weighted)?;
            product(b.transpose(), solved.as_ref())
        } else {
            let right = product(b.transpose(), weighted.as_ref());
            solve_identity_minus(product(b.transpose(), b.as_ref()), right)?
        };
        Ok(Mat::from_fn(m, n_scores, |i, k| {
            let taken: f64 = (0..=r)
                .map(|j| {
                    let unweighted = if j < r {
                        z[(i, j)] / (self.spectrum.values[j] + penalty).sqrt()
                    } else {
                        1.0 / self.total.sqrt()
                    };
                    unweighted * pulled[(j, k)]
                })
                .sum();
            fitted[(i, k)] + self.bias[k] - taken
        }))
    }

    fn probabilities(&self, batch: &TrainBatch, scores: &[f64]) -> Result<Probabilities> {
        let n_classes = batch.classes().len();
        let mut values = vec![0.0; batch.n_rows() * n_classes];
        for (out, scores) in
            values.chunks_exact_mut(n_classes).zip(scores.chunks_exact(self.bias.len()))
        {
            let mut scores: Vec<f64> = scores.iter().map(|s| 2.0 * s).collect();
            if scores.len() == 1 {
                scores.insert(0, 0.0);
            }
            softmax(&mut scores);
            for (&class, p) in self.rows.present.iter().zip(scores) {
                out[class] = p;
            }
        }
        Probabilities::new(n_classes, values)
    }
}

/// (I − A)⁻¹ B for a symmetric A with eigenvalues below 1.
fn solve_identity_minus(a: Mat<f64>, mut b: Mat<f64>) -> Result<Mat<f64>> {
    let n = a.nrows();
    let system = Mat::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) - a[(i, j)]);
    let lower = factor(&system, 0.0)?;
    for k in 0..b.ncols() {
        let mut column: Vec<f64> = b.col(k).iter().copied().collect();
        solve_columns(&lower, &mut [&mut column]);
        for (i, v) in column.into_iter().enumerate() {
            b[(i, k)] = v;
        }
    }
    Ok(b)
}
