// SPDX-License-Identifier: MIT OR Apache-2.0

//! The few dense operations on rows that probes share.

use eosin_core::{Matrix, Result};
use ndarray::{ArrayView2, ShapeError};
use rayon::prelude::*;

/// Rows per block of a product; fixed, so that the result does not depend on the threads.
const BLOCK: usize = 128;

/// The matrix as ndarray sees it, without a copy.
pub(crate) fn view(matrix: &Matrix) -> Result<ArrayView2<'_, f32>> {
    ArrayView2::from_shape((matrix.n_rows(), matrix.n_cols()), matrix.values()).map_err(shape)
}

/// Scales every row to length 1; a row of zeros stays.
pub(crate) fn normalise_rows(matrix: &mut Matrix) {
    for i in 0..matrix.n_rows() {
        let row = matrix.row_mut(i);
        let square: f64 = row.iter().map(|&v| f64::from(v).powi(2)).sum();
        if square > 0.0 {
            let scale = (1.0 / square.sqrt()) as f32;
            for value in row {
                *value *= scale;
            }
        }
    }
}

/// Calls `visit` with each row of `a` (by number) and its dot products with all rows of `b`, in
/// parallel, and returns what it gave in order.
pub(crate) fn map_products<T: Send>(
    a: &Matrix,
    b: &Matrix,
    visit: impl Fn(usize, &[f32]) -> T + Sync,
) -> Result<Vec<T>> {
    let (a, b) = (view(a)?, view(b)?);
    let starts: Vec<usize> = (0..a.nrows()).step_by(BLOCK).collect();
    let blocks: Vec<Vec<T>> = starts
        .into_par_iter()
        .map(|start| {
            let end = (start + BLOCK).min(a.nrows());
            let products = a.slice(ndarray::s![start..end, ..]).dot(&b.t());
            let rows = products.outer_iter().enumerate();
            rows.map(|(i, row)| {
                // `dot` gives rows in standard order; the copy serves should that ever change.
                row.as_slice()
                    .map_or_else(|| visit(start + i, &row.to_vec()), |row| visit(start + i, row))
            })
            .collect()
        })
        .collect();
    Ok(blocks.into_iter().flatten().collect())
}

fn shape(error: ShapeError) -> eosin_core::Error {
    eosin_core::Error::input(
        "matrix",
        "as many values as rows times columns",
        error.to_string(),
        "make matrices with Matrix::new",
    )
}
