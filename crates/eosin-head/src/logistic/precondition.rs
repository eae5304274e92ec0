// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};

use eosin_core::{Error, Result};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, MatMut, Par};
use rayon::prelude::*;

/// Above so many distinct ratios they are rounded to powers of √2.
const EXACT_RATIOS: usize = 24;

/// Inverses of G + ρI for the ratios ρ = λ/c that occur, by Cholesky factors.
///
/// c·G + λI approximates the Hessian of a logistic loss whose second derivatives are about c, so
/// one Gram matrix G serves every penalty, class and task.
pub(crate) struct Preconditioner {
    exact: bool,
    factors: BTreeMap<u64, Mat<f64>>,
}

impl Preconditioner {
    pub fn new(gram: &Mat<f64>, ratios: &[f64]) -> Result<Self> {
        let distinct: BTreeSet<u64> = ratios.iter().map(|r| r.to_bits()).collect();
        let exact = distinct.len() <= EXACT_RATIOS;
        let keys: BTreeSet<u64> = ratios.iter().map(|&r| key(r, exact)).collect();
        let factors: Result<Vec<(u64, Mat<f64>)>> =
            keys.into_par_iter().map(|key| Ok((key, factor(gram, f64::from_bits(key))?))).collect();
        Ok(Self { exact, factors: factors?.into_iter().collect() })
    }

    /// Solves (G + ρI) u = v in place for each column v with its ratio ρ.
    pub fn solve(&self, columns: &mut [(f64, &mut [f64])]) {
        let mut groups: BTreeMap<u64, Vec<&mut [f64]>> = BTreeMap::new();
        for (ratio, column) in columns {
            groups.entry(key(*ratio, self.exact)).or_default().push(column);
        }
        let tasks: Vec<(u64, Vec<&mut [f64]>)> = groups.into_iter().collect();
        tasks.into_par_iter().for_each(|(key, mut columns)| {
            let Some(factor) = self.factors.get(&key) else { return };
            let d = factor.nrows();
            let mut packed: Vec<f64> = columns.iter().flat_map(|c| c.iter().copied()).collect();
            let mut rhs = MatMut::from_column_major_slice_mut(&mut packed, d, columns.len());
            solve_lower_triangular_in_place(factor.as_ref(), rhs.as_mut(), Par::Seq);
            solve_upper_triangular_in_place(factor.transpose(), rhs.as_mut(), Par::Seq);
            for (column, solved) in columns.iter_mut().zip(packed.chunks_exact(d)) {
                column.copy_from_slice(solved);
            }
        });
    }
}

fn key(ratio: f64, exact: bool) -> u64 {
    if exact { ratio.to_bits() } else { ((ratio.log2() * 2.0).round() / 2.0).exp2().to_bits() }
}

/// The Cholesky factor of G + ρI, with more on the diagonal where rounding makes that indefinite.
fn factor(gram: &Mat<f64>, ratio: f64) -> Result<Mat<f64>> {
    let d = gram.nrows();
    let mean = (0..d).map(|i| gram[(i, i)]).sum::<f64>() / d as f64;
    let mut memory =
        MemBuffer::new(cholesky_in_place_scratch::<f64>(d, Par::Seq, Default::default()));
    for jitter in [0.0, 1e-12, 1e-9, 1e-6, 1e-3] {
        let mut factor = gram.clone();
        for i in 0..d {
            factor[(i, i)] += ratio + jitter * mean;
        }
        let done = cholesky_in_place(
            factor.as_mut(),
            Default::default(),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
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
