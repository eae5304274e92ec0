// SPDX-License-Identifier: MIT OR Apache-2.0

//! Second moments of rows and their eigendecomposition in f64, which most scores start from.

use eosin_core::{Error, Matrix, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd;
use faer::{Mat, Par, Spec};
use ndarray::{Array1, Array2, s};
use rayon::prelude::*;

/// Columns of a Gram matrix that are made at a time; fixed, so that threads change no sum.
const TILE: usize = 128;
/// Eigenvalues below this share of the largest count as 0 where their rank matters.
const RANK_TOLERANCE: f64 = 1e-12;

/// Eigenvalues of a symmetric matrix in ascending order, with the vectors as columns.
pub(crate) struct Spectrum {
    pub(crate) values: Array1<f64>,
    pub(crate) vectors: Array2<f64>,
}

impl Spectrum {
    /// The eigenvalues, those that are 0 up to rounding being 0.
    pub(crate) fn ranked(&self) -> Array1<f64> {
        let largest = self.values.iter().copied().fold(0.0, f64::max);
        self.values.mapv(|v| if v > largest * RANK_TOLERANCE { v } else { 0.0 })
    }
}

/// The rows in f64.
pub(crate) fn rows(features: &Matrix) -> Result<Array2<f64>> {
    Ok(crate::dense::view(features)?.mapv(f64::from))
}

/// The rows in f64 with the column means taken off.
pub(crate) fn centred(features: &Matrix) -> Result<Array2<f64>> {
    let mut x = rows(features)?;
    let n = x.nrows().max(1) as f64;
    let mean = x.sum_axis(ndarray::Axis(0)) / n;
    x -= &mean;
    Ok(x)
}

/// XᵀX.
pub(crate) fn gram(x: &Array2<f64>) -> Array2<f64> {
    let d = x.ncols();
    let starts: Vec<usize> = (0..d).step_by(TILE).collect();
    let tiles: Vec<Array2<f64>> = starts
        .par_iter()
        .map(|&start| x.slice(s![.., start..(start + TILE).min(d)]).t().dot(x))
        .collect();
    let mut gram = Array2::zeros((d, d));
    for (&start, tile) in starts.iter().zip(&tiles) {
        gram.slice_mut(s![start..start + tile.nrows(), ..]).assign(tile);
    }
    gram
}

/// Decomposes a positive semidefinite matrix; eigenvalues that rounding made negative become 0.
pub(crate) fn spectrum(matrix: &Array2<f64>) -> Result<Spectrum> {
    let n = matrix.nrows();
    let a = Mat::from_fn(n, n, |i, j| f64::midpoint(matrix[(i, j)], matrix[(j, i)]));
    let (mut s, mut u) = (Diag::<f64>::zeros(n), Mat::<f64>::zeros(n, n));
    // One thread, because faer's split of the work depends on their number.
    let scratch = evd::self_adjoint_evd_scratch::<f64>(
        n,
        evd::ComputeEigenvectors::Yes,
        Par::Seq,
        Spec::default(),
    );
    evd::self_adjoint_evd(
        a.as_ref(),
        s.as_mut(),
        Some(u.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Spec::default(),
    )
    .map_err(|e| {
        Error::input(
            "second moments of the embeddings",
            "a matrix that has an eigendecomposition",
            format!("{e:?}"),
            "look for embeddings of extreme size",
        )
    })?;
    let values = Array1::from_shape_fn(n, |i| s.column_vector()[i].max(0.0));
    Ok(Spectrum { values, vectors: Array2::from_shape_fn((n, n), |(i, j)| u[(i, j)]) })
}

/// Rows of each class, by number.
pub(crate) fn rows_by_class(labels: &[u32], n_classes: usize) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); n_classes];
    for (i, &label) in labels.iter().enumerate() {
        rows[label as usize].push(i);
    }
    rows
}

/// Refuses what no score can be made of.
pub(crate) fn check(features: &Matrix, labels: &[u32], n_classes: usize) -> Result<()> {
    let classes = rows_by_class_count(labels, n_classes);
    if features.n_rows() != labels.len() || labels.len() < 3 || classes.is_none_or(|n| n < 2) {
        return Err(Error::input(
            "rows to score",
            "at least 3 rows of at least 2 classes, a label below the number of classes each",
            format!("{} rows and {} labels", features.n_rows(), labels.len()),
            "label more tiles",
        ));
    }
    Ok(())
}

/// How many classes have rows; `None` where a label is out of range.
fn rows_by_class_count(labels: &[u32], n_classes: usize) -> Option<usize> {
    if labels.iter().any(|&l| l as usize >= n_classes) {
        return None;
    }
    Some(rows_by_class(labels, n_classes).iter().filter(|r| !r.is_empty()).count())
}
