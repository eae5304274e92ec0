// SPDX-License-Identifier: MIT OR Apache-2.0

//! What happens between the matrix products of a transformer, a row of values at a time.

use super::simd::Simd;
use super::{Elementwise, NormTask};

/// Partial sums that are kept apart, to hide the latency of an addition.
const SUMS: usize = 4;

/// e^x; 0 and ∞ are approached, not reached (|x| is limited to 87).
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2; ln 2 is subtracted in two parts (Cody and Waite 1980) and
/// e^r is its Taylor polynomial of degree 7, whose remainder is below 1e-8.
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller checked for the instruction set; no memory is touched.
    unsafe {
        let x = S::clamp(x, S::splat(-87.0), S::splat(87.0));
        // Adding and subtracting 1.5 · 2²³ rounds to a whole number.
        let magic = S::splat(12_582_912.0);
        let n = S::add(
            S::mul_add(x, S::splat(std::f32::consts::LOG2_E), magic),
            S::splat(-12_582_912.0),
        );
        let r = S::mul_add(n, S::splat(-0.693_359_4), x);
        let r = S::mul_add(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.0 / 5040.0);
        for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = S::mul_add(p, r, S::splat(c));
        }
        S::mul(p, S::pow2(n))
    }
}

/// The error function by a rational minimax approximation on [−4, 4], beyond which it is ±1 in
/// `f32` (coefficients of Eigen's and XLA's `erf`).
#[inline(always)]
unsafe fn erf<S: Simd>(x: S::V) -> S::V {
    const P: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_5e-4,
        -2.954_598e-3,
        -1.609_603_3e-2,
    ];
    const Q: [f32; 5] =
        [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    // SAFETY: the caller checked for the instruction set; no memory is touched.
    unsafe {
        let x = S::clamp(x, S::splat(-4.0), S::splat(4.0));
        let x2 = S::mul(x, x);
        let mut p = S::splat(P[0]);
        for c in &P[1..] {
            p = S::mul_add(p, x2, S::splat(*c));
        }
        let mut q = S::splat(Q[0]);
        for c in &Q[1..] {
            q = S::mul_add(q, x2, S::splat(*c));
        }
        S::div(S::mul(x, p), q)
    }
}

#[inline(always)]
unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller checked for the instruction set; no memory is touched.
    unsafe {
        let one = S::splat(1.0);
        S::div(one, S::add(one, exp::<S>(S::mul(x, S::splat(-1.0)))))
    }
}

/// The lanes brought together by halves.
#[inline(always)]
unsafe fn fold<S: Simd>(v: S::V, both: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; 16];
    // SAFETY: the caller checked for the instruction set; no vector has more than 16 lanes.
    unsafe { S::store(lanes.as_mut_ptr(), v) };
    let mut half = S::LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = both(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Σ (v + shift), or Σ (v + shift)² where `SQUARE`, over `n_vectors` vectors at `p`.
///
/// # Safety
/// `p` must be valid for them; the instruction set of `S` must be available.
#[inline(always)]
unsafe fn sum<S: Simd, const SQUARE: bool>(p: *const f32, n_vectors: usize, shift: S::V) -> f32 {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = [S::splat(0.0); SUMS];
        for i in 0..n_vectors {
            let value = S::add(S::load(p.add(i * S::LANES)), shift);
            let sum = &mut sums[i % SUMS];
            *sum = if SQUARE { S::mul_add(value, value, *sum) } else { S::add(*sum, value) };
        }
        let sum = S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]));
        fold::<S>(sum, |a, b| a + b)
    }
}

/// (x − mean) / √(variance + ε) · weight + bias over each row.
///
/// # Safety
/// See [`NormTask`]; the instruction set of `S` must be available.
#[inline(always)]
pub(super) unsafe fn layer_norm<S: Simd>(t: &NormTask) {
    // SAFETY: `NormTask`'s fields promise `n_vectors * LANES` values in every row, in the weight
    // and in the bias.
    unsafe {
        let n = (t.n_vectors * S::LANES) as f32;
        for row in 0..t.n_rows {
            let from = t.input.add(row * t.n_vectors * S::LANES);
            let to = t.out.add(row * t.n_vectors * S::LANES);
            let shift = S::splat(-sum::<S, false>(from, t.n_vectors, S::splat(0.0)) / n);
            let variance = sum::<S, true>(from, t.n_vectors, shift) / n;
            let scale = S::splat(1.0 / (variance + t.eps).sqrt());
            for i in (0..t.n_vectors).map(|i| i * S::LANES) {
                let v = S::mul(S::add(S::load(from.add(i)), shift), scale);
                let v = S::mul_add(v, S::load(t.weight.add(i)), S::load(t.bias.add(i)));
                S::store(to.add(i), v);
            }
        }
    }
}

/// exp(x − max) / Σ exp(x − max) over a row of `n_vectors`.
///
/// # Safety
/// `row` must be valid for them; the instruction set of `S` must be available.
#[inline(always)]
pub(super) unsafe fn softmax<S: Simd>(row: *mut f32, n_vectors: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut largest = S::load(row);
        for i in 1..n_vectors {
            largest = S::max(largest, S::load(row.add(i * S::LANES)));
        }
        let shift = S::splat(-fold::<S>(largest, f32::max));
        let mut sums = [S::splat(0.0); SUMS];
        for i in 0..n_vectors {
            let at = row.add(i * S::LANES);
            let value = exp::<S>(S::add(S::load(at), shift));
            S::store(at, value);
            sums[i % SUMS] = S::add(sums[i % SUMS], value);
        }
        let sum = S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]));
        let factor = S::splat(1.0 / fold::<S>(sum, |a, b| a + b));
        for i in (0..n_vectors).map(|i| i * S::LANES) {
            S::store(row.add(i), S::mul(S::load(row.add(i)), factor));
        }
    }
}

/// Applies an activation to `n_vectors` vectors in place; a gated one reads its gates at `gate`.
///
/// # Safety
/// `values` and, for [`Elementwise::SwiGlu`], `gate` must be valid for them; the instruction set
/// of `S` must be available.
#[inline(always)]
pub(super) unsafe fn elementwise<S: Simd>(
    what: Elementwise,
    values: *mut f32,
    gate: *const f32,
    n_vectors: usize,
) {
    // SAFETY: promised by the caller.
    unsafe {
        for i in (0..n_vectors).map(|i| i * S::LANES) {
            let x = S::load(values.add(i));
            let y = match what {
                Elementwise::Gelu => {
                    let half = S::mul(x, S::splat(0.5));
                    let root = S::splat(std::f32::consts::FRAC_1_SQRT_2);
                    S::mul_add(half, erf::<S>(S::mul(x, root)), half)
                }
                Elementwise::QuickGelu => S::mul(x, sigmoid::<S>(S::mul(x, S::splat(1.702)))),
                Elementwise::SwiGlu => S::mul(S::mul(x, sigmoid::<S>(x)), S::load(gate.add(i))),
            };
            S::store(values.add(i), y);
        }
    }
}
