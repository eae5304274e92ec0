// SPDX-License-Identifier: MIT OR Apache-2.0

//! Nearest training rows by Euclid, under a condition on who may be whose neighbour.

use eosin_core::{Error, Matrix, Result};
use ndarray::{ArrayView2, s};
use rayon::prelude::*;

/// Rows per block of products; fixed, so that threads cannot change a sum.
const BLOCK: usize = 128;

/// For each of `rows`, at most `k` of `candidates` that are nearest and for which
/// `allowed(row, candidate)` holds, nearest first; a row is never its own neighbour.
pub(crate) fn nearest(
    features: &Matrix,
    rows: &[usize],
    candidates: &[usize],
    k: usize,
    allowed: impl Fn(usize, usize) -> bool + Sync,
) -> Result<Vec<Vec<usize>>> {
    let (asked, known) = (features.select(rows), features.select(candidates));
    let (asked, known) = (as_array(&asked)?, as_array(&known)?);
    let half_squares: Vec<f32> = candidates
        .iter()
        .map(|&i| features.row(i).iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() as f32 / 2.0)
        .collect();
    let starts: Vec<usize> = (0..rows.len()).step_by(BLOCK).collect();
    let blocks: Vec<Vec<Vec<usize>>> = starts
        .into_par_iter()
        .map(|start| {
            let end = (start + BLOCK).min(rows.len());
            let products = asked.slice(s![start..end, ..]).dot(&known.t());
            let block = products.outer_iter().enumerate();
            block
                .map(|(i, products)| {
                    let row = rows[start + i];
                    // argmin ‖x−c‖² is argmax x·c − ‖c‖²/2.
                    let mut open: Vec<(f32, usize)> = candidates
                        .iter()
                        .zip(&half_squares)
                        .zip(products)
                        .filter(|((c, _), _)| **c != row && allowed(row, **c))
                        .map(|((&c, half), product)| (product - half, c))
                        .collect();
                    take_largest(&mut open, k);
                    open.into_iter().map(|(_, c)| c).collect()
                })
                .collect()
        })
        .collect();
    Ok(blocks.into_iter().flatten().collect())
}

/// Keeps the `k` pairs of largest value in descending order; equals stand in order of row.
fn take_largest(pairs: &mut Vec<(f32, usize)>, k: usize) {
    let descending = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if k < pairs.len() {
        pairs.select_nth_unstable_by(k, descending);
        pairs.truncate(k);
    }
    pairs.sort_unstable_by(descending);
}

/// The matrix as ndarray sees it, without a copy.
pub(crate) fn as_array(matrix: &Matrix) -> Result<ArrayView2<'_, f32>> {
    ArrayView2::from_shape((matrix.n_rows(), matrix.n_cols()), matrix.values()).map_err(|e| {
        Error::input(
            "matrix",
            "as many values as rows times columns",
            e.to_string(),
            "make matrices with Matrix::new",
        )
    })
}
