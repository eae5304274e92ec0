// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::{householder, qr::no_pivoting::factor};
use faer::{Conj, Mat, Par, Spec};

use super::design::Design;
use super::solver::{Path, Solution, Stop, minimise};

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
    if design.n_rows() >= design.n_cols() {
        return minimise(design, paths, stop);
    }
    let space = RowSpace::of(design);
    let found = minimise(&space.design(), paths, stop)?;
    let expand = |path: Vec<Solution>| path.into_iter().map(|s| space.expand(s)).collect();
    Ok(found.into_iter().map(expand).collect())
}

/// The transposed rows as Q · R: row i is column i of R along the columns of Q.
///
/// On one thread, since the order of sums must not depend on how many there are.
struct RowSpace {
    /// d × n: R above and on the diagonal, the Householder vectors of Q below.
    factors: Mat<f64>,
    /// How these vectors make up blocks.
    coefficients: Mat<f64>,
}

impl RowSpace {
    fn of(design: &Design) -> Self {
        let (n, d) = (design.n_rows(), design.n_cols());
        let mut read = Vec::new();
        let rows = design.rows(0, n, &mut read);
        let mut factors = Mat::from_fn(d, n, |j, i| f64::from(rows[i * d + j]));
        let block = factor::recommended_block_size::<f64>(d, n);
        let mut coefficients = Mat::zeros(block, n);
        let scratch = factor::qr_in_place_scratch::<f64>(d, n, block, Par::Seq, Spec::default());
        factor::qr_in_place(
            factors.as_mut(),
            coefficients.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Spec::default(),
        );
        Self { factors, coefficients }
    }

    /// The rows in the coordinates of this space, n × n.
    fn design(&self) -> Design {
        let n = self.factors.ncols();
        let at = |i, k| if k <= i { self.factors[(k, i)] as f32 } else { 0.0 };
        let values = (0..n).flat_map(|i| (0..n).map(move |k| at(i, k))).collect();
        Design::from_values(n, n, values)
    }

    /// The same solution in the coordinates of the features; intercepts stay.
    fn expand(&self, solution: Solution) -> Solution {
        let (d, n) = (self.factors.nrows(), self.factors.ncols());
        let n_columns = solution.point.len() / (n + 1);
        let (weights, intercepts) = solution.point.split_at(n_columns * n);
        let mut expanded =
            Mat::from_fn(d, n_columns, |k, c| if k < n { weights[c * n + k] } else { 0.0 });
        let block = self.coefficients.nrows();
        let scratch = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<
            f64,
        >(d, block, n_columns);
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            self.factors.as_ref(),
            self.coefficients.as_ref(),
            Conj::No,
            expanded.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
        let order = (0..n_columns).flat_map(|c| (0..d).map(move |j| (j, c)));
        let mut point: Vec<f64> = order.map(|at| expanded[at]).collect();
        point.extend_from_slice(intercepts);
        Solution { point, ..solution }
    }
}
