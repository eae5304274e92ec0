// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{Error, Fingerprint, Result, TileMeta};

/// A dense matrix of `f32`, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    n_rows: usize,
    n_cols: usize,
    values: Vec<f32>,
}

/// Embeddings of a batch of tiles: row i belongs to `metas[i]`.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingBatch {
    /// The contract under which all rows were made.
    pub fingerprint: Fingerprint,
    /// What is known of each tile.
    pub metas: Vec<TileMeta>,
    /// Which view of the tile each row is; 0 in a set without a bank.
    pub views: Vec<u16>,
    /// N × dim.
    pub embeddings: Matrix,
}

impl Matrix {
    /// Takes `n_rows` × `n_cols` values, row after row.
    pub fn new(n_rows: usize, n_cols: usize, values: Vec<f32>) -> Result<Self> {
        if values.len() == n_rows * n_cols {
            Ok(Self { n_rows, n_cols, values })
        } else {
            Err(Error::input(
                "matrix",
                format!("{n_rows} × {n_cols} values"),
                values.len().to_string(),
                "pass as many values as rows times columns",
            ))
        }
    }

    /// Copies rows of equal length.
    pub fn from_rows<R: AsRef<[f32]>>(rows: &[R]) -> Result<Self> {
        let n_cols = rows.first().map_or(0, |r| r.as_ref().len());
        let values: Vec<f32> = rows.iter().flat_map(|r| r.as_ref().iter().copied()).collect();
        Self::new(rows.len(), n_cols, values)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.n_cols..(i + 1) * self.n_cols]
    }

    /// Row `i`, to write to.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.n_cols..(i + 1) * self.n_cols]
    }

    /// Every row in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        (0..self.n_rows).map(|i| self.row(i))
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, taken out.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The given rows in the given order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.n_cols);
        for &i in rows {
            values.extend_from_slice(self.row(i));
        }
        Self { n_rows: rows.len(), n_cols: self.n_cols, values }
    }

    /// Adds the rows of `other`, which must be as wide; an empty matrix takes any width.
    pub fn append(&mut self, other: &Self) -> Result<()> {
        if self.n_rows == 0 {
            self.n_cols = other.n_cols;
        }
        if self.n_cols != other.n_cols {
            return Err(Error::input(
                "matrix",
                format!("rows of {} values", self.n_cols),
                format!("rows of {} values", other.n_cols),
                "append rows of the same set only",
            ));
        }
        self.values.extend_from_slice(&other.values);
        self.n_rows += other.n_rows;
        Ok(())
    }

    /// The first row that has a NaN or an infinity.
    pub fn first_bad_row(&self) -> Option<usize> {
        self.values
            .iter()
            .position(|v| !v.is_finite())
            .map(|at| at.checked_div(self.n_cols).unwrap_or(0))
    }
}

impl EmbeddingBatch {
    /// Checks that metas, views and rows are as many.
    pub fn new(
        fingerprint: Fingerprint,
        metas: Vec<TileMeta>,
        views: Vec<u16>,
        embeddings: Matrix,
    ) -> Result<Self> {
        if metas.len() == embeddings.n_rows() && views.len() == metas.len() {
            Ok(Self { fingerprint, metas, views, embeddings })
        } else {
            Err(Error::input(
                "embedding batch",
                format!("{} rows and views", metas.len()),
                format!("{} rows and {} views", embeddings.n_rows(), views.len()),
                "a backbone must return one row per tile",
            ))
        }
    }
}
