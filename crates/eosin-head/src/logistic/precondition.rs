// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Error, Result};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::traits::ComplexField;
use faer::{Mat, MatMut, Par, Spec};
use rayon::prelude::*;

/// Bytes of factors that are kept; those of the step at hand are kept in any case.
pub(super) const KEPT_BYTES: usize = 96 << 20;
/// Ratios above this share of the Gram matrix's norm are served by factors in `f32`, whose rounding
/// is then far below what they approximate.
const SINGLE: f64 = 1e-6;

/// Inverses of G + ρI for the ratios ρ = λ/c that occur, by Cholesky factors made when needed.
///
/// c·G + λI approximates the Hessian of a logistic loss whose second derivatives are about c, so
/// one Gram matrix G serves every penalty, class and task.
pub(crate) struct Preconditioner {
    gram: Mat<f64>,
    /// Frobenius norm of the Gram matrix, which bounds its largest eigenvalue.
    norm: f64,
    factors: BTreeMap<u64, Factor>,
    clock: u64,
}

struct Factor {
    lower: Lower,
    used: u64,
}

enum Lower {
    Single(Mat<f32>),
    Double(Mat<f64>),
}

impl Preconditioner {
    pub fn new(gram: Mat<f64>) -> Self {
        Self { norm: gram.norm_l2(), gram, factors: BTreeMap::new(), clock: 0 }
    }

    /// Solves (G + ρI) u = v in place for each column v with its ratio ρ.
    pub fn solve(&mut self, columns: &mut [(f64, &mut [f64])]) -> Result<()> {
        let mut groups: BTreeMap<u64, Vec<&mut [f64]>> = BTreeMap::new();
        for (ratio, column) in columns {
            groups.entry(key(*ratio)).or_default().push(column);
        }
        self.prepare(&groups.keys().copied().collect::<Vec<_>>())?;
        let tasks: Vec<(u64, Vec<&mut [f64]>)> = groups.into_iter().collect();
        tasks.into_par_iter().for_each(|(key, mut columns)| {
            match self.factors.get(&key).map(|factor| &factor.lower) {
                Some(Lower::Single(lower)) => solve_single(lower, &mut columns),
                Some(Lower::Double(lower)) => solve_columns(lower, &mut columns),
                None => {}
            }
        });
        Ok(())
    }

    fn prepare(&mut self, keys: &[u64]) -> Result<()> {
        self.clock += 1;
        let missing: Vec<u64> =
            keys.iter().copied().filter(|k| !self.factors.contains_key(k)).collect();
        let limit = KEPT_BYTES / factor_bytes(self.gram.nrows());
        while !self.factors.is_empty() && self.factors.len() + missing.len() > limit {
            let unused = self.factors.iter().filter(|(k, _)| !keys.contains(k));
            let Some(oldest) = unused.min_by_key(|(k, f)| (f.used, **k)).map(|(k, _)| *k) else {
                break;
            };
            self.factors.remove(&oldest);
        }
        let made: Result<Vec<Lower>> =
            missing.par_iter().map(|&k| self.lower(f64::from_bits(k))).collect();
        for (key, lower) in missing.into_iter().zip(made?) {
            self.factors.insert(key, Factor { lower, used: 0 });
        }
        for key in keys {
            if let Some(factor) = self.factors.get_mut(key) {
                factor.used = self.clock;
            }
        }
        Ok(())
    }

    fn lower(&self, ratio: f64) -> Result<Lower> {
        if ratio > SINGLE * self.norm
            && let Some(lower) = cholesky(self.single(ratio))
        {
            return Ok(Lower::Single(lower));
        }
        factor(&self.gram, ratio).map(Lower::Double)
    }

    fn single(&self, ratio: f64) -> Mat<f32> {
        let d = self.gram.nrows();
        let mut matrix = Mat::zeros(d, d);
        for j in 0..d {
            let column = self.gram.col(j).iter();
            for (to, &from) in matrix.col_mut(j).iter_mut().zip(column) {
                *to = from as f32;
            }
            matrix[(j, j)] = (self.gram[(j, j)] + ratio) as f32;
        }
        matrix
    }
}

/// Bytes that a factor of d features takes, mostly.
pub(super) fn factor_bytes(d: usize) -> usize {
    (4 * d * d).max(1)
}

/// Ratios are rounded to powers of 2, so that columns share factors.
fn key(ratio: f64) -> u64 {
    ratio.log2().round().exp2().to_bits()
}

/// Solves L Lᵀ u = v in place for each column.
pub(crate) fn solve_columns(lower: &Mat<f64>, columns: &mut [&mut [f64]]) {
    let mut packed: Vec<f64> = columns.iter().flat_map(|c| c.iter().copied()).collect();
    solve_packed(lower, &mut packed, columns.len());
    for (column, solved) in columns.iter_mut().zip(packed.chunks_exact(lower.nrows())) {
        column.copy_from_slice(solved);
    }
}

/// The same in `f32`, each column scaled to length 1 before so that it stays in range.
fn solve_single(lower: &Mat<f32>, columns: &mut [&mut [f64]]) {
    let mut lengths = Vec::with_capacity(columns.len());
    let mut packed = Vec::with_capacity(columns.len() * lower.nrows());
    for column in columns.iter() {
        let length = column.iter().map(|v| v * v).sum::<f64>().sqrt();
        let length = if length > 0.0 { length } else { 1.0 };
        packed.extend(column.iter().map(|v| (v / length) as f32));
        lengths.push(length);
    }
    solve_packed(lower, &mut packed, columns.len());
    let solved = packed.chunks_exact(lower.nrows());
    for ((column, solved), length) in columns.iter_mut().zip(solved).zip(lengths) {
        for (to, &from) in column.iter_mut().zip(solved) {
            *to = length * f64::from(from);
        }
    }
}

fn solve_packed<T: ComplexField>(lower: &Mat<T>, packed: &mut [T], n_columns: usize) {
    let mut rhs = MatMut::from_column_major_slice_mut(packed, lower.nrows(), n_columns);
    solve_lower_triangular_in_place(lower.as_ref(), rhs.as_mut(), Par::Seq);
    solve_upper_triangular_in_place(lower.transpose(), rhs.as_mut(), Par::Seq);
}

/// Whether a Gram matrix of these weights, to which the penalty is added, must be made in `f64`.
///
/// Rounding of `f32` products is noise of about a millionth of the diagonal, which must stay below
/// what the penalty adds to it.
pub(super) fn needs_exact(weights: &[f32], penalty: f64) -> bool {
    penalty < 1e-5 * weights.iter().copied().map(f64::from).sum::<f64>()
}

/// The Cholesky factor of G + ρI, with more on the diagonal where rounding makes that indefinite.
pub(crate) fn factor(gram: &Mat<f64>, ratio: f64) -> Result<Mat<f64>> {
    let d = gram.nrows();
    let mean = (0..d).map(|i| gram[(i, i)]).sum::<f64>() / d as f64;
    for jitter in [0.0, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3] {
        let mut matrix = gram.clone();
        for i in 0..d {
            matrix[(i, i)] += ratio + jitter * mean;
        }
        if let Some(lower) = cholesky(matrix) {
            return Ok(lower);
        }
    }
    Err(Error::input(
        "features",
        "values whose products are finite",
        "values that overflow",
        "check the embeddings for values far from the rest",
    ))
}

/// The Cholesky factor of a matrix, in its place, if it has one.
fn cholesky<T: ComplexField>(mut matrix: Mat<T>) -> Option<Mat<T>> {
    let scratch = cholesky_in_place_scratch::<T>(matrix.nrows(), Par::Seq, Spec::default());
    let mut memory = MemBuffer::new(scratch);
    cholesky_in_place(
        matrix.as_mut(),
        LltRegularization::default(),
        Par::Seq,
        MemStack::new(&mut memory),
        Spec::default(),
    )
    .is_ok()
    .then_some(matrix)
}
