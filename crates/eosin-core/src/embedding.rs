// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;
use std::sync::Arc;

use crate::{Contract, Error, FieldDifference, Fingerprint, Result, TileMeta};

/// A dense matrix of `f32`, row after row.
///
/// Its values are its own, or something else keeps them, such as a mapped file that is larger
/// than the memory ([`Matrix::shared`]). Writing to shared values copies them first.
#[derive(Clone, Default)]
pub struct Matrix {
    n_rows: usize,
    n_cols: usize,
    own: Vec<f32>,
    shared: Option<Arc<dyn AsRef<[f32]> + Send + Sync>>,
}

impl PartialEq for Matrix {
    fn eq(&self, other: &Self) -> bool {
        (self.n_rows, self.n_cols) == (other.n_rows, other.n_cols)
            && self.values() == other.values()
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matrix")
            .field("n_rows", &self.n_rows)
            .field("n_cols", &self.n_cols)
            .field("values", &self.values())
            .finish_non_exhaustive()
    }
}

/// Embeddings of a batch of tiles: row i belongs to `metas[i]`.
#[derive(Clone, Debug)]
pub struct EmbeddingBatch {
    /// The contract under which all rows were made.
    pub fingerprint: Fingerprint,
    /// That contract itself, where who made the batch has it, as stores do: an error then names the
    /// fields in which two differ.
    pub contract: Option<Arc<Contract>>,
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
        Self { n_rows, n_cols, own: values, shared: None }.checked()
    }

    /// As [`Matrix::new`] with values that `keeper` keeps; clones share them.
    pub fn shared(
        n_rows: usize,
        n_cols: usize,
        keeper: Arc<dyn AsRef<[f32]> + Send + Sync>,
    ) -> Result<Self> {
        Self { n_rows, n_cols, own: Vec::new(), shared: Some(keeper) }.checked()
    }

    fn checked(self) -> Result<Self> {
        let (n_rows, n_cols, found) = (self.n_rows, self.n_cols, self.values().len());
        if n_rows.checked_mul(n_cols) == Some(found) {
            Ok(self)
        } else {
            Err(Error::input(
                "matrix",
                format!("{n_rows} × {n_cols} values"),
                found.to_string(),
                "pass as many values as rows times columns",
            ))
        }
    }

    /// Whether something else keeps the values, so that a copy of all may not fit into memory.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
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
        &self.values()[i * self.n_cols..(i + 1) * self.n_cols]
    }

    /// Row `i`, to write to.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        let range = i * self.n_cols..(i + 1) * self.n_cols;
        &mut self.values_mut()[range]
    }

    /// Every row in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        (0..self.n_rows).map(|i| self.row(i))
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        self.shared.as_ref().map_or(&self.own, |keeper| (**keeper).as_ref())
    }

    fn values_mut(&mut self) -> &mut Vec<f32> {
        if let Some(keeper) = self.shared.take() {
            self.own = (*keeper).as_ref().to_vec();
        }
        &mut self.own
    }

    /// The values, taken out.
    pub fn into_values(mut self) -> Vec<f32> {
        std::mem::take(self.values_mut())
    }

    /// The given rows in the given order; all rows of shared values stay shared.
    pub fn select(&self, rows: &[usize]) -> Self {
        if self.is_shared() && rows.iter().copied().eq(0..self.n_rows) {
            return self.clone();
        }
        let mut values = Vec::with_capacity(rows.len() * self.n_cols);
        for &i in rows {
            values.extend_from_slice(self.row(i));
        }
        Self { n_rows: rows.len(), n_cols: self.n_cols, own: values, shared: None }
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
        self.values_mut().extend_from_slice(other.values());
        self.n_rows += other.n_rows;
        Ok(())
    }

    /// The first row that has a NaN or an infinity.
    pub fn first_bad_row(&self) -> Option<usize> {
        self.values()
            .iter()
            .position(|v| !v.is_finite())
            .map(|at| at.checked_div(self.n_cols).unwrap_or(0))
    }
}

/// The fingerprint stands for the contract, whether the batch carries it or not.
impl PartialEq for EmbeddingBatch {
    fn eq(&self, other: &Self) -> bool {
        (&self.fingerprint, &self.metas, &self.views, &self.embeddings)
            == (&other.fingerprint, &other.metas, &other.views, &other.embeddings)
    }
}

impl EmbeddingBatch {
    /// The same rows with their contract, whose fingerprint they have already.
    pub fn with_contract(self, contract: &Contract) -> Self {
        Self { contract: Some(Arc::new(contract.clone())), ..self }
    }

    /// An error unless the rows were made under `contract`; it names the fields that differ where
    /// the batch carries its own.
    pub fn ensure_contract(&self, contract: &Contract) -> Result<()> {
        let expected = contract.fingerprint();
        if self.fingerprint == expected {
            return Ok(());
        }
        if let Some(own) = &self.contract {
            contract.ensure_same(own)?;
        }
        Err(Error::contract(vec![FieldDifference {
            field: "fingerprint".into(),
            ours: expected.to_string(),
            theirs: self.fingerprint.to_string(),
        }]))
    }

    /// Checks that metas, views and rows are as many.
    pub fn new(
        fingerprint: Fingerprint,
        metas: Vec<TileMeta>,
        views: Vec<u16>,
        embeddings: Matrix,
    ) -> Result<Self> {
        if metas.len() == embeddings.n_rows() && views.len() == metas.len() {
            Ok(Self { fingerprint, contract: None, metas, views, embeddings })
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
