// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;
use faer::Mat;

use super::design::Design;
use super::solver::{Path, Solution, Stop, minimise};
use crate::spectrum::{Spectrum, product};

/// As [`minimise`], in the rows' own space where they are fewer than their features.
///
/// The optimal weights are a combination of rows (representer theorem), so that a head on n < d
/// rows has n coordinates and not d. Coordinates are along orthonormal directions: penalties and
/// lengths of gradients stay. Losses must be on the design's own features.
pub(crate) fn minimise_smaller(
    design: &Design,
    paths: &[Path],
    stop: Stop,
) -> Result<Vec<Vec<Solution>>> {
    let n = design.n_rows();
    if n >= design.n_cols() {
        return minimise(design, paths, stop);
    }
    let space = Spectrum::of(design, &vec![1.0; n])?;
    let r = space.values.len();
    if r == 0 {
        // Every row is zero: there is nothing to rotate.
        return minimise(design, paths, stop);
    }
    let rotated = space.rotate(design, 0, n);
    let values = (0..n).flat_map(|i| (0..r).map(move |k| (i, k))).map(|at| rotated[at] as f32);
    let reduced = Design::from_values(n, r, values.collect());
    let found = minimise(&reduced, paths, stop)?;
    let expand = |path: Vec<Solution>| path.into_iter().map(|s| expand(&space, s)).collect();
    Ok(found.into_iter().map(expand).collect())
}

/// The same solution in the coordinates of the features; intercepts stay.
fn expand(space: &Spectrum, solution: Solution) -> Solution {
    let (r, d) = (space.values.len(), space.vectors.nrows());
    let n_columns = solution.point.len() / (r + 1);
    let (weights, intercepts) = solution.point.split_at(n_columns * r);
    let weights = Mat::from_fn(r, n_columns, |k, c| weights[c * r + k]);
    let expanded = product(space.vectors.as_ref(), weights.as_ref());
    let order = (0..n_columns).flat_map(|c| (0..d).map(move |j| (j, c)));
    let mut point: Vec<f64> = order.map(|at| expanded[at]).collect();
    point.extend_from_slice(intercepts);
    Solution { point, ..solution }
}
