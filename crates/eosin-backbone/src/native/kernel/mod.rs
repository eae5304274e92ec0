// SPDX-License-Identifier: MIT OR Apache-2.0

//! The instruction sets, their kernels, and the checked calls into them.
//!
//! This is the only module with `unsafe` code. What is public in it is safe: `conv_rows` and
//! `depthwise_rows` slice their operands to the last value that a kernel will touch, which fails
//! before any pointer is made if the sizes do not fit.

#![expect(unsafe_code, reason = "vector instructions and unchecked inner loops; see the module")]
// `#[inline(always)]` is what carries a caller's instruction set into the generic kernels.
#![expect(clippy::inline_always, reason = "instruction sets are inherited by inlining only")]

mod call;
mod call_rows;
mod call_winograd;
mod generic;
mod int8;
mod isa;
#[cfg(target_arch = "aarch64")]
mod neon;
mod rowwise;
mod simd;
mod winograd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use call::{ConvCall, DepthwiseCall, Panel, Pixels, Window, conv_rows, depthwise_rows};
pub(super) use call_rows::{Elementwise, apply, layer_norm_rows, softmax_row};
pub(super) use call_winograd::{Finish, Tiles, winograd_input, winograd_output};
pub(super) use int8::{Int8Call, Int8Kernels, QUAD};
pub use isa::Isa;
pub(super) use isa::Kernels;

/// One register tile of a convolution, possibly of a part of its input channels.
struct TileTask<'a> {
    /// First input value of the first pixel.
    input: *const f32,
    /// From pixel to pixel.
    input_px: usize,
    /// Where contiguous runs of input values start, relative to a pixel.
    runs: &'a [usize],
    /// Values in a run.
    run_len: usize,
    /// Weights: for each input value, one per output channel of the tile.
    panel: *const f32,
    bias: *const f32,
    /// First output channel of the first pixel.
    out: *mut f32,
    /// From pixel to pixel, also of the residual.
    out_px: usize,
    /// Added before the limits; null for none.
    residual: *const f32,
    /// Lower and upper limit.
    clamp: [f32; 2],
    /// Start from the bias rather than from what `out` holds.
    first: bool,
    /// Finish with residual and limits.
    last: bool,
    /// Weights that will be needed next, asked for at every input value, and how far apart.
    next: *const f32,
    next_step: usize,
}

/// Some output rows of a depthwise convolution.
struct DepthwiseTask<'a> {
    input: *const f32,
    /// Offsets of the K input rows of every output row.
    rows: &'a [usize],
    /// From pixel to pixel, of input and output.
    px: usize,
    /// For each vector of channels K² vectors.
    weights: *const f32,
    bias: *const f32,
    out: *mut f32,
    /// From output row to output row.
    out_row: usize,
    /// Output pixels in a row.
    width: usize,
    /// Vectors of channels.
    n_vectors: usize,
    /// Lower and upper limit.
    clamp: [f32; 2],
}

/// Rows to normalise.
struct NormTask {
    input: *const f32,
    weight: *const f32,
    bias: *const f32,
    out: *mut f32,
    n_rows: usize,
    /// Vectors in a row.
    n_vectors: usize,
    /// Added to the variance.
    eps: f32,
}

/// Tiles of a map, and matrices with a row of channels per tile.
struct WinogradTask {
    /// First pixel of the first tile.
    map: *mut f32,
    /// From row to row, also of the residual.
    map_row: usize,
    /// From pixel to pixel, also of the residual.
    map_px: usize,
    tiles_y: usize,
    tiles_x: usize,
    /// Vectors of channels.
    n_vectors: usize,
    matrices: *mut f32,
    /// From matrix to matrix.
    matrix: usize,
    /// From row to row of a matrix.
    matrix_px: usize,
    /// Of an output transform.
    bias: *const f32,
    /// Added before the limits; null for none.
    residual: *const f32,
    /// Lower and upper limit.
    clamp: [f32; 2],
}
