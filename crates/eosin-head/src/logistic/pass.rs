// SPDX-License-Identifier: MIT OR Apache-2.0

//! Passes over the rows: the gradients of many losses by the same two matrix products.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::design::Design;
use super::loss::Loss;
use crate::kernels::{FEW, few_gradients, few_scores, widen};

/// Rows that are worked on at a time, so that they stay in the cache between the two products.
const BLOCK_ROWS: usize = 192;
/// Columns that share a pass.
const GROUP_COLUMNS: usize = 96;
/// Runs of rows that are summed apart; a number of its own, so that sums do not depend on threads.
const CHUNKS: usize = 16;

/// A loss and the point at which its gradient is asked for: the weights of every column, one
/// column after another, then the intercepts.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub loss: &'a Loss,
    pub point: &'a [f64],
}

/// What a pass finds of a trial.
#[derive(Clone)]
pub(crate) struct Found {
    /// The gradient without the penalty, laid out as the point is.
    pub gradient: Vec<f64>,
    /// Σ ω p(1 − p) of every column.
    pub curvatures: Vec<f64>,
}

/// The gradients of all trials.
///
/// Rows are cut into chunks whose number depends on the number of rows alone, and the chunks'
/// sums are added in order: the bits do not depend on the number of threads.
pub(crate) fn gradients(design: &Design, trials: &[Trial]) -> Vec<Found> {
    let groups = group(trials);
    let chunks = chunks(design.n_rows());
    let tasks: Vec<(usize, usize)> =
        (0..groups.len()).flat_map(|g| (0..chunks.len()).map(move |c| (g, c))).collect();
    let parts: Vec<Sums> = tasks
        .par_iter()
        .map(|&(g, c)| {
            let mut pass = Pass::new(design, &trials[groups[g].clone()]);
            for start in chunks[c].clone().step_by(BLOCK_ROWS) {
                pass.add_block(start, (start + BLOCK_ROWS).min(chunks[c].end));
            }
            pass.sums
        })
        .collect();
    let sums: Vec<Sums> = parts
        .par_chunks(chunks.len())
        .map(|parts| {
            let mut sum = parts[0].clone();
            for part in &parts[1..] {
                add(&mut sum.weights, &part.weights);
                add(&mut sum.intercepts, &part.intercepts);
                add(&mut sum.curvatures, &part.curvatures);
            }
            sum
        })
        .collect();
    let d = design.n_cols();
    let mut found = Vec::with_capacity(trials.len());
    for (group, sums) in groups.into_iter().zip(sums) {
        let mut at = 0;
        for trial in &trials[group] {
            let end = at + trial.loss.n_columns();
            let own = sums.weights[at * d..end * d].to_vec();
            found.push(Found {
                gradient: trial.loss.own_gradient(own, &sums.intercepts[at..end], d),
                curvatures: sums.curvatures[at..end].to_vec(),
            });
            at = end;
        }
    }
    found
}

/// Σ loss + λ/2 ‖w‖² at a trial's point.
pub(crate) fn objective(design: &Design, trial: Trial, penalty: f64) -> f64 {
    let trials = [trial];
    let mut pass = Pass::new(design, &trials);
    let mut sum = 0.0;
    for start in (0..design.n_rows()).step_by(BLOCK_ROWS) {
        let end = (start + BLOCK_ROWS).min(design.n_rows());
        pass.score_block(start, end);
        sum += trial.loss.value(start, end - start, &pass.scores);
    }
    let weights = &trial.point[..trial.loss.n_columns() * design.n_cols()];
    sum + 0.5 * penalty * weights.iter().map(|w| w * w).sum::<f64>()
}

/// The scores of all rows, column after column.
pub(crate) fn scores(design: &Design, trial: Trial) -> Vec<f64> {
    let n = design.n_rows();
    let trials = [trial];
    let mut pass = Pass::new(design, &trials);
    let mut all = vec![0.0; n * trial.loss.n_columns()];
    for start in (0..n).step_by(BLOCK_ROWS) {
        let end = (start + BLOCK_ROWS).min(n);
        pass.score_block(start, end);
        for (column, found) in all.chunks_exact_mut(n).zip(pass.scores.chunks_exact(end - start)) {
            column[start..end].copy_from_slice(found);
        }
    }
    all
}

/// The second derivative of each row's loss by each column's score, with the row's weight.
pub(crate) fn curvature_rows(design: &Design, trial: Trial) -> Vec<Vec<f32>> {
    let trials = [trial];
    let mut pass = Pass::new(design, &trials);
    let mut columns = vec![Vec::with_capacity(design.n_rows()); trial.loss.n_columns()];
    for start in (0..design.n_rows()).step_by(BLOCK_ROWS) {
        let end = (start + BLOCK_ROWS).min(design.n_rows());
        pass.score_block(start, end);
        trial.loss.curvature_rows(start, end - start, &mut pass.scores);
        for (column, found) in columns.iter_mut().zip(pass.scores.chunks_exact(end - start)) {
            column.extend(found.iter().map(|&v| v as f32));
        }
    }
    columns
}

/// One walk over rows for a group of trials.
struct Pass<'a> {
    design: &'a Design,
    trials: &'a [Trial<'a>],
    n_columns: usize,
    points: Vec<f64>,
    intercepts: Vec<f64>,
    /// Rows that the design does not hold.
    read: Vec<f32>,
    block: Vec<f64>,
    scores: Vec<f64>,
    scratch: Vec<f64>,
    sums: Sums,
}

/// Sums over rows, column after column.
#[derive(Clone)]
struct Sums {
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    curvatures: Vec<f64>,
}

impl<'a> Pass<'a> {
    fn new(design: &'a Design, trials: &'a [Trial<'a>]) -> Self {
        let d = design.n_cols();
        let (mut points, mut intercepts) = (Vec::new(), Vec::new());
        for trial in trials {
            trial.loss.push_point(trial.point, d, &mut points, &mut intercepts);
        }
        let n_columns = intercepts.len();
        Self {
            design,
            trials,
            n_columns,
            points,
            intercepts,
            read: Vec::new(),
            block: Vec::new(),
            scores: Vec::new(),
            scratch: Vec::new(),
            sums: Sums {
                weights: vec![0.0; d * n_columns],
                intercepts: vec![0.0; n_columns],
                curvatures: vec![0.0; n_columns],
            },
        }
    }

    fn score_block(&mut self, start: usize, end: usize) {
        let (n, d) = (end - start, self.design.n_cols());
        self.scores.clear();
        for &intercept in &self.intercepts {
            self.scores.extend(std::iter::repeat_n(intercept, n));
        }
        let rows = self.design.rows(start, end, &mut self.read);
        if self.n_columns <= FEW {
            few_scores(rows, d, &self.points, &mut self.scores);
            return;
        }
        widen(rows, &mut self.block);
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
            let end = at + trial.loss.n_columns();
            let scores = &mut self.scores[at * n..end * n];
            let curvatures = &mut self.sums.curvatures[at..end];
            trial.loss.residuals(start, n, scores, curvatures, &mut self.scratch);
            at = end;
        }
        for (sum, column) in self.sums.intercepts.iter_mut().zip(self.scores.chunks_exact(n)) {
            *sum += column.iter().sum::<f64>();
        }
        if self.n_columns <= FEW {
            let rows = self.design.rows(start, end, &mut self.read);
            few_gradients(rows, d, &self.scores, &mut self.sums.weights);
            return;
        }
        matmul(
            MatMut::from_column_major_slice_mut(&mut self.sums.weights, d, self.n_columns),
            Accum::Add,
            MatRef::from_column_major_slice(&self.block, d, n),
            MatRef::from_column_major_slice(&self.scores, n, self.n_columns),
            1.0,
            Par::Seq,
        );
    }
}

/// Runs of trials with at least `GROUP_COLUMNS` columns, the last with the rest.
fn group(trials: &[Trial]) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut columns) = (0, 0);
    for (i, trial) in trials.iter().enumerate() {
        columns += trial.loss.n_columns();
        if columns >= GROUP_COLUMNS || i + 1 == trials.len() {
            groups.push(start..i + 1);
            (start, columns) = (i + 1, 0);
        }
    }
    groups
}

/// At most [`CHUNKS`] runs of whole blocks.
fn chunks(n_rows: usize) -> Vec<std::ops::Range<usize>> {
    let n_blocks = n_rows.div_ceil(BLOCK_ROWS).max(1);
    let length = n_blocks.div_ceil(CHUNKS) * BLOCK_ROWS;
    (0..n_rows.max(1)).step_by(length).map(|s| s..(s + length).min(n_rows)).collect()
}

fn add(to: &mut [f64], what: &[f64]) {
    for (t, w) in to.iter_mut().zip(what) {
        *t += w;
    }
}
