// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::Range;

use eosin_core::Matrix;
use rayon::prelude::*;

use crate::wide::wide;

/// Runs of rows that are summed apart; a number of its own, so that sums do not depend on threads.
const CHUNKS: usize = 16;

/// Mean and standard deviation of every feature, by which a penalty means the same for every
/// backbone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standardizer {
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Standardizer {
    /// Weighted moments of the rows; a feature that does not vary gets scale 1.
    pub fn fit(features: &Matrix, weights: &[f32]) -> Self {
        let d = features.n_cols();
        let length = features.n_rows().div_ceil(CHUNKS).max(1);
        // Sums of differences from a row keep the digits that a large mean would take.
        let origin: Vec<f64> =
            features.rows().next().unwrap_or_default().iter().map(|&x| f64::from(x)).collect();
        let parts: Vec<Moments> = (0..features.n_rows())
            .step_by(length)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|start| {
                let end = (start + length).min(features.n_rows());
                let rows = &features.values()[start * d..end * d];
                Moments::of(rows, &weights[start..end], &origin)
            })
            .collect();
        let mut all = Moments::new(d);
        for part in &parts {
            all.add(part);
        }
        all.standardizer(&origin)
    }

    /// (x − mean) / scale, row after row, rounded to `f32` after the arithmetic.
    pub fn apply(&self, features: &Matrix) -> Vec<f32> {
        let mut values = vec![0.0; features.values().len()];
        values.par_chunks_mut(self.mean.len().max(1)).enumerate().for_each(|(i, out)| {
            let row = self.standardized(features.row(i), 0..self.mean.len());
            for (out, value) in out.iter_mut().zip(row) {
                *out = value;
            }
        });
        values
    }

    /// The given columns of a row, standardised.
    pub fn standardized<'a>(
        &'a self,
        row: &'a [f32],
        columns: Range<usize>,
    ) -> impl Iterator<Item = f32> + 'a {
        let standard = self.mean[columns.clone()].iter().zip(&self.scale[columns.clone()]);
        row[columns].iter().zip(standard).map(|(&x, (m, s))| ((f64::from(x) - m) / s) as f32)
    }
}

wide! {
    pub(crate) fn add_moments<'a>(
        rows: &'a [f32],
        weights: &'a [f32],
        origin: &'a [f64],
        to: &'a mut Moments,
    ) -> () {
        for (row, &weight) in rows.chunks_exact(origin.len()).zip(weights) {
            let weight = f64::from(weight);
            to.weight += weight;
            let sums = to.sums.iter_mut().zip(to.squares.iter_mut());
            for ((sum, square), (&x, o)) in sums.zip(row.iter().zip(origin)) {
                let x = f64::from(x) - o;
                *sum += weight * x;
                *square += weight * x * x;
            }
        }
    }
}

/// Weighted sums over some rows.
pub(crate) struct Moments {
    weight: f64,
    /// Of differences from the origin.
    sums: Vec<f64>,
    /// Of their squares.
    squares: Vec<f64>,
}

impl Moments {
    fn new(d: usize) -> Self {
        Self { weight: 0.0, sums: vec![0.0; d], squares: vec![0.0; d] }
    }

    fn of(rows: &[f32], weights: &[f32], origin: &[f64]) -> Self {
        let mut all = Self::new(origin.len());
        add_moments(rows, weights, origin, &mut all);
        all
    }

    fn add(&mut self, other: &Self) {
        self.weight += other.weight;
        for (to, from) in self.sums.iter_mut().zip(&other.sums) {
            *to += from;
        }
        for (to, from) in self.squares.iter_mut().zip(&other.squares) {
            *to += from;
        }
    }

    fn standardizer(&self, origin: &[f64]) -> Standardizer {
        let mut mean = Vec::with_capacity(origin.len());
        let mut scale = Vec::with_capacity(origin.len());
        for ((sum, square), o) in self.sums.iter().zip(&self.squares).zip(origin) {
            let shift = sum / self.weight;
            let square = square / self.weight;
            let variance = (square - shift * shift).max(0.0);
            mean.push(o + shift);
            // What rounding leaves of equal values is no variation.
            let varies = variance > 1e-13 * square && variance.sqrt() > 1e-12 * o.abs();
            scale.push(if varies { variance.sqrt() } else { 1.0 });
        }
        Standardizer { mean, scale }
    }
}
