// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kernels, written once over [`Simd`] and instantiated per instruction set.

use super::simd::Simd;
use super::{DepthwiseTask, TileTask};

/// `MR` pixels × `NV` vectors of output channels, held in registers over the whole pass.
///
/// # Safety
/// See [`TileTask`]; the instruction set of `S` must be available.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(t: &TileTask<'_>) {
    // SAFETY: `TileTask`'s fields promise that every pixel has `run_len` values at every run,
    // that the panel has `NV * LANES` values for each of them, and that bias, output and residual
    // have `NV * LANES` values for each pixel.
    unsafe {
        let mut acc = [[S::load(t.bias); NV]; MR];
        if t.first {
            for v in 1..NV {
                let bias = S::load(t.bias.add(v * S::LANES));
                for row in &mut acc {
                    row[v] = bias;
                }
            }
        } else {
            for (r, row) in acc.iter_mut().enumerate() {
                for (v, value) in row.iter_mut().enumerate() {
                    *value = S::load(t.out.add(r * t.out_px + v * S::LANES));
                }
            }
        }
        if t.last {
            // What the epilogue reads and writes may be far away; it is needed only then.
            for r in 0..MR {
                for v in 0..NV {
                    let at = r * t.out_px + v * S::LANES;
                    S::prefetch(t.out.wrapping_add(at));
                    if !t.residual.is_null() {
                        S::prefetch(t.residual.wrapping_add(at));
                    }
                }
            }
        }
        let (mut panel, mut next) = (t.panel, t.next);
        for &run in t.runs {
            let input = t.input.add(run);
            for k in 0..t.run_len {
                let mut b = [S::load(panel); NV];
                for (v, value) in b.iter_mut().enumerate().skip(1) {
                    *value = S::load(panel.add(v * S::LANES));
                }
                for (r, row) in acc.iter_mut().enumerate() {
                    let a = S::splat(*input.add(r * t.input_px + k));
                    for v in 0..NV {
                        row[v] = S::mul_add(a, b[v], row[v]);
                    }
                }
                panel = panel.add(NV * S::LANES);
                S::prefetch(next);
                next = next.wrapping_add(t.next_step);
            }
        }
        if t.last {
            if !t.residual.is_null() {
                for (r, row) in acc.iter_mut().enumerate() {
                    for (v, value) in row.iter_mut().enumerate() {
                        let residual = S::load(t.residual.add(r * t.out_px + v * S::LANES));
                        *value = S::add(*value, residual);
                    }
                }
            }
            let (lo, hi) = (S::splat(t.clamp[0]), S::splat(t.clamp[1]));
            for value in acc.as_flattened_mut() {
                *value = S::clamp(*value, lo, hi);
            }
        }
        for (r, row) in acc.iter().enumerate() {
            for (v, value) in row.iter().enumerate() {
                S::store(t.out.add(r * t.out_px + v * S::LANES), *value);
            }
        }
    }
}

/// A `K` × `K` depthwise convolution with step `STRIDE`.
///
/// Channels go outermost, one vector at a time: its weights stay in registers and its input
/// columns in the first-level cache while the rows are swept.
///
/// # Safety
/// See [`DepthwiseTask`]; the instruction set of `S` must be available.
#[inline(always)]
pub(super) unsafe fn depthwise<S: Simd, const K: usize, const STRIDE: usize, const WIDE: usize>(
    t: &DepthwiseTask<'_>,
) {
    // SAFETY: `DepthwiseTask`'s fields promise `n_vectors * LANES` values at every input pixel
    // that a window touches, at every output pixel and in the bias, and K² times that in the
    // weights.
    unsafe {
        let (lo, hi) = (S::splat(t.clamp[0]), S::splat(t.clamp[1]));
        for vector in 0..t.n_vectors {
            let c = vector * S::LANES;
            let weights = t.weights.add(c * K * K);
            let mut w = [[S::load(weights); K]; K];
            for (tap, value) in w.as_flattened_mut().iter_mut().enumerate() {
                *value = S::load(weights.add(tap * S::LANES));
            }
            let bias = S::load(t.bias.add(c));
            for (y, rows) in t.rows.chunks_exact(K).enumerate() {
                let rows: [*const f32; K] = std::array::from_fn(|ky| t.input.add(rows[ky] + c));
                let out = t.out.add(y * t.out_row + c);
                let mut x = 0;
                while x + WIDE <= t.width {
                    window::<S, K, STRIDE, WIDE>(t, &rows, &w, bias, lo, hi, x, out);
                    x += WIDE;
                }
                while x + 2 <= t.width {
                    window::<S, K, STRIDE, 2>(t, &rows, &w, bias, lo, hi, x, out);
                    x += 2;
                }
                if x < t.width {
                    window::<S, K, STRIDE, 1>(t, &rows, &w, bias, lo, hi, x, out);
                }
            }
        }
    }
}

/// `T` neighbouring outputs of one channel vector.
///
/// # Safety
/// As for [`depthwise`], which calls it.
#[expect(clippy::too_many_arguments, reason = "registers of the loop around it, not an interface")]
#[inline(always)]
unsafe fn window<S: Simd, const K: usize, const STRIDE: usize, const T: usize>(
    t: &DepthwiseTask<'_>,
    rows: &[*const f32; K],
    w: &[[S::V; K]; K],
    bias: S::V,
    lo: S::V,
    hi: S::V,
    x: usize,
    out: *mut f32,
) {
    // SAFETY: as for `depthwise`; columns up to (x + T − 1) · STRIDE + K − 1 lie in the row.
    unsafe {
        let mut acc = [bias; T];
        for ky in 0..K {
            let row = rows[ky].add(x * STRIDE * t.px);
            for column in 0..(T - 1) * STRIDE + K {
                let value = S::load(row.add(column * t.px));
                for (i, acc) in acc.iter_mut().enumerate() {
                    let first = i * STRIDE;
                    if column >= first && column < first + K {
                        *acc = S::mul_add(value, w[ky][column - first], *acc);
                    }
                }
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            S::store(out.add((x + i) * t.px), S::clamp(*acc, lo, hi));
        }
    }
}
