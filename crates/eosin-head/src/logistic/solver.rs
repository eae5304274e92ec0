// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::VecDeque;

use eosin_core::Result;
use rayon::prelude::*;

use super::design::Design;
use super::loss::{Loss, Trial, gradients};
use super::precondition::Preconditioner;

/// Pairs of steps and gradient changes that L-BFGS remembers.
const MEMORY: usize = 10;
/// A step is too long when the slope at its end rises by more than this share of the first.
const OVERSHOOT: f64 = 0.5;
/// A step is too short when so much of the first slope is left at its end.
const UNDERSHOOT: f64 = 0.8;
/// Trials along one direction.
const LINE_TRIALS: usize = 12;

/// A loss with a penalty, and where to begin.
pub(crate) struct Job<'a> {
    pub loss: &'a Loss,
    pub penalty: f64,
    /// Length of the gradient at the null point, to which the final one is compared.
    pub reference: f64,
    pub start: Vec<f64>,
}

/// Where a job ended.
#[derive(Clone, Debug)]
pub(crate) struct Solution {
    pub point: Vec<f64>,
    /// Length of the gradient over that at the null point.
    pub relative_gradient: f64,
    /// Passes over the rows.
    pub passes: usize,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub relative_gradient: f64,
    pub max_passes: usize,
}

/// Minimises every job by L-BFGS, all of them in the same passes over the rows.
///
/// Steps are judged by the slope at their end alone: the objective is convex, so a slope that is
/// not positive proves descent, and slopes keep their digits near the optimum where differences
/// of objective values lose theirs.
pub(crate) fn minimise(
    design: &Design,
    preconditioner: &Preconditioner,
    jobs: Vec<Job>,
    stop: Stop,
) -> Result<Vec<Solution>> {
    let mut states: Vec<State> = jobs.into_iter().map(|job| State::new(job, design)).collect();
    for _ in 0..stop.max_passes {
        let mut active: Vec<&mut State> = states.iter_mut().filter(|s| !s.done).collect();
        if active.is_empty() {
            break;
        }
        let trials: Vec<Trial> =
            active.iter().map(|s| Trial { loss: s.job.loss, point: &s.trial }).collect();
        let found = gradients(design, &trials);
        active.par_iter_mut().zip(found).for_each(|(state, gradient)| state.hear(gradient, stop));

        let mut turning: Vec<&mut State> =
            active.into_iter().filter(|s| !s.done && s.wants_direction).collect();
        turning.par_iter_mut().for_each(|s| s.first_loop());
        let mut columns = Vec::new();
        for state in &mut turning {
            let d = state.d;
            let ratios: Vec<f64> = state.curvatures.iter().map(|c| state.job.penalty / c).collect();
            let weights = ratios.len() * d;
            columns.extend(ratios.into_iter().zip(state.direction[..weights].chunks_exact_mut(d)));
        }
        preconditioner.solve(&mut columns);
        turning.par_iter_mut().for_each(|s| s.second_loop());
    }
    Ok(states.into_iter().map(State::solution).collect())
}

/// The ratios λ/c of the jobs' columns.
pub(crate) fn ratios(loss: &Loss, penalty: f64) -> Vec<f64> {
    loss.curvatures().iter().map(|c| penalty / c).collect()
}

struct State<'a> {
    job: Job<'a>,
    d: usize,
    curvatures: Vec<f64>,
    total_weight: f64,
    /// The last accepted point and its gradient, empty before the first pass.
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
    done: bool,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    rho: f64,
}

impl<'a> State<'a> {
    fn new(mut job: Job<'a>, design: &Design) -> Self {
        let trial = std::mem::take(&mut job.start);
        Self {
            d: design.n_cols(),
            curvatures: job.loss.curvatures(),
            total_weight: job.loss.total_weight(),
            point: Vec::new(),
            gradient: Vec::new(),
            direction: Vec::new(),
            slope: 0.0,
            step: 0.0,
            trial,
            line_trials: 0,
            bracket: (0.0, f64::INFINITY),
            history: VecDeque::new(),
            alphas: Vec::new(),
            wants_direction: false,
            passes: 0,
            done: false,
            job,
        }
    }

    /// Takes the loss's gradient at the trial point and decides what comes next.
    fn hear(&mut self, mut gradient: Vec<f64>, stop: Stop) {
        let weights = self.curvatures.len() * self.d;
        for (g, w) in gradient[..weights].iter_mut().zip(&self.trial) {
            *g += self.job.penalty * w;
        }
        self.passes += 1;
        self.wants_direction = false;
        if !self.point.is_empty() {
            let slope = dot(&gradient, &self.direction);
            if self.line_trials < LINE_TRIALS && self.adjust_step(slope) {
                return;
            }
            self.remember(&gradient);
        }
        self.point.clone_from(&self.trial);
        self.gradient = gradient;
        if norm(&self.gradient) <= stop.relative_gradient * self.job.reference {
            self.done = true;
        }
        self.wants_direction = true;
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
        for (t, d) in self.trial.iter_mut().zip(&self.direction) {
            *t += step * d;
        }
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
    fn first_loop(&mut self) {
        self.direction.clone_from(&self.gradient);
        self.alphas.clear();
        for pair in self.history.iter().rev() {
            let alpha = pair.rho * dot(&pair.step, &self.direction);
            self.alphas.push(alpha);
            add(&mut self.direction, -alpha, &pair.change);
        }
    }

    /// The part after it, and the first trial along the new direction.
    fn second_loop(&mut self) {
        let d = self.d;
        let n_columns = self.curvatures.len();
        let (weights, intercepts) = self.direction.split_at_mut(n_columns * d);
        for (column, c) in weights.chunks_exact_mut(d).zip(&self.curvatures) {
            column.iter_mut().for_each(|v| *v /= c);
        }
        for (v, c) in intercepts.iter_mut().zip(&self.curvatures) {
            *v /= c * self.total_weight;
        }
        for (pair, alpha) in self.history.iter().zip(self.alphas.iter().rev()) {
            let beta = pair.rho * dot(&pair.change, &self.direction);
            add(&mut self.direction, alpha - beta, &pair.step);
        }
        self.direction.iter_mut().for_each(|v| *v = -*v);
        self.slope = dot(&self.gradient, &self.direction);
        if self.slope >= 0.0 {
            // Only rounding can do this: nothing is left to gain at this precision.
            if self.history.is_empty() {
                self.done = true;
            }
            self.history.clear();
            let total = self.total_weight;
            let curvature = self.curvatures.iter().copied().fold(0.0, f64::max) * total;
            self.direction =
                self.gradient.iter().map(|g| -g / (curvature + self.job.penalty)).collect();
            self.slope = dot(&self.gradient, &self.direction);
        }
        self.line_trials = 0;
        self.bracket = (0.0, f64::INFINITY);
        self.go(1.0);
    }

    fn solution(self) -> Solution {
        let length = norm(&self.gradient);
        let relative_gradient =
            if self.job.reference > 0.0 { length / self.job.reference } else { 0.0 };
        Solution { point: self.point, relative_gradient, passes: self.passes }
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
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
    to.iter_mut().zip(what).for_each(|(t, w)| *t += factor * w);
}
