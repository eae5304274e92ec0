// SPDX-License-Identifier: MIT OR Apache-2.0

//! Newton's method with the whole Hessian, for the few heads that L-BFGS leaves unfinished.

use eosin_core::Result;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use super::design::Design;
use super::loss::Loss;
use super::pass::{Trial, gradients, objective, scores};
use super::precondition::{factor, solve_columns};
use super::solver::{Solution, Stop};
use super::state::norm;

/// Sides of Hessians up to which they are made: four classes on 1,280 features, 216 MB.
const LARGEST: usize = 5200;
/// Rows whose products are summed at a time.
const BLOCK_ROWS: usize = 512;
/// Newton steps at most.
const STEPS: usize = 60;
/// Goes on from where another method stopped: small penalties on rows that are nearly separable
/// leave Hessians that no shared preconditioner comes near.
pub(super) fn finish(
    design: &Design,
    loss: &Loss,
    penalty: f64,
    reference: f64,
    mut solution: Solution,
    stop: Stop,
) -> Result<Solution> {
    let side = loss.n_columns() * (design.n_cols() + 1);
    if side > LARGEST {
        return Ok(solution);
    }
    let n_weights = loss.n_columns() * design.n_cols();
    let value = |point: &[f64]| objective(design, Trial { loss, point }, penalty);
    let gradient = |point: &[f64]| {
        let mut found = gradients(design, &[Trial { loss, point }]).remove(0).gradient;
        for (g, w) in found[..n_weights].iter_mut().zip(point) {
            *g += penalty * w;
        }
        found
    };
    let mut best = value(&solution.point);
    for _ in 0..STEPS {
        let mut direction = gradient(&solution.point);
        solution.relative_gradient = norm(&direction) / reference.max(f64::MIN_POSITIVE);
        if stop.is_reached(norm(&direction), reference, penalty, best) {
            break;
        }
        let lower = factor(&hessian(design, loss, &solution.point, penalty), 0.0)?;
        solve_columns(&lower, &mut [&mut direction]);
        let mut step = 1.0;
        loop {
            let moved: Vec<f64> =
                solution.point.iter().zip(&direction).map(|(p, v)| p - step * v).collect();
            let reached = value(&moved);
            solution.passes += 1;
            // Near the optimum, values differ by rounding alone.
            if reached <= best + 1e-14 * best.abs() {
                (solution.point, best) = (moved, reached);
                break;
            }
            step *= 0.5;
            if step < 1e-9 {
                return Ok(solution);
            }
        }
    }
    Ok(solution)
}

/// The second derivatives at a point, laid out as points are.
fn hessian(design: &Design, loss: &Loss, point: &[f64], penalty: f64) -> Mat<f64> {
    let (n, d, n_columns) = (design.n_rows(), design.n_cols(), loss.n_columns());
    let all = scores(design, Trial { loss, point });
    let mut blocks: Vec<Mat<f64>> = Vec::new();
    let pairs: Vec<(usize, usize)> =
        (0..n_columns).flat_map(|a| (a..n_columns).map(move |b| (a, b))).collect();
    blocks.resize_with(pairs.len(), || Mat::zeros(d + 1, d + 1));
    for start in (0..n).step_by(BLOCK_ROWS) {
        let end = (start + BLOCK_ROWS).min(n);
        let own: Vec<f64> =
            (0..n_columns).flat_map(|k| all[k * n + start..k * n + end].to_vec()).collect();
        let rows = loss.own_rows(design, start, end);
        for (block, &(a, b)) in blocks.iter_mut().zip(&pairs) {
            let weights = loss.cross_curvatures(start, end - start, &own, a, b);
            let weighted = Mat::from_fn(end - start, d + 1, |i, j| weights[i] * rows[(i, j)]);
            // One thread, so that the order of sums is always the same.
            matmul(block.as_mut(), Accum::Add, rows.transpose(), weighted.as_ref(), 1.0, Par::Seq);
        }
    }
    let at = |column: usize, j: usize| if j < d { column * d + j } else { n_columns * d + column };
    let side = n_columns * (d + 1);
    let mut whole = Mat::zeros(side, side);
    for (block, &(a, b)) in blocks.iter().zip(&pairs) {
        for j in 0..=d {
            for i in 0..=d {
                whole[(at(a, i), at(b, j))] = block[(i, j)];
                whole[(at(b, j), at(a, i))] = block[(i, j)];
            }
        }
    }
    let mean = (0..side).map(|i| whole[(i, i)]).sum::<f64>() / side as f64;
    for i in 0..n_columns * d {
        whole[(i, i)] += penalty;
    }
    if loss.has_gauge() {
        // Moving all intercepts together changes nothing; gradients have no part along that.
        for a in 0..n_columns {
            for b in 0..n_columns {
                whole[(at(a, d), at(b, d))] += mean.max(penalty);
            }
        }
    }
    whole
}
