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
use faer::{Mat, MatMut, Par, Spec};
use rayon::prelude::*;

/// Bytes of factors that are kept; those of the step at hand are kept in any case.
const KEPT_BYTES: usize = 128 << 20;

/// Inverses of G + ρI for the ratios ρ = λ/c that occur, by Cholesky factors made when needed.
///
/// c·G + λI approximates the Hessian of a logistic loss whose second derivatives are about c, so
/// one Gram matrix G serves every penalty, class and task.
pub(crate) struct Preconditioner {
    gram: Mat<f64>,
    factors: BTreeMap<u64, Factor>,
    clock: u64,
}

struct Factor {
    lower: Mat<f64>,
    used: u64,
}

impl Preconditioner {
    pub fn new(gram: Mat<f64>) -> Self {
        Self { gram, factors: BTreeMap::new(), clock: 0 }
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
            if let Some(factor) = self.factors.get(&key) {
                solve_columns(&factor.lower, &mut columns);
            }
        });
        Ok(())
    }

    fn prepare(&mut self, keys: &[u64]) -> Result<()> {
        self.clock += 1;
        let missing: Vec<u64> =
            keys.iter().copied().filter(|k| !self.factors.contains_key(k)).collect();
        let limit = KEPT_BYTES / (8 * self.gram.nrows().pow(2)).max(1);
        while !self.factors.is_empty() && self.factors.len() + missing.len() > limit {
            let unused = self.factors.iter().filter(|(k, _)| !keys.contains(k));
            let Some(oldest) = unused.min_by_key(|(k, f)| (f.used, **k)).map(|(k, _)| *k) else {
                break;
            };
            self.factors.remove(&oldest);
        }
        let made: Result<Vec<Mat<f64>>> =
            missing.par_iter().map(|&k| factor(&self.gram, f64::from_bits(k))).collect();
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
}

/// Ratios are rounded to powers of 2, so that columns share factors.
fn key(ratio: f64) -> u64 {
    ratio.log2().round().exp2().to_bits()
}

/// Solves L Lᵀ u = v in place for each column.
pub(crate) fn solve_columns(lower: &Mat<f64>, columns: &mut [&mut [f64]]) {
    let d = lower.nrows();
    let mut packed: Vec<f64> = columns.iter().flat_map(|c| c.iter().copied()).collect();
    let mut rhs = MatMut::from_column_major_slice_mut(&mut packed, d, columns.len());
    solve_lower_triangular_in_place(lower.as_ref(), rhs.as_mut(), Par::Seq);
    solve_upper_triangular_in_place(lower.transpose(), rhs.as_mut(), Par::Seq);
    for (column, solved) in columns.iter_mut().zip(packed.chunks_exact(d)) {
        column.copy_from_slice(solved);
    }
}

/// The Cholesky factor of G + ρI, with more on the diagonal where rounding makes that indefinite.
pub(crate) fn factor(gram: &Mat<f64>, ratio: f64) -> Result<Mat<f64>> {
    let d = gram.nrows();
    let mean = (0..d).map(|i| gram[(i, i)]).sum::<f64>() / d as f64;
    let scratch = cholesky_in_place_scratch::<f64>(d, Par::Seq, Spec::default());
    let mut memory = MemBuffer::new(scratch);
    for jitter in [0.0, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3] {
        let mut factor = gram.clone();
        for i in 0..d {
            factor[(i, i)] += ratio + jitter * mean;
        }
        let done = cholesky_in_place(
            factor.as_mut(),
            LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut memory),
            Spec::default(),
        );
        if done.is_ok() {
            return Ok(factor);
        }
    }
    Err(Error::input(
        "features",
        "values whose products are finite",
        "values that overflow",
        "check the embeddings for values far from the rest",
    ))
}
