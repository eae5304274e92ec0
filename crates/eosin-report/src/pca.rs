// SPDX-License-Identifier: MIT OR Apache-2.0

//! Principal components for maps of embeddings.

use eosin_core::{Error, Matrix, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par, Spec};

/// Components are found on at most so many rows, evenly taken; every row is projected.
const FIT_AT_MOST: usize = 1024;

/// Rows on their first two principal components.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// A point per row, rounded to five significant digits of the largest coordinate.
    pub points: Vec<[f64; 2]>,
    /// Share of the variance that each axis holds.
    pub explained: [f64; 2],
}

/// Projects N × D rows to their first two principal components.
///
/// The sign of an axis is such that its largest loading is positive, and one thread does the
/// arithmetic in `f64`, so the same rows give the same points anywhere.
pub fn project_2d(rows: &Matrix) -> Result<Vec<[f64; 2]>> {
    Ok(project(rows)?.points)
}

/// As [`project_2d`], with the share of variance that the axes hold.
pub fn project(rows: &Matrix) -> Result<Projection> {
    let (n, d) = (rows.n_rows(), rows.n_cols());
    if n < 2 || d == 0 {
        return Ok(Projection { points: vec![[0.0; 2]; n], explained: [0.0; 2] });
    }
    if let Some(row) = rows.first_bad_row() {
        return Err(Error::input(
            format!("row {row} of the embeddings"),
            "finite values",
            "NaN or infinity",
            "embed that tile again, or leave it out",
        ));
    }
    let sample = evenly(n, FIT_AT_MOST);
    let mut mean = vec![0.0; d];
    for &i in &sample {
        for (m, v) in mean.iter_mut().zip(rows.row(i)) {
            *m += f64::from(*v) / sample.len() as f64;
        }
    }
    let centred = Mat::from_fn(sample.len(), d, |i, j| f64::from(rows.row(sample[i])[j]) - mean[j]);
    let (axes, explained) = axes(&centred)?;

    let mut points = Vec::with_capacity(n);
    for row in rows.rows() {
        let at = |axis: &Vec<f64>| {
            row.iter().zip(&mean).zip(axis).map(|((v, m), a)| (f64::from(*v) - m) * a).sum::<f64>()
        };
        points.push([at(&axes[0]), at(&axes[1])]);
    }
    round(&mut points);
    Ok(Projection { points, explained })
}

/// At most `most` of `n` indices, evenly spaced from 0.
pub fn evenly(n: usize, most: usize) -> Vec<usize> {
    let kept = n.min(most);
    (0..kept).map(|i| i * n / kept).collect()
}

/// The two unit axes of largest variance, each of length D, with their shares.
fn axes(centred: &Mat<f64>) -> Result<([Vec<f64>; 2], [f64; 2])> {
    let (n, d) = (centred.nrows(), centred.ncols());
    // The smaller of X Xᵀ and Xᵀ X has the same leading eigenvalues.
    let by_rows = n < d;
    let side = n.min(d);
    let (left, right) = if by_rows {
        (centred.as_ref(), centred.transpose())
    } else {
        (centred.transpose(), centred.as_ref())
    };
    let mut gram = Mat::<f64>::zeros(side, side);
    matmul(gram.as_mut(), Accum::Replace, left, right, 1.0, Par::Seq);

    let mut values = Diag::<f64>::zeros(side);
    let mut vectors = Mat::<f64>::zeros(side, side);
    let scratch =
        self_adjoint_evd_scratch::<f64>(side, ComputeEigenvectors::Yes, Par::Seq, Spec::default());
    self_adjoint_evd(
        gram.as_ref(),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Spec::default(),
    )
    .map_err(|_| {
        Error::input(
            "embeddings",
            "a matrix with eigenvalues",
            "no convergence",
            "look for extreme values in the embeddings",
        )
    })?;

    let total: f64 = (0..side).map(|i| gram[(i, i)]).sum();
    let mut found = [vec![0.0; d], vec![0.0; d]];
    let mut explained = [0.0; 2];
    // Eigenvalues rise, so the largest are at the end.
    for k in 0..side.min(2) {
        let at = side - 1 - k;
        let axis = &mut found[k];
        for j in 0..d {
            axis[j] = if by_rows {
                (0..n).map(|i| centred[(i, j)] * vectors[(i, at)]).sum()
            } else {
                vectors[(j, at)]
            };
        }
        let norm = axis.iter().map(|a| a * a).sum::<f64>().sqrt();
        let largest =
            axis.iter().copied().fold(0.0_f64, |m, a| if a.abs() > m.abs() { a } else { m });
        // A direction without variance has no axis: all points lie at 0 on it.
        let sound = total > 0.0 && values[at] > total * 1e-12 && norm > 0.0;
        let scale = if sound { largest.signum() / norm } else { 0.0 };
        for a in axis.iter_mut() {
            *a *= scale;
        }
        if sound {
            explained[k] = round_to(values[at] / total, 1e-6);
        }
    }
    Ok((found, explained))
}

fn round(points: &mut [[f64; 2]]) {
    let largest = points.iter().flatten().fold(0.0_f64, |m, v| m.max(v.abs()));
    if largest > 0.0 {
        let step = 10.0_f64.powf(largest.log10().floor() - 4.0);
        for v in points.iter_mut().flatten() {
            *v = round_to(*v, step);
        }
    }
}

/// The nearest multiple of `step`, a power of ten; without the negative zero.
fn round_to(value: f64, step: f64) -> f64 {
    let per_unit = (1.0 / step).round();
    let rounded = if step < 1.0 {
        (value * per_unit).round() / per_unit
    } else {
        (value / step).round() * step
    };
    rounded + 0.0
}
