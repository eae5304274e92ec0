// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Spec};

use crate::logistic::Design;

/// Eigenvalues below this share of the largest are rounding: the rows do not reach there.
const RANK_TOLERANCE: f64 = 1e-12;

/// The directions that weighted rows span, along which their Gram matrix is diagonal.
///
/// It is found from d × d products, or from n × n where the rows are fewer than their features.
pub(crate) struct Spectrum {
    /// Eigenvalues of Σ ω x xᵀ above rounding.
    pub values: Vec<f64>,
    /// Their eigenvectors, d × as many, orthonormal.
    pub vectors: Mat<f64>,
}

impl Spectrum {
    pub fn of(design: &Design, weights: &[f32]) -> Result<Self> {
        let (n, d) = (design.n_rows(), design.n_cols());
        if n >= d {
            let (values, vectors) = eigen(&design.gram(weights, true))?;
            let kept = above_rounding(&values);
            return Ok(Self {
                vectors: Mat::from_fn(d, kept.len(), |i, k| vectors[(i, kept[k])]),
                values: kept.into_iter().map(|k| values[k]).collect(),
            });
        }
        let mut read = Vec::new();
        let x = design.rows(0, n, &mut read);
        let root: Vec<f64> = weights.iter().map(|&w| f64::from(w).sqrt()).collect();
        let rows = Mat::from_fn(n, d, |i, j| root[i] * f64::from(x[i * d + j]));
        let (values, vectors) = eigen(&product(rows.as_ref(), rows.transpose()))?;
        let kept = above_rounding(&values);
        let scaled =
            Mat::from_fn(n, kept.len(), |i, k| vectors[(i, kept[k])] / values[kept[k]].sqrt());
        Ok(Self {
            vectors: product(rows.transpose(), scaled.as_ref()),
            values: kept.into_iter().map(|k| values[k]).collect(),
        })
    }

    /// Rows `start..end` of a design along these directions.
    pub fn rotate(&self, design: &Design, start: usize, end: usize) -> Mat<f64> {
        let mut read = Vec::new();
        let (x, d) = (design.rows(start, end, &mut read), design.n_cols());
        let rows = Mat::from_fn(end - start, d, |i, j| f64::from(x[i * d + j]));
        product(rows.as_ref(), self.vectors.as_ref())
    }
}

/// A · B on one thread, since the order of sums must not depend on how many there are.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut c = Mat::zeros(a.nrows(), b.ncols());
    matmul(c.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    c
}

fn above_rounding(values: &[f64]) -> Vec<usize> {
    let largest = values.iter().copied().fold(0.0, f64::max);
    (0..values.len()).filter(|&k| values[k] > RANK_TOLERANCE * largest).collect()
}

/// Eigenvalues and eigenvectors of a symmetric matrix.
fn eigen(matrix: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let mut values: Diag<f64> = Diag::zeros(n);
    let mut vectors: Mat<f64> = Mat::zeros(n, n);
    let scratch =
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Spec::default());
    self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut(),
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
    Ok((values.column_vector().iter().copied().collect(), vectors))
}
