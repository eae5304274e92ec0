// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::{Mul, Range};

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
/// Rows that all tiles of a Gram matrix take before any goes on, so that a file is read once.
const GRAM_SPAN: usize = 32 * BLOCK_ROWS;

/// Standardised features, row after row.
///
/// They are held, or made anew from blocks of rows that something else keeps
/// ([`Matrix::shared`]), so that more rows than fit into memory can be fitted; the bits are the
/// same.
pub(crate) struct Design {
    n_rows: usize,
    n_cols: usize,
    values: Values,
}

enum Values {
    Held(Vec<f32>),
    Streamed(Matrix, Standardizer),
}

impl Design {
    pub fn new(features: &Matrix, standard: &Standardizer) -> Self {
        let values = if features.is_shared() {
            Values::Streamed(features.clone(), standard.clone())
        } else {
            Values::Held(standard.apply(features))
        };
        Self { n_rows: features.n_rows(), n_cols: features.n_cols(), values }
    }

    /// Takes values row after row.
    pub fn from_values(n_rows: usize, n_cols: usize, values: Vec<f32>) -> Self {
        Self { n_rows, n_cols, values: Values::Held(values) }
    }

    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// The values of rows `start..end`, in `buffer` where they are not held.
    pub fn rows<'a>(&'a self, start: usize, end: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        match &self.values {
            Values::Held(values) => &values[start * self.n_cols..end * self.n_cols],
            Values::Streamed(features, standard) => {
                buffer.clear();
                for i in start..end {
                    buffer.extend(standard.standardized(features.row(i), 0..self.n_cols));
                }
                buffer
            }
        }
    }

    /// Row `i`, as far as `columns` go, in `buffer` where it is not held.
    fn part<'a>(&'a self, i: usize, columns: Range<usize>, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        match &self.values {
            Values::Held(values) => &values[i * self.n_cols..(i + 1) * self.n_cols][columns],
            Values::Streamed(features, standard) => {
                buffer.clear();
                buffer.extend(standard.standardized(features.row(i), columns));
                buffer
            }
        }
    }

    /// Σ ωᵢ xᵢ xᵢᵀ; both triangles are filled.
    ///
    /// Products are `f32` unless `exact`, sums over blocks `f64`: the result is for
    /// preconditioning. Tiles of it are independent, so that the order of sums does not depend on
    /// threads. Rows of weight 0 cost nothing.
    pub fn gram(&self, weights: &[f32], exact: bool) -> Mat<f64> {
        let d = self.n_cols;
        let n_tiles = d.div_ceil(GRAM_TILE);
        let pairs: Vec<(usize, usize)> =
            (0..n_tiles).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
        let n_values = |&(i, j): &(usize, usize)| tile_range(i, d).len() * tile_range(j, d).len();
        let mut tiles: Vec<Vec<f64>> = pairs.iter().map(|at| vec![0.0; n_values(at)]).collect();
        let weighted: Vec<usize> = (0..self.n_rows).filter(|&i| weights[i] != 0.0).collect();
        for rows in weighted.chunks(GRAM_SPAN) {
            pairs.par_iter().zip(&mut tiles).for_each(|(&at, sum)| {
                if exact {
                    self.add_tile::<f64>(weights, rows, at, sum);
                } else {
                    self.add_tile::<f32>(weights, rows, at, sum);
                }
            });
        }
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

    fn add_tile<T: ComplexField + Copy + From<f32> + Into<f64> + Mul<Output = T>>(
        &self,
        weights: &[f32],
        span: &[usize],
        (i, j): (usize, usize),
        sum: &mut [f64],
    ) {
        let (rows, cols) = (tile_range(i, self.n_cols), tile_range(j, self.n_cols));
        let (zero, one) = (T::from(0.0), T::from(1.0));
        let mut tile = vec![zero; sum.len()];
        let mut left = vec![zero; BLOCK_ROWS * rows.len()];
        let mut right = vec![zero; BLOCK_ROWS * cols.len()];
        let mut buffer = Vec::new();
        for block in span.chunks(BLOCK_ROWS) {
            let n = block.len();
            for (at, &row) in block.iter().enumerate() {
                let (l, r) = (at * rows.len(), at * cols.len());
                let weight = T::from(weights[row]);
                let from = self.part(row, rows.clone(), &mut buffer);
                for (to, &v) in left[l..l + rows.len()].iter_mut().zip(from) {
                    *to = weight * T::from(v);
                }
                let from = self.part(row, cols.clone(), &mut buffer);
                for (to, &v) in right[r..r + cols.len()].iter_mut().zip(from) {
                    *to = T::from(v);
                }
            }
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
    }
}

fn tile_range(tile: usize, d: usize) -> Range<usize> {
    tile * GRAM_TILE..((tile + 1) * GRAM_TILE).min(d)
}
