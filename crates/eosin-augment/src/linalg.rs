// SPDX-License-Identifier: MIT OR Apache-2.0

//! Solving symmetric positive definite systems in f64, on one thread so that bytes do not depend
//! on their number.

use eosin_core::{Error, Result};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, Par, Spec};
use ndarray::Array2;

/// The factor L of a symmetric positive definite matrix LLᵀ.
pub(crate) struct Cholesky {
    lower: Mat<f64>,
}

impl Cholesky {
    /// Factors the matrix, of which the lower triangle is read; `subject` names it in the error.
    pub(crate) fn new(subject: &str, matrix: &Array2<f64>) -> Result<Self> {
        let d = matrix.nrows();
        let mut lower = Mat::from_fn(d, d, |i, j| matrix[(i, j)]);
        let scratch = cholesky_in_place_scratch::<f64>(d, Par::Seq, Spec::default());
        cholesky_in_place(
            lower.as_mut(),
            LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Spec::default(),
        )
        .map_err(|e| {
            Error::input(
                subject,
                "rows that differ enough for the regression to have one solution",
                format!("{e:?}"),
                "use a stronger penalty",
            )
        })?;
        Ok(Self { lower })
    }

    /// Solves for every column of `right`.
    pub(crate) fn solve(&self, right: &Array2<f64>) -> Array2<f64> {
        let (d, width) = right.dim();
        let mut solution = Mat::from_fn(d, width, |i, j| right[(i, j)]);
        solve_lower_triangular_in_place(self.lower.as_ref(), solution.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(self.lower.transpose(), solution.as_mut(), Par::Seq);
        Array2::from_shape_fn((d, width), |(i, j)| solution[(i, j)])
    }
}
