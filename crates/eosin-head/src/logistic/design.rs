// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::Mul;

use eosin_core::Matrix;
use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::standardize::Standardizer;

/// Rows of a block, whose products are summed before they are added to the rest.
const BLOCK_ROWS: usize = 384;
/// Side of the tiles in which a Gram matrix is made.
const GRAM_TILE: usize = 192;

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

    /// Takes values row after row.
    pub fn from_values(n_rows: usize, n_cols: usize, values: Vec<f32>) -> Self {
        Self { n_rows, n_cols, values }
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

    /// Σ ωᵢ xᵢ xᵢᵀ; both triangles are filled.
    ///
    /// Products are `f32` unless `exact`, sums over blocks `f64`: the result is for
    /// preconditioning. Tiles of it are independent, so that the order of sums does not depend on
    /// threads.
    pub fn gram(&self, weights: &[f32], exact: bool) -> Mat<f64> {
        let d = self.n_cols;
        let n_tiles = d.div_ceil(GRAM_TILE);
        let pairs: Vec<(usize, usize)> =
            (0..n_tiles).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
        let tile = |&(i, j): &(usize, usize)| {
            if exact { self.tile::<f64>(weights, i, j) } else { self.tile::<f32>(weights, i, j) }
        };
        let tiles: Vec<Vec<f64>> = pairs.par_iter().map(tile).collect();
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

    fn tile<T: ComplexField + Copy + From<f32> + Into<f64> + Mul<Output = T>>(
        &self,
        weights: &[f32],
        i: usize,
        j: usize,
    ) -> Vec<f64> {
        let (rows, cols) = (tile_range(i, self.n_cols), tile_range(j, self.n_cols));
        let (zero, one) = (T::from(0.0), T::from(1.0));
        let mut sum = vec![0.0_f64; rows.len() * cols.len()];
        let mut tile = vec![zero; sum.len()];
        let mut left = vec![zero; BLOCK_ROWS * rows.len()];
        let mut right = vec![zero; BLOCK_ROWS * cols.len()];
        for start in (0..self.n_rows).step_by(BLOCK_ROWS) {
            let end = (start + BLOCK_ROWS).min(self.n_rows);
            for (at, &weight) in weights[start..end].iter().enumerate() {
                let x = self.rows(start + at, start + at + 1);
                let (l, r) = (at * rows.len(), at * cols.len());
                for (to, &v) in left[l..l + rows.len()].iter_mut().zip(&x[rows.clone()]) {
                    *to = T::from(weight) * T::from(v);
                }
                for (to, &v) in right[r..r + cols.len()].iter_mut().zip(&x[cols.clone()]) {
                    *to = T::from(v);
                }
            }
            let n = end - start;
            matmul(
                MatMut::from_column_major_slice_mut(&mut tile, rows.len(), cols.len()),
                Accum::Replace,
                MatRef::from_column_major_slice(&left[..n * rows.len()], rows.len(), n),
                MatRef::from_row_major_slice(&right[..n * cols.len()], n, cols.len()),
                one,
                Par::Seq,
            );
            for (sum, &part) in sum.iter_mut().zip(&tile) {
                *sum += part.into();
            }
        }
        sum
    }
}

fn tile_range(tile: usize, d: usize) -> std::ops::Range<usize> {
    tile * GRAM_TILE..((tile + 1) * GRAM_TILE).min(d)
}
