// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par, Spec};

use super::design::Design;
use super::solver::{Path, Solution, Stop, minimise};

/// Eigenvalues below this share of the largest are rounding: the rows do not reach there.
const RANK_TOLERANCE: f64 = 1e-12;

/// Coordinates of n rows in the space that they span, where they are fewer than their features.
///
/// The optimal weights are a combination of rows (representer theorem), so that a head on n < d
/// rows has n coordinates and not d. With X Xᵀ = U S Uᵀ the rows become U √S, and weights v there
/// are Q v here, Q = Xᵀ U / √S having orthonormal columns: penalties and lengths of gradients stay.
struct RowSpace {
    /// n × d.
    rows: Mat<f64>,
    /// n × r.
    eigenvectors: Mat<f64>,
    /// √S, r values.
    scales: Vec<f64>,
}

/// As [`minimise`], in the rows' own space where that is smaller.
pub(super) fn minimise_smaller(design: &Design, loss: Path, stop: Stop) -> Result<Vec<Solution>> {
    let path = std::slice::from_ref(&loss);
    if design.n_rows() >= design.n_cols() {
        return Ok(minimise(design, path, stop)?.into_iter().flatten().collect());
    }
    let space = RowSpace::of(design)?;
    if space.scales.is_empty() {
        // Every row is zero: there is nothing to rotate.
        return Ok(minimise(design, path, stop)?.into_iter().flatten().collect());
    }
    let reduced = space.design();
    let found = minimise(&reduced, path, stop)?;
    Ok(found.into_iter().flatten().map(|solution| space.expand(solution)).collect())
}

impl RowSpace {
    fn of(design: &Design) -> Result<Self> {
        let (n, d) = (design.n_rows(), design.n_cols());
        let values = design.rows(0, n);
        let rows = Mat::from_fn(n, d, |i, j| f64::from(values[i * d + j]));
        let mut gram = Mat::zeros(n, n);
        // One thread: the order of sums must not depend on how many there are.
        matmul(gram.as_mut(), Accum::Replace, rows.as_ref(), rows.transpose(), 1.0, Par::Seq);
        let mut eigenvalues: Diag<f64> = Diag::zeros(n);
        let mut vectors: Mat<f64> = Mat::zeros(n, n);
        let scratch =
            self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Spec::default());
        self_adjoint_evd(
            gram.as_ref(),
            eigenvalues.as_mut(),
            Some(vectors.as_mut()),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Spec::default(),
        )
        .map_err(|error| {
            Error::input(
                "rows to fit on",
                "rows whose products have eigenvalues",
                format!("{error:?}"),
                "look for extreme values among the embeddings",
            )
        })?;
        let largest = eigenvalues.column_vector().iter().copied().fold(0.0, f64::max);
        let kept: Vec<usize> =
            (0..n).filter(|&k| eigenvalues.column_vector()[k] > RANK_TOLERANCE * largest).collect();
        Ok(Self {
            eigenvectors: Mat::from_fn(n, kept.len(), |i, k| vectors[(i, kept[k])]),
            scales: kept.iter().map(|&k| eigenvalues.column_vector()[k].sqrt()).collect(),
            rows,
        })
    }

    /// The rows in the coordinates of their space.
    fn design(&self) -> Design {
        let (n, r) = (self.rows.nrows(), self.scales.len());
        let value = |i: usize, k: usize| (self.eigenvectors[(i, k)] * self.scales[k]) as f32;
        let values = (0..n).flat_map(|i| (0..r).map(move |k| value(i, k))).collect();
        Design::from_values(n, r, values)
    }

    /// The same solution in the coordinates of the features; intercepts stay.
    fn expand(&self, solution: Solution) -> Solution {
        let (r, d) = (self.scales.len(), self.rows.ncols());
        let n_columns = solution.point.len() / (r + 1);
        let (weights, intercepts) = solution.point.split_at(n_columns * r);
        let scaled = Mat::from_fn(r, n_columns, |k, c| weights[c * r + k] / self.scales[k]);
        let mut combination = Mat::<f64>::zeros(self.rows.nrows(), n_columns);
        let eigenvectors = self.eigenvectors.as_ref();
        matmul(combination.as_mut(), Accum::Replace, eigenvectors, scaled, 1.0, Par::Seq);
        let mut expanded = Mat::<f64>::zeros(d, n_columns);
        let rows = self.rows.transpose();
        matmul(expanded.as_mut(), Accum::Replace, rows, combination, 1.0, Par::Seq);
        let weights = (0..n_columns).flat_map(|c| (0..d).map(move |j| (j, c)));
        let mut point: Vec<f64> = weights.map(|at| expanded[at]).collect();
        point.extend_from_slice(intercepts);
        Solution { point, ..solution }
    }
}
