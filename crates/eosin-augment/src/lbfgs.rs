// SPDX-License-Identifier: MIT OR Apache-2.0

//! Minimises a smooth convex function of a few thousand variables.

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;
/// Sufficient decrease of Armijo's rule.
const DECREASE: f64 = 1e-4;
/// Halvings of a step at most; then rounding has the last word.
const MAX_HALVINGS: usize = 40;

/// L-BFGS with Armijo's rule, until the gradient is `tolerance` times as long as at the start or
/// `max_rounds` are over; `function` gives value and gradient.
pub(crate) fn minimise(
    start: Vec<f64>,
    tolerance: f64,
    max_rounds: usize,
    function: impl Fn(&[f64]) -> (f64, Vec<f64>),
) -> Vec<f64> {
    let mut x = start;
    let (mut value, mut gradient) = function(&x);
    let target = tolerance * norm(&gradient);
    let mut pairs: VecDeque<Pair> = VecDeque::new();
    for _ in 0..max_rounds {
        if norm(&gradient) <= target {
            break;
        }
        let mut direction = two_loops(&pairs, &gradient);
        if dot(&direction, &gradient) >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
        }
        let slope = dot(&direction, &gradient);
        // Without a past, the first step has length 1 at most.
        let mut step = if pairs.is_empty() { (1.0 / norm(&direction)).min(1.0) } else { 1.0 };
        let mut next = None;
        for _ in 0..MAX_HALVINGS {
            let moved: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            let (v, g) = function(&moved);
            if v <= value + DECREASE * step * slope {
                next = Some((moved, v, g));
                break;
            }
            step *= 0.5;
        }
        let Some((moved, v, g)) = next else { break };
        let s: Vec<f64> = moved.iter().zip(&x).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = g.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&s, &y);
        if curvature > 1e-14 * dot(&y, &y) {
            pairs.push_back(Pair { s, y, curvature });
            if pairs.len() > MEMORY {
                pairs.pop_front();
            }
        }
        (x, value, gradient) = (moved, v, g);
    }
    x
}

struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    curvature: f64,
}

/// Minus the approximate inverse Hessian times the gradient.
fn two_loops(pairs: &VecDeque<Pair>, gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let a = dot(&pair.s, &q) / pair.curvature;
        for (q, y) in q.iter_mut().zip(&pair.y) {
            *q -= a * y;
        }
        factors.push(a);
    }
    if let Some(last) = pairs.back() {
        let scale = last.curvature / dot(&last.y, &last.y);
        for q in &mut q {
            *q *= scale;
        }
    }
    for (pair, a) in pairs.iter().zip(factors.iter().rev()) {
        let b = dot(&pair.y, &q) / pair.curvature;
        for (q, s) in q.iter_mut().zip(&pair.s) {
            *q += (a - b) * s;
        }
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
