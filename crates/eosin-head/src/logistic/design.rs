// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Matrix;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::standardize::Standardizer;

/// Rows that are converted to `f64` at a time.
const BLOCK_ROWS: usize = 256;
/// Side of the tiles in which a Gram matrix is made.
const GRAM_TILE: usize = 128;

/// Standardised features, row after row.
pub(crate) struct Design {
    n_rows: usize,
    n_cols: usize,
    values: Vec<f32>,
}

impl Design {
    pub fn new(features: &Matrix, standard: &Standardizer) -> Self {
        let values = standard.apply(features);
        Self { n_rows: features.n_rows(), n_cols: features.n_cols(), values }
    }

    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// The values of rows `start..end`.
    pub fn rows(&self, start: usize, end: usize) -> &[f32] {
        &self.values[start * self.n_cols..end * self.n_cols]
    }

    /// Σ ωᵢ xᵢ xᵢᵀ in `f64`; both triangles are filled.
    ///
    /// Tiles of the result are independent, so that the sum's order does not depend on threads.
    pub fn gram(&self, weights: &[f32]) -> Mat<f64> {
        let d = self.n_cols;
        let n_tiles = d.div_ceil(GRAM_TILE);
        let pairs: Vec<(usize, usize)> =
            (0..n_tiles).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
        let tiles: Vec<Vec<f64>> =
            pairs.par_iter().map(|&(i, j)| self.gram_tile(weights, i, j)).collect();
        let mut gram = Mat::zeros(d, d);
        for (&(i, j), tile) in pairs.iter().zip(&tiles) {
            let (rows, cols) = (tile_range(i, d), tile_range(j, d));
            for (b, col) in cols.enumerate() {
                for (a, row) in rows.clone().enumerate() {
                    let value = tile[b * rows.len() + a];
                    gram[(row, col)] = value;
                    gram[(col, row)] = value;
                }
            }
        }
        gram
    }

    fn gram_tile(&self, weights: &[f32], i: usize, j: usize) -> Vec<f64> {
        let (rows, cols) = (tile_range(i, self.n_cols), tile_range(j, self.n_cols));
        let mut tile = vec![0.0; rows.len() * cols.len()];
        let mut left = vec![0.0; BLOCK_ROWS * rows.len()];
        let mut right = vec![0.0; BLOCK_ROWS * cols.len()];
        for start in (0..self.n_rows).step_by(BLOCK_ROWS) {
            let end = (start + BLOCK_ROWS).min(self.n_rows);
            for (at, &weight) in weights[start..end].iter().enumerate() {
                let x = self.rows(start + at, start + at + 1);
                let weight = f64::from(weight);
                for (to, &v) in left[at * rows.len()..].iter_mut().zip(&x[rows.clone()]) {
                    *to = weight * f64::from(v);
                }
                for (to, &v) in right[at * cols.len()..].iter_mut().zip(&x[cols.clone()]) {
                    *to = f64::from(v);
                }
            }
            let n = end - start;
            matmul(
                MatMut::from_column_major_slice_mut(&mut tile, rows.len(), cols.len()),
                Accum::Add,
                MatRef::from_column_major_slice(&left[..n * rows.len()], rows.len(), n),
                MatRef::from_row_major_slice(&right[..n * cols.len()], n, cols.len()),
                1.0,
                Par::Seq,
            );
        }
        tile
    }
}

fn tile_range(tile: usize, d: usize) -> std::ops::Range<usize> {
    tile * GRAM_TILE..((tile + 1) * GRAM_TILE).min(d)
}
