// SPDX-License-Identifier: MIT OR Apache-2.0

use super::NormTask;
use super::isa::Kernels;

/// Functions of single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Elementwise {
    /// x · Φ(x).
    Gelu,
    /// x · sigmoid(1.702 x).
    QuickGelu,
    /// x · sigmoid(x) times a gate.
    SwiGlu,
}

/// Normalises rows of `weight.len()` values, which must be whole vectors; others are left as they
/// are.
pub(in super::super) fn layer_norm_rows(
    kernels: &Kernels,
    input: &[f32],
    (weight, bias): (&[f32], &[f32]),
    eps: f32,
    out: &mut [f32],
) {
    let n = weight.len();
    if n == 0 || !n.is_multiple_of(kernels.lanes) {
        return;
    }
    let n_rows = out.len() / n;
    let task = NormTask {
        input: input[..n_rows * n].as_ptr(),
        weight: weight.as_ptr(),
        bias: bias[..n].as_ptr(),
        out: out[..n_rows * n].as_mut_ptr(),
        n_rows,
        n_vectors: n / kernels.lanes,
        eps,
    };
    // SAFETY: a `Kernels` exists only where its instruction set does; the slices hold `n_rows`
    // rows of whole vectors, and one of weight and bias.
    unsafe { (kernels.layer_norm)(&task) };
}

/// Softmax over the first `n` values of a row, whose whole vectors must fit; those after `n` in
/// the last vector become 0.
pub(in super::super) fn softmax_row(kernels: &Kernels, row: &mut [f32], n: usize) {
    if n == 0 {
        return;
    }
    let padded = n.next_multiple_of(kernels.lanes);
    let row = &mut row[..padded];
    row[n..].fill(f32::NEG_INFINITY);
    // SAFETY: a `Kernels` exists only where its instruction set does; `row` holds whole vectors.
    unsafe { (kernels.softmax)(row.as_mut_ptr(), padded / kernels.lanes) };
    row[n..].fill(0.0);
}

/// Applies `what` to whole vectors of `values`; `gate`, as long, is read by a gated one.
pub(in super::super) fn apply(
    kernels: &Kernels,
    what: Elementwise,
    values: &mut [f32],
    gate: &[f32],
) {
    let n_vectors = values.len() / kernels.lanes;
    let gate = if what == Elementwise::SwiGlu {
        gate[..n_vectors * kernels.lanes].as_ptr()
    } else {
        std::ptr::null()
    };
    // SAFETY: a `Kernels` exists only where its instruction set does; `values`, and `gate` where
    // it is read, hold that many whole vectors.
    unsafe { (kernels.elementwise)(what, values.as_mut_ptr(), gate, n_vectors) };
}
