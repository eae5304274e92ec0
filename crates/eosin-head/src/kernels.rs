// SPDX-License-Identifier: MIT OR Apache-2.0

//! Inner loops, compiled for the widest vectors of the machine they run on.

#![allow(
    clippy::inline_always,
    clippy::needless_range_loop,
    clippy::needless_lifetimes,
    clippy::unused_unit,
    reason = "only what is inlined is compiled for wide vectors, and lanes are counted"
)]

use crate::wide::wide;

/// Columns up to which a block is walked by [`few_scores`] and [`few_gradients`] instead of a
/// matrix product, which would convert the block to `f64` first.
pub(crate) const FEW: usize = 3;

wide! {
    /// Turns scores of two classes into ω(σ(s) − y) and returns Σ ω σ(s)(1 − σ(s)).
    pub(crate) fn binary_residuals<'a>(
        scores: &'a mut [f64],
        weights: &'a [f32],
        targets: &'a [f32],
    ) -> f64 {
        for s in scores.iter_mut() {
            *s = sigmoid(*s);
        }
        residuals(scores, weights, targets)
    }
}

wide! {
    /// Turns scores of two classes into ω σ(s)(1 − σ(s)).
    pub(crate) fn binary_curvatures<'a>(scores: &'a mut [f64], weights: &'a [f32]) -> () {
        for (s, &w) in scores.iter_mut().zip(weights) {
            let p = sigmoid(*s);
            *s = f64::from(w) * p * (1.0 - p);
        }
    }
}

/// Turns scores into derivatives of ω·(t·max(0, 1 − s)² + (1 − t)·max(0, 1 + s)²) and returns the
/// sum of second derivatives.
pub(crate) fn hinge_residuals(scores: &mut [f64], weights: &[f32], targets: &[f32]) -> f64 {
    let mut sum = 0.0;
    for ((s, &w), &t) in scores.iter_mut().zip(weights).zip(targets) {
        let (w, t) = (f64::from(w), f64::from(t));
        sum += hinge_curvature(*s, w, t);
        *s = 2.0 * w * ((1.0 - t) * (1.0 + *s).max(0.0) - t * (1.0 - *s).max(0.0));
    }
    sum
}

/// Turns scores into the second derivatives of the same.
pub(crate) fn hinge_curvatures(scores: &mut [f64], weights: &[f32], targets: &[f32]) {
    for ((s, &w), &t) in scores.iter_mut().zip(weights).zip(targets) {
        *s = hinge_curvature(*s, f64::from(w), f64::from(t));
    }
}

wide! {
    /// Turns scores, column after column of `n` rows, into softmax probabilities of each row.
    pub(crate) fn softmax_columns<'a>(
        scores: &'a mut [f64],
        n: usize,
        scratch: &'a mut Vec<f64>,
    ) -> () {
        scratch.clear();
        scratch.resize(2 * n, 0.0);
        let (largest, sums) = scratch.split_at_mut(n);
        largest.fill(f64::NEG_INFINITY);
        for column in scores.chunks_exact(n) {
            for (m, &s) in largest.iter_mut().zip(column) {
                *m = if s > *m { s } else { *m };
            }
        }
        for column in scores.chunks_exact_mut(n) {
            for ((s, &m), sum) in column.iter_mut().zip(&*largest).zip(sums.iter_mut()) {
                *s = exp(*s - m);
                *sum += *s;
            }
        }
        for column in scores.chunks_exact_mut(n) {
            for (s, &sum) in column.iter_mut().zip(&*sums) {
                *s /= sum;
            }
        }
    }
}

wide! {
    /// Turns probabilities of one class into ω(p − y) and returns Σ ω p(1 − p).
    pub(crate) fn class_residuals<'a>(
        p: &'a mut [f64],
        weights: &'a [f32],
        targets: &'a [f32],
    ) -> f64 {
        residuals(p, weights, targets)
    }
}

/// Copies rows as `f64`.
pub(crate) fn widen(rows: &[f32], to: &mut Vec<f64>) {
    to.resize(rows.len(), 0.0);
    copy_wide(rows, to);
}

wide! {
    pub(crate) fn copy_wide<'a>(from: &'a [f32], to: &'a mut [f64]) -> () {
        for (to, &x) in to.iter_mut().zip(from) {
            *to = f64::from(x);
        }
    }
}

wide! {
    /// Adds rows · weights to the scores of each column, for few columns.
    pub(crate) fn few_scores<'a>(
        rows: &'a [f32],
        d: usize,
        weights: &'a [f64],
        scores: &'a mut [f64],
    ) -> () {
        let n = rows.len() / d;
        for (w, scores) in weights.chunks_exact(d).zip(scores.chunks_exact_mut(n)) {
            let mut quads = rows.chunks_exact(4 * d);
            let mut at = 0;
            for quad in &mut quads {
                let sums = dot4(quad, d, w);
                for (s, sum) in scores[at..at + 4].iter_mut().zip(sums) {
                    *s += sum;
                }
                at += 4;
            }
            for row in quads.remainder().chunks_exact(d) {
                scores[at] += dot1(row, w);
                at += 1;
            }
        }
    }
}

wide! {
    /// Adds Σ residual · row to the gradient of each column, for few columns.
    pub(crate) fn few_gradients<'a>(
        rows: &'a [f32],
        d: usize,
        residuals: &'a [f64],
        gradients: &'a mut [f64],
    ) -> () {
        let n = rows.len() / d;
        for (r, gradient) in residuals.chunks_exact(n).zip(gradients.chunks_exact_mut(d)) {
            let quads = rows.chunks_exact(4 * d);
            let rest = quads.remainder();
            for (quad, r) in quads.zip(r.chunks_exact(4)) {
                let (a, b) = quad.split_at(2 * d);
                let ((a0, a1), (b0, b1)) = (a.split_at(d), b.split_at(d));
                for ((((g, &x0), &x1), &x2), &x3) in
                    gradient.iter_mut().zip(a0).zip(a1).zip(b0).zip(b1)
                {
                    *g += (r[0] * f64::from(x0) + r[1] * f64::from(x1))
                        + (r[2] * f64::from(x2) + r[3] * f64::from(x3));
                }
            }
            for (row, &r) in rest.chunks_exact(d).zip(&r[n - rest.len() / d..]) {
                for (g, &x) in gradient.iter_mut().zip(row) {
                    *g += r * f64::from(x);
                }
            }
        }
    }
}

fn hinge_curvature(score: f64, weight: f64, target: f64) -> f64 {
    let below = if score < 1.0 { target } else { 0.0 };
    let above = if score > -1.0 { 1.0 - target } else { 0.0 };
    2.0 * weight * (below + above)
}

#[inline(always)]
fn dot4(quad: &[f32], d: usize, w: &[f64]) -> [f64; 4] {
    let (a, b) = quad.split_at(2 * d);
    let ((a0, a1), (b0, b1)) = (a.split_at(d), b.split_at(d));
    let mut sums = [[0.0_f64; 8]; 4];
    let whole = d - d % 8;
    let mut j = 0;
    while j < whole {
        let w8 = &w[j..j + 8];
        for (sum, row) in sums.iter_mut().zip([a0, a1, b0, b1]) {
            let x8 = &row[j..j + 8];
            for l in 0..8 {
                sum[l] += f64::from(x8[l]) * w8[l];
            }
        }
        j += 8;
    }
    let mut totals = [0.0; 4];
    for ((total, sum), row) in totals.iter_mut().zip(&sums).zip([a0, a1, b0, b1]) {
        let rest: f64 = row[whole..].iter().zip(&w[whole..]).map(|(&x, w)| f64::from(x) * w).sum();
        *total = sum.iter().sum::<f64>() + rest;
    }
    totals
}

#[inline(always)]
fn dot1(row: &[f32], w: &[f64]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (rows, ws) = (row.chunks_exact(8), w.chunks_exact(8));
    let rest: f64 =
        rows.remainder().iter().zip(ws.remainder()).map(|(&x, w)| f64::from(x) * w).sum();
    for (x, w) in rows.zip(ws) {
        for l in 0..8 {
            sums[l] += f64::from(x[l]) * w[l];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[inline(always)]
fn residuals(p: &mut [f64], weights: &[f32], targets: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let whole = p.len() - p.len() % 8;
    let eights = p.chunks_exact_mut(8).zip(weights.chunks_exact(8)).zip(targets.chunks_exact(8));
    for ((p, w), y) in eights {
        for l in 0..8 {
            let (pl, w) = (p[l], f64::from(w[l]));
            sums[l] += w * pl * (1.0 - pl);
            p[l] = w * (pl - f64::from(y[l]));
        }
    }
    let mut rest = 0.0;
    for ((p, &w), &y) in p[whole..].iter_mut().zip(&weights[whole..]).zip(&targets[whole..]) {
        rest += f64::from(w) * *p * (1.0 - *p);
        *p = f64::from(w) * (*p - f64::from(y));
    }
    sums.iter().sum::<f64>() + rest
}

#[inline(always)]
fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + exp(-score))
}

/// exp to about one unit in the last place, without branches, so that loops over it vectorise.
#[inline(always)]
fn exp(x: f64) -> f64 {
    /// 1.5 · 2⁵²: adding it rounds to a whole number, which is then in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts, the first with zeros at its end, so that k times it is exact.
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = if x > 708.0 { 708.0 } else { x };
    let x = if x < -708.0 { -708.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    // Σ rⁱ/i!; |r| ≤ ln(2)/2, so that the first term left out is below 2⁻⁵³.
    let mut p = 1.0 / 6_227_020_800.0;
    p = p * r + 1.0 / 479_001_600.0;
    p = p * r + 1.0 / 39_916_800.0;
    p = p * r + 1.0 / 3_628_800.0;
    p = p * r + 1.0 / 362_880.0;
    p = p * r + 1.0 / 40_320.0;
    p = p * r + 1.0 / 5_040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    let two_to_k = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    p * two_to_k
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_the_standard_library() {
        for i in -70_000..70_000 {
            let x = f64::from(i) * 0.01;
            assert!((exp(x) / x.exp() - 1.0).abs() < 4e-16, "{x}");
        }
        assert!(exp(-1e4) < 1e-300 && exp(1e4).is_finite());
    }
}
