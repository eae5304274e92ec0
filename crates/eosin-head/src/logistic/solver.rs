// SPDX-License-Identifier: MIT OR Apache-2.0

//! L-BFGS along paths of penalties, all paths in the same passes over the rows.

use eosin_core::Result;
use rayon::prelude::*;

use super::design::Design;
use super::loss::Loss;
use super::newton::finish;
use super::pass::{Trial, gradients};
use super::precondition::{KEPT_BYTES, Preconditioner, factor_bytes, needs_exact};
use super::state::{State, norm};

/// Columns in flight that a pass needs to be bound by arithmetic instead of memory; paths are cut
/// into pieces that run side by side until there are so many.
const COLUMNS_IN_FLIGHT: usize = 48;

/// A loss and the penalties at which its minimum is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    pub loss: &'a Loss,
    pub penalties: &'a [f64],
}

/// Where one penalty's minimisation ended.
#[derive(Clone, Debug)]
pub(crate) struct Solution {
    pub point: Vec<f64>,
    /// Length of the gradient over that at zero weights.
    pub relative_gradient: f64,
    /// Passes over the rows that it took part in.
    pub passes: usize,
    /// Whether [`Stop::is_reached`] was seen there.
    pub is_close: bool,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub relative_gradient: f64,
    /// Passes per penalty.
    pub max_passes: usize,
    /// Whether the objective must come within [`GAP`] of its minimum, for which second derivatives
    /// are made where nothing less helps; else what the passes reach is taken.
    pub exact: bool,
}

/// Bytes of factors of their own that states may hold together.
const OWN_BYTES: usize = 64 << 20;

/// How far above the minimum an objective may be, as a share of it.
const GAP: f64 = 5e-9;

impl Stop {
    /// Whether a gradient of this length is short enough.
    ///
    /// One that is short relative to the first does not suffice for small penalties: the objective
    /// is above its minimum by ‖g‖²/(2λ) at most, since it curves by λ at least, and that must be
    /// little beside it. `floor` is no larger than the objective.
    pub fn is_reached(self, length: f64, reference: f64, penalty: f64, floor: f64) -> bool {
        length <= self.relative_gradient * reference
            && (!self.exact || length * length <= 2.0 * penalty * GAP * floor)
    }
}

/// The solutions of every path, in the order of its penalties.
pub(crate) fn minimise(design: &Design, paths: &[Path], stop: Stop) -> Result<Vec<Vec<Solution>>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    // Every loss's rows weigh about alike, so that the mean of their Gram matrices serves all.
    let weights = mean_weights(design, paths);
    let smallest = paths.iter().flat_map(|p| p.penalties).copied().fold(f64::INFINITY, f64::min);
    let gram = design.gram(&weights, needs_exact(&weights, smallest));
    let mut preconditioner = Preconditioner::new(gram);
    let mut states = start(design, paths, stop);
    loop {
        let room = OWN_BYTES.saturating_sub(states.iter().map(State::own_bytes).sum());
        let mut turning: Vec<&mut State> = states.iter_mut().filter(|s| !s.is_done()).collect();
        if turning.is_empty() {
            break;
        }
        turning.retain(|s| s.wants_direction());
        turn(design, &mut preconditioner, turning, stop.exact.then_some(room))?;
        let mut active: Vec<&mut State> = states.iter_mut().filter(|s| !s.is_done()).collect();
        let trials: Vec<Trial> = active.iter().map(|s| s.trial()).collect();
        let found = gradients(design, &trials);
        active.par_iter_mut().zip(found).for_each(|(state, found)| state.hear(found, stop));
    }
    let mut solutions: Vec<Vec<Option<Solution>>> =
        paths.iter().map(|path| vec![None; path.penalties.len()]).collect();
    for state in states {
        let (path, reference) = (state.path(), state.reference());
        for (at, mut solution) in state.into_solutions() {
            let Path { loss, penalties } = paths[path];
            if !solution.is_close && stop.exact {
                solution = finish(design, loss, penalties[at], reference, solution, stop)?;
            }
            solutions[path][at] = Some(solution);
        }
    }
    Ok(solutions.into_iter().map(|path| path.into_iter().flatten().collect()).collect())
}

/// Gives every state its next direction; `room` is for factors of their own, if they may have any.
fn turn(
    design: &Design,
    preconditioner: &mut Preconditioner,
    mut turning: Vec<&mut State>,
    room: Option<usize>,
) -> Result<()> {
    turning.par_iter_mut().for_each(|s| s.first_loop());
    if let Some(mut room) = room {
        for state in turning.iter_mut().filter(|s| s.wants_own_factors()) {
            // Those for which there is no room go on as they are until there is; one always may.
            let more = state.bytes_to_make();
            if more <= room || (room == OWN_BYTES && more > OWN_BYTES) {
                room -= more.min(room);
                state.make_factors(design)?;
            }
        }
    }
    let solved: Vec<bool> =
        turning.par_iter_mut().map(|state| state.solve_with_own_factors()).collect();
    let others = turning.iter_mut().zip(solved).filter(|(_, solved)| !solved);
    let mut columns: Vec<_> = others.flat_map(|(state, _)| state.columns()).collect();
    preconditioner.solve(&mut columns)?;
    turning.par_iter_mut().for_each(|s| s.second_loop());
    Ok(())
}

/// One state per piece of a path, each at zero weights.
fn start<'a>(design: &Design, paths: &[Path<'a>], stop: Stop) -> Vec<State<'a>> {
    let d = design.n_cols();
    let null: Vec<Vec<f64>> = paths.iter().map(|path| path.loss.null_point(d)).collect();
    let trials: Vec<Trial> =
        paths.iter().zip(&null).map(|(path, point)| Trial { loss: path.loss, point }).collect();
    let at_null = gradients(design, &trials);
    let n_columns: usize = paths.iter().map(|path| path.loss.n_columns()).sum();
    // Pieces are at different penalties, so that each holds a factor of the preconditioner.
    let n_factors = (KEPT_BYTES / factor_bytes(d)).max(1);
    let n_pieces = (COLUMNS_IN_FLIGHT / n_columns.max(1)).clamp(1, n_factors);
    let mut states = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        let reference = norm(&at_null[i].gradient);
        // Strong penalties first: their solutions are near zero and lead to the next.
        let mut order: Vec<usize> = (0..path.penalties.len()).collect();
        order.sort_by(|&a, &b| path.penalties[b].total_cmp(&path.penalties[a]).then(a.cmp(&b)));
        for piece in order.chunks(order.len().div_ceil(n_pieces).max(1)) {
            let steps = piece.iter().map(|&at| (at, path.penalties[at])).collect();
            let mut state = State::new(i, path.loss, d, steps, reference);
            state.begin(null[i].clone(), at_null[i].clone(), stop);
            states.push(state);
        }
    }
    states
}

/// The mean over losses of each row's weight, scaled so that their sum is that of a loss.
fn mean_weights(design: &Design, paths: &[Path]) -> Vec<f32> {
    let mut mean = vec![0.0_f64; design.n_rows()];
    for path in paths {
        for (m, &w) in mean.iter_mut().zip(path.loss.weights()) {
            *m += f64::from(w);
        }
    }
    mean.into_iter().map(|m| (m / paths.len() as f64) as f32).collect()
}
