// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::TrainBatch;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::design::{BLOCK_ROWS, Design};
use crate::linear::softmax;
use crate::rows::TrainingRows;

/// Columns that share a pass over the features.
const GROUP_COLUMNS: usize = 64;

/// Σ ωᵢ · cross-entropy(targetᵢ, softmax(xᵢW + b)) over the rows of a [`Design`].
///
/// With two classes there is one column, the score of the second class.
pub(crate) struct Loss {
    n_columns: usize,
    /// Column after column.
    targets: Vec<f32>,
    weights: Vec<f32>,
    /// Share of each column's class in the weight of all.
    shares: Vec<f64>,
}

impl Loss {
    pub fn new(batch: &TrainBatch, rows: &TrainingRows) -> Self {
        let columns = if rows.present.len() == 2 { &rows.present[1..] } else { &rows.present[..] };
        let mut targets = Vec::with_capacity(batch.n_rows() * columns.len());
        for &class in columns {
            targets.extend(batch.targets().rows().map(|t| t[class]));
        }
        let total: f64 = rows.class_weights.iter().sum();
        let skipped = rows.present.len() - columns.len();
        let shares = rows.class_weights[skipped..].iter().map(|w| w / total).collect();
        Self { n_columns: columns.len(), targets, weights: batch.weights().to_vec(), shares }
    }

    /// Columns of weights: 1 for two classes, otherwise one per class.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    pub fn total_weight(&self) -> f64 {
        self.weights.iter().copied().map(f64::from).sum()
    }

    /// The point of no features: zero weights, intercepts that give the class shares.
    pub fn null_point(&self, d: usize) -> Vec<f64> {
        let mut point = vec![0.0; self.n_columns * (d + 1)];
        let intercepts = &mut point[self.n_columns * d..];
        if self.n_columns == 1 {
            intercepts[0] = (self.shares[0] / (1.0 - self.shares[0])).ln();
        } else {
            let logs: Vec<f64> = self.shares.iter().map(|s| s.ln()).collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            intercepts.iter_mut().zip(&logs).for_each(|(b, log)| *b = log - mean);
        }
        point
    }

    /// Typical second derivative of each column's loss per unit of weight: half of that of the
    /// null model, since fitting makes predictions surer.
    pub fn curvatures(&self) -> Vec<f64> {
        self.shares.iter().map(|s| 0.5 * s * (1.0 - s)).collect()
    }

    /// Turns the scores of rows `start..` into ω(p − y), column after column.
    fn residuals(&self, start: usize, n: usize, scores: &mut [f64]) {
        let total = self.weights.len();
        let weights = &self.weights[start..start + n];
        if self.n_columns == 1 {
            let targets = &self.targets[start..start + n];
            for ((s, &w), &y) in scores.iter_mut().zip(weights).zip(targets) {
                *s = f64::from(w) * (sigmoid(*s) - f64::from(y));
            }
            return;
        }
        let mut row = vec![0.0; self.n_columns];
        for (i, &weight) in weights.iter().enumerate() {
            for (k, s) in row.iter_mut().enumerate() {
                *s = scores[k * n + i];
            }
            softmax(&mut row);
            for (k, p) in row.iter().enumerate() {
                let target = f64::from(self.targets[k * total + start + i]);
                scores[k * n + i] = f64::from(weight) * (p - target);
            }
        }
    }

    /// The loss of rows `start..` from their scores.
    fn value(&self, start: usize, n: usize, scores: &[f64]) -> f64 {
        let total = self.weights.len();
        let target = |k: usize, i: usize| f64::from(self.targets[k * total + start + i]);
        let mut sum = 0.0;
        for i in 0..n {
            let cross_entropy = if self.n_columns == 1 {
                let s = scores[i];
                s.max(0.0) + (-s.abs()).exp().ln_1p() - target(0, i) * s
            } else {
                let row = (0..self.n_columns).map(|k| scores[k * n + i]);
                let largest = row.clone().fold(f64::NEG_INFINITY, f64::max);
                let log_sum = row.clone().map(|s| (s - largest).exp()).sum::<f64>().ln() + largest;
                row.enumerate().map(|(k, s)| target(k, i) * (log_sum - s)).sum()
            };
            sum += f64::from(self.weights[start + i]) * cross_entropy;
        }
        sum
    }
}

/// A loss and the point at which its gradient is asked for: the weights of every column, one
/// column after another, then the intercepts.
pub(crate) struct Trial<'a> {
    pub loss: &'a Loss,
    pub point: &'a [f64],
}

/// The gradients of all trials, without the penalty, laid out as their points are.
///
/// Rows are cut into chunks whose number depends on the number of rows alone, and the chunks'
/// sums are added in order: the bits do not depend on the number of threads.
pub(crate) fn gradients(design: &Design, trials: &[Trial]) -> Vec<Vec<f64>> {
    let groups = group(trials);
    let chunks = chunks(design.n_rows());
    let tasks: Vec<(usize, usize)> =
        (0..groups.len()).flat_map(|g| (0..chunks.len()).map(move |c| (g, c))).collect();
    let parts: Vec<Vec<Vec<f64>>> = tasks
        .par_iter()
        .map(|&(g, c)| {
            let mut pass = Pass::new(design, &trials[groups[g].clone()]);
            for start in chunks[c].clone().step_by(BLOCK_ROWS) {
                pass.add_block(start, (start + BLOCK_ROWS).min(chunks[c].end));
            }
            pass.gradients()
        })
        .collect();
    let mut parts = parts.into_iter();
    let mut gradients = Vec::with_capacity(trials.len());
    for _ in &groups {
        let mut sums = parts.next().unwrap_or_default();
        for part in parts.by_ref().take(chunks.len() - 1) {
            for (sum, part) in sums.iter_mut().zip(part) {
                sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
            }
        }
        gradients.append(&mut sums);
    }
    gradients
}

/// Σ loss + λ/2 ‖w‖² at a trial's point.
pub(crate) fn objective(design: &Design, trial: &Trial, penalty: f64) -> f64 {
    let mut sum = 0.0;
    let mut pass = Pass::new(design, std::slice::from_ref(trial));
    for start in (0..design.n_rows()).step_by(BLOCK_ROWS) {
        let end = (start + BLOCK_ROWS).min(design.n_rows());
        pass.score_block(start, end);
        sum += trial.loss.value(start, end - start, &pass.scores);
    }
    let weights = &trial.point[..trial.loss.n_columns * design.n_cols()];
    sum + 0.5 * penalty * weights.iter().map(|w| w * w).sum::<f64>()
}

/// One walk over rows for a group of trials.
struct Pass<'a> {
    design: &'a Design,
    trials: &'a [Trial<'a>],
    n_columns: usize,
    points: Vec<f64>,
    intercepts: Vec<f64>,
    block: Vec<f64>,
    scores: Vec<f64>,
    gradient: Vec<f64>,
    intercept_gradient: Vec<f64>,
}

impl<'a> Pass<'a> {
    fn new(design: &'a Design, trials: &'a [Trial<'a>]) -> Self {
        let d = design.n_cols();
        let n_columns = trials.iter().map(|t| t.loss.n_columns).sum();
        let weights = trials.iter().flat_map(|t| &t.point[..t.loss.n_columns * d]);
        let intercepts = trials.iter().flat_map(|t| &t.point[t.loss.n_columns * d..]);
        Self {
            design,
            trials,
            n_columns,
            points: weights.copied().collect(),
            intercepts: intercepts.copied().collect(),
            block: Vec::with_capacity(BLOCK_ROWS * d),
            scores: Vec::new(),
            gradient: vec![0.0; d * n_columns],
            intercept_gradient: vec![0.0; n_columns],
        }
    }

    fn score_block(&mut self, start: usize, end: usize) {
        let (n, d) = (end - start, self.design.n_cols());
        self.block.clear();
        self.block.extend(self.design.rows(start, end).iter().copied().map(f64::from));
        self.scores.clear();
        for &intercept in &self.intercepts {
            self.scores.extend(std::iter::repeat_n(intercept, n));
        }
        matmul(
            MatMut::from_column_major_slice_mut(&mut self.scores, n, self.n_columns),
            Accum::Add,
            MatRef::from_row_major_slice(&self.block, n, d),
            MatRef::from_column_major_slice(&self.points, d, self.n_columns),
            1.0,
            Par::Seq,
        );
    }

    fn add_block(&mut self, start: usize, end: usize) {
        self.score_block(start, end);
        let (n, d) = (end - start, self.design.n_cols());
        let mut at = 0;
        for trial in self.trials {
            let columns = trial.loss.n_columns;
            trial.loss.residuals(start, n, &mut self.scores[at * n..(at + columns) * n]);
            at += columns;
        }
        for (sum, column) in self.intercept_gradient.iter_mut().zip(self.scores.chunks_exact(n)) {
            *sum += column.iter().sum::<f64>();
        }
        matmul(
            MatMut::from_column_major_slice_mut(&mut self.gradient, d, self.n_columns),
            Accum::Add,
            MatRef::from_column_major_slice(&self.block, d, n),
            MatRef::from_column_major_slice(&self.scores, n, self.n_columns),
            1.0,
            Par::Seq,
        );
    }

    fn gradients(self) -> Vec<Vec<f64>> {
        let d = self.design.n_cols();
        let mut at = 0;
        let mut gradients = Vec::with_capacity(self.trials.len());
        for trial in self.trials {
            let end = at + trial.loss.n_columns;
            let mut gradient = self.gradient[at * d..end * d].to_vec();
            gradient.extend_from_slice(&self.intercept_gradient[at..end]);
            gradients.push(gradient);
            at = end;
        }
        gradients
    }
}

/// Runs of trials with at least `GROUP_COLUMNS` columns, the last with the rest.
fn group(trials: &[Trial]) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut columns) = (0, 0);
    for (i, trial) in trials.iter().enumerate() {
        columns += trial.loss.n_columns;
        if columns >= GROUP_COLUMNS || i + 1 == trials.len() {
            groups.push(start..i + 1);
            (start, columns) = (i + 1, 0);
        }
    }
    groups
}

/// At most 16 runs of whole blocks.
fn chunks(n_rows: usize) -> Vec<std::ops::Range<usize>> {
    let n_blocks = n_rows.div_ceil(BLOCK_ROWS).max(1);
    let length = n_blocks.div_ceil(16) * BLOCK_ROWS;
    (0..n_rows.max(1)).step_by(length).map(|s| s..(s + length).min(n_rows)).collect()
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}
