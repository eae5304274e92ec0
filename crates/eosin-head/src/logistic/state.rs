// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::VecDeque;

use eosin_core::Result;
use faer::Mat;
use rayon::prelude::*;

use super::design::Design;
use super::loss::Loss;
use super::pass::{Found, Trial, curvature_rows};
use super::precondition::{factor, factor_bytes, needs_exact, solve_columns};
use super::solver::{Solution, Stop};

/// Pairs of steps and gradient changes that L-BFGS remembers.
const MEMORY: usize = 10;
/// A step is too long when the slope at its end rises by more than this share of the first.
const OVERSHOOT: f64 = 0.5;
/// A step is too short when so much of the first slope is left at its end.
const UNDERSHOOT: f64 = 0.8;
/// Trials along one direction.
const LINE_TRIALS: usize = 12;
/// Passes at one penalty after which the Hessian at the point replaces the shared preconditioner.
const PATIENCE: usize = 40;

/// One loss on its way down a list of penalties.
///
/// Steps are judged by the slope at their end alone: the objective is convex, so a slope that is
/// not positive proves descent, and slopes keep their digits near the optimum where differences
/// of objective values lose theirs.
pub(crate) struct State<'a> {
    path: usize,
    loss: &'a Loss,
    d: usize,
    /// The factor c of every column.
    curvatures: Vec<f64>,
    total_weight: f64,
    reference: f64,
    /// Position in the path and penalty, to be done in this order.
    steps: Vec<(usize, f64)>,
    solutions: Vec<(usize, Solution)>,
    point: Vec<f64>,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    slope: f64,
    step: f64,
    trial: Vec<f64>,
    line_trials: usize,
    /// The longest step known to be too short, the shortest known to be too long.
    bracket: (f64, f64),
    history: VecDeque<Pair>,
    alphas: Vec<f64>,
    wants_direction: bool,
    passes: usize,
    own_factors: Vec<Mat<f64>>,
    passes_of_factors: usize,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    rho: f64,
}

impl<'a> State<'a> {
    pub fn new(
        path: usize,
        loss: &'a Loss,
        d: usize,
        steps: Vec<(usize, f64)>,
        reference: f64,
    ) -> Self {
        Self {
            path,
            loss,
            d,
            curvatures: loss.factors(&loss.null_curvatures()),
            total_weight: loss.total_weight(),
            reference,
            steps,
            solutions: Vec::new(),
            point: Vec::new(),
            gradient: Vec::new(),
            direction: Vec::new(),
            slope: 0.0,
            step: 0.0,
            trial: Vec::new(),
            line_trials: 0,
            bracket: (0.0, f64::INFINITY),
            history: VecDeque::new(),
            alphas: Vec::new(),
            wants_direction: true,
            passes: 0,
            own_factors: Vec::new(),
            passes_of_factors: 0,
        }
    }

    pub fn path(&self) -> usize {
        self.path
    }

    /// Length of the gradient at zero weights.
    pub fn reference(&self) -> f64 {
        self.reference
    }

    pub fn is_done(&self) -> bool {
        self.solutions.len() == self.steps.len()
    }

    pub fn wants_direction(&self) -> bool {
        self.wants_direction
    }

    pub fn trial(&self) -> Trial<'_> {
        Trial { loss: self.loss, point: &self.trial }
    }

    pub fn into_solutions(self) -> Vec<(usize, Solution)> {
        self.solutions
    }

    /// Starts at a point with the loss's gradient there, without the penalty.
    pub fn begin(&mut self, point: Vec<f64>, found: Found, stop: Stop) {
        self.trial = point;
        self.accept(found, stop);
    }

    /// Takes the loss's gradient at the trial point and decides what comes next.
    pub fn hear(&mut self, mut found: Found, stop: Stop) {
        let n = self.n_weights();
        add(&mut found.gradient[..n], self.penalty(), &self.trial[..n]);
        self.passes += 1;
        self.wants_direction = false;
        let slope = dot(&found.gradient, &self.direction);
        if self.line_trials < LINE_TRIALS && self.adjust_step(slope) {
            return;
        }
        self.remember(&found.gradient);
        self.accept(found, stop);
    }

    fn n_weights(&self) -> usize {
        self.curvatures.len() * self.d
    }

    fn penalty(&self) -> f64 {
        self.steps.get(self.solutions.len()).map_or(0.0, |s| s.1)
    }

    /// Moves to the trial point, and on to the next penalties for which it is good enough.
    fn accept(&mut self, found: Found, stop: Stop) {
        self.point.clone_from(&self.trial);
        self.gradient = found.gradient;
        let floor = self.loss.floor(&found.curvatures);
        // A new factor c may cost a factorisation, so that small changes are let be.
        for (c, now) in self.curvatures.iter_mut().zip(self.loss.factors(&found.curvatures)) {
            if !(0.5..=2.0).contains(&(now / *c)) {
                *c = now;
            }
        }
        self.wants_direction = true;
        while !self.is_done() {
            let weights = &self.point[..self.n_weights()];
            let floor = floor + 0.5 * self.penalty() * dot(weights, weights);
            let length = norm(&self.gradient);
            let is_close = stop.is_reached(length, self.reference, self.penalty(), floor);
            if !is_close && self.passes < stop.max_passes {
                break;
            }
            self.finish_penalty(is_close);
        }
    }

    fn finish_penalty(&mut self, is_close: bool) {
        let length = norm(&self.gradient);
        let relative_gradient = if self.reference > 0.0 { length / self.reference } else { 0.0 };
        let (at, penalty) = self.steps[self.solutions.len()];
        let solution = Solution {
            point: self.point.clone(),
            relative_gradient,
            passes: self.passes,
            is_close,
        };
        self.solutions.push((at, solution));
        self.passes = 0;
        self.passes_of_factors = 0;
        self.own_factors.clear();
        if self.is_done() {
            self.history.clear();
            return;
        }
        // The next objective differs by a known quadratic, so that what was learnt of this one's
        // curvature stays true after adding that of the quadratic.
        let change = self.penalty() - penalty;
        let n = self.n_weights();
        add(&mut self.gradient[..n], change, &self.point[..n]);
        for pair in &mut self.history {
            add(&mut pair.change[..n], change, &pair.step[..n]);
            pair.rho = 1.0 / dot(&pair.step, &pair.change);
        }
        self.history.retain(|pair| pair.rho.is_finite() && pair.rho > 0.0);
    }

    /// Sets another trial on the same line if this step was much too long or too short.
    fn adjust_step(&mut self, slope: f64) -> bool {
        if slope > -OVERSHOOT * self.slope {
            self.bracket.1 = self.step;
        } else if slope < UNDERSHOOT * self.slope {
            self.bracket.0 = self.step;
        } else {
            return false;
        }
        // The secant's zero of the slope, kept well inside what is known.
        let secant = self.step * self.slope / (self.slope - slope);
        let (short, long) = self.bracket;
        let next = if long.is_finite() {
            let margin = 0.1 * (long - short);
            secant.clamp(short + margin, long - margin)
        } else {
            secant.clamp(2.0 * self.step, 10.0 * self.step)
        };
        self.line_trials += 1;
        self.go(if next.is_finite() { next } else { 2.0 * self.step });
        true
    }

    fn go(&mut self, step: f64) {
        self.step = step;
        self.trial.clone_from(&self.point);
        add(&mut self.trial, step, &self.direction);
    }

    fn remember(&mut self, gradient: &[f64]) {
        let step: Vec<f64> = self.trial.iter().zip(&self.point).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = gradient.iter().zip(&self.gradient).map(|(a, b)| a - b).collect();
        let product = dot(&step, &change);
        // Rounding alone can make the curvature along a tiny step vanish.
        if product > 1e-14 * norm(&step) * norm(&change) {
            if self.history.len() == MEMORY {
                self.history.pop_front();
            }
            self.history.push_back(Pair { step, change, rho: 1.0 / product });
        }
    }

    /// The part of the two-loop recursion before the preconditioner.
    pub fn first_loop(&mut self) {
        self.direction.clone_from(&self.gradient);
        self.alphas.clear();
        for pair in self.history.iter().rev() {
            let alpha = pair.rho * dot(&pair.step, &self.direction);
            self.alphas.push(alpha);
            add(&mut self.direction, -alpha, &pair.change);
        }
    }

    /// The columns that the shared preconditioner is to solve, with their ratios.
    pub fn columns(&mut self) -> Vec<(f64, &mut [f64])> {
        let penalty = self.penalty();
        let ratios: Vec<f64> = self.curvatures.iter().map(|c| penalty / c).collect();
        let n = self.n_weights();
        ratios.into_iter().zip(self.direction[..n].chunks_exact_mut(self.d)).collect()
    }

    /// Whether the shared preconditioner has served for too long without success.
    pub fn wants_own_factors(&self) -> bool {
        self.passes >= self.passes_of_factors + PATIENCE
    }

    /// Bytes of its own factors, which are in `f64`.
    pub fn own_bytes(&self) -> usize {
        self.own_factors.len() * 2 * factor_bytes(self.d)
    }

    /// Bytes that [`State::make_factors`] takes beyond those that it replaces.
    pub fn bytes_to_make(&self) -> usize {
        (self.loss.n_columns() - self.own_factors.len()) * 2 * factor_bytes(self.d)
    }

    /// Factors the Hessian's diagonal blocks at the point.
    pub fn make_factors(&mut self, design: &Design) -> Result<()> {
        let weights = curvature_rows(design, Trial { loss: self.loss, point: &self.point });
        let penalty = self.penalty();
        self.own_factors = weights
            .par_iter()
            .map(|weights| factor(&design.gram(weights, needs_exact(weights, penalty)), penalty))
            .collect::<Result<_>>()?;
        self.passes_of_factors = self.passes;
        // What was learnt far from here would only mislead.
        self.history.clear();
        self.direction.clone_from(&self.gradient);
        self.alphas.clear();
        Ok(())
    }

    /// Applies the Hessian's own factors, if there are any.
    pub fn solve_with_own_factors(&mut self) -> bool {
        if self.own_factors.is_empty() {
            return false;
        }
        let n = self.n_weights();
        let columns = self.direction[..n].chunks_exact_mut(self.d);
        for ((lower, column), c) in self.own_factors.iter().zip(columns).zip(&self.curvatures) {
            solve_columns(lower, &mut [&mut *column]);
            // `second_loop` divides by the curvature, which these factors hold already.
            for v in column {
                *v *= c;
            }
        }
        true
    }

    /// The part after the preconditioner, and the first trial along the new direction.
    pub fn second_loop(&mut self) {
        let d = self.d;
        let n = self.n_weights();
        let (weights, intercepts) = self.direction.split_at_mut(n);
        for (column, c) in weights.chunks_exact_mut(d).zip(&self.curvatures) {
            for v in column {
                *v /= c;
            }
        }
        for (v, c) in intercepts.iter_mut().zip(&self.curvatures) {
            *v /= c * self.total_weight;
        }
        if self.loss.has_gauge() {
            take_out_mean(weights, d);
            take_out_mean(intercepts, 1);
        }
        for (pair, alpha) in self.history.iter().zip(self.alphas.iter().rev()) {
            let beta = pair.rho * dot(&pair.change, &self.direction);
            add(&mut self.direction, alpha - beta, &pair.step);
        }
        for v in &mut self.direction {
            *v = -*v;
        }
        self.slope = dot(&self.gradient, &self.direction);
        if self.slope >= 0.0 {
            self.fall_back();
        }
        self.line_trials = 0;
        self.bracket = (0.0, f64::INFINITY);
        self.go(1.0);
    }

    /// Goes down the gradient: only rounding can make a direction of the recursion point up.
    fn fall_back(&mut self) {
        self.history.clear();
        let largest = self.curvatures.iter().copied().fold(0.0, f64::max);
        let curvature = largest * self.total_weight * self.d as f64 + self.penalty();
        self.direction = self.gradient.iter().map(|g| -g / curvature).collect();
        self.slope = dot(&self.gradient, &self.direction);
    }
}

/// Subtracts from every column the mean of all.
fn take_out_mean(columns: &mut [f64], d: usize) {
    let n_columns = columns.len() / d;
    let mut mean = vec![0.0; d];
    for column in columns.chunks_exact(d) {
        add(&mut mean, 1.0 / n_columns as f64, column);
    }
    for column in columns.chunks_exact_mut(d) {
        add(column, -1.0, &mean);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums side by side, since one is bound by the latency of addition.
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}

pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    for (t, w) in to.iter_mut().zip(what) {
        *t += factor * w;
    }
}
