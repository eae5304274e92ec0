// SPDX-License-Identifier: MIT OR Apache-2.0

use super::isa::Kernels;
use super::{DepthwiseTask, TileTask};

/// Where the pixels of some rows lie in a buffer.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Pixels {
    /// Offset of row 0, pixel 0.
    pub(in super::super) start: usize,
    /// From row to row.
    pub(in super::super) row: usize,
    /// From pixel to pixel.
    pub(in super::super) px: usize,
    /// Rows in the buffer, after which it starts again; `usize::MAX` for a whole image.
    pub(in super::super) ring: usize,
}

/// The input values under an output pixel: runs that are contiguous in the buffer.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Window<'a> {
    /// Where runs start, relative to the pixel.
    pub(in super::super) runs: &'a [usize],
    /// Values in a run.
    pub(in super::super) run_len: usize,
    /// Runs that are multiplied in one pass over the pixels.
    pub(in super::super) runs_per_pass: usize,
}

/// Weights of some output channels, packed for a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Panel {
    /// First output channel.
    pub(in super::super) channel: usize,
    /// Vectors of output channels.
    pub(in super::super) vectors: usize,
    /// Offset in the packed weights.
    pub(in super::super) offset: usize,
}

/// Rows of a convolution.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct ConvCall<'a> {
    pub(in super::super) panels: &'a [Panel],
    pub(in super::super) weights: &'a [f32],
    /// One value per output channel, padded to whole vectors.
    pub(in super::super) bias: &'a [f32],
    pub(in super::super) window: Window<'a>,
    pub(in super::super) clamp: [f32; 2],
    pub(in super::super) input: &'a [f32],
    /// Of output pixels in the input: strides are included, rows counted from the first output.
    pub(in super::super) from: Pixels,
    /// First output row; the input's row 0 belongs to output row 0.
    pub(in super::super) first_row: usize,
    pub(in super::super) n_rows: usize,
    pub(in super::super) width: usize,
    pub(in super::super) to: Pixels,
    /// Laid out as the output.
    pub(in super::super) residual: Option<&'a [f32]>,
}

/// Rows of a depthwise convolution.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct DepthwiseCall<'a> {
    /// 3 or 5; others compute nothing.
    pub(in super::super) kernel: usize,
    /// 1 or 2; others compute nothing.
    pub(in super::super) stride: usize,
    pub(in super::super) weights: &'a [f32],
    pub(in super::super) bias: &'a [f32],
    pub(in super::super) clamp: [f32; 2],
    pub(in super::super) input: &'a [f32],
    /// Offsets of the `kernel` input rows of every output row.
    pub(in super::super) rows: &'a [usize],
    /// Channels, padded to whole vectors: from pixel to pixel.
    pub(in super::super) channels: usize,
    /// Output pixels in a row.
    pub(in super::super) width: usize,
}

impl Pixels {
    /// Offset of a row's pixel 0.
    fn at_row(&self, row: usize) -> usize {
        self.start + (row % self.ring) * self.row
    }

    /// One past the last value of `n_rows` rows of `width` pixels of `n` values.
    fn end(&self, first_row: usize, n_rows: usize, width: usize, n: usize) -> usize {
        let last = (first_row + n_rows).min(self.ring) - 1;
        self.start + last * self.row + (width - 1) * self.px + n
    }
}

/// Computes rows of a convolution into `out`.
pub(in super::super) fn conv_rows(kernels: &Kernels, c: &ConvCall<'_>, out: &mut [f32]) {
    if c.n_rows == 0 || c.width == 0 {
        return;
    }
    let window = c.window;
    let reach = window.runs.iter().max().map_or(0, |last| last + window.run_len);
    let end_channel =
        c.panels.iter().map(|p| p.channel + p.vectors * kernels.lanes).max().unwrap_or(0);
    let per_channel = window.runs.len() * window.run_len;
    let end_weight = c
        .panels
        .iter()
        .map(|p| p.offset + per_channel * p.vectors * kernels.lanes)
        .max()
        .unwrap_or(0);
    // These slices are the bounds checks for every pointer below.
    let input = &c.input[..c.from.end(c.first_row, c.n_rows, c.width, reach)];
    let end_out = c.to.end(c.first_row, c.n_rows, c.width, end_channel);
    let out = &mut out[..end_out];
    let residual = c.residual.map(|r| &r[..end_out]);
    let weights = &c.weights[..end_weight];
    let bias = &c.bias[..end_channel];

    let n_tiles = c.width.div_ceil(kernels.pixels);
    let (narrow, n_wider) = (c.width / n_tiles, c.width % n_tiles);
    let n_passes = window.runs.len().div_ceil(window.runs_per_pass);
    for panel in c.panels {
        let lanes = panel.vectors * kernels.lanes;
        for (pass, runs) in window.runs.chunks(window.runs_per_pass).enumerate() {
            let offset = panel.offset + pass * window.runs_per_pass * window.run_len * lanes;
            let panel_weights = &weights[offset..];
            // While this pass computes, its tiles ask for the next one's weights, a share each.
            let n_values = runs.len() * window.run_len;
            let mut next = &panel_weights[(n_values * lanes).min(panel_weights.len())..];
            let share = next.len().min(n_values * lanes).div_ceil(c.n_rows * n_tiles);
            for row in c.first_row..c.first_row + c.n_rows {
                let (from, to) = (c.from.at_row(row), c.to.at_row(row) + panel.channel);
                let mut x = 0;
                for tile in 0..n_tiles {
                    let pixels = narrow + usize::from(tile < n_wider);
                    let to = to + x * c.to.px;
                    let task = TileTask {
                        input: input[from + x * c.from.px..].as_ptr(),
                        input_px: c.from.px,
                        runs,
                        run_len: window.run_len,
                        panel: panel_weights.as_ptr(),
                        bias: bias[panel.channel..].as_ptr(),
                        residual: residual.map_or(std::ptr::null(), |r| r[to..].as_ptr()),
                        out: out[to..].as_mut_ptr(),
                        out_px: c.to.px,
                        clamp: c.clamp,
                        first: pass == 0,
                        last: pass + 1 == n_passes,
                        next: next.as_ptr(),
                        next_step: share.div_ceil(n_values),
                    };
                    // SAFETY: a `Kernels` exists only where its instruction set does. The slices
                    // above end at the last value of the last pixel of the last row, and this
                    // tile's pixels x .. x + pixels ≤ width lie in rows below it; the panel's
                    // weights and bias end within their slices likewise.
                    unsafe { kernels.tiles[panel.vectors - 1][pixels - 1](&task) };
                    x += pixels;
                    next = &next[share.min(next.len())..];
                }
            }
        }
    }
}

/// Computes rows of a depthwise convolution into `out`, one after the other from its start.
pub(in super::super) fn depthwise_rows(kernels: &Kernels, c: &DepthwiseCall<'_>, out: &mut [f32]) {
    let kernel = match (c.kernel, c.stride) {
        (3, 1) => kernels.depthwise[0][0],
        (3, 2) => kernels.depthwise[0][1],
        (5, 1) => kernels.depthwise[1][0],
        (5, 2) => kernels.depthwise[1][1],
        // `Depthwise::new` refuses other sizes.
        _ => return,
    };
    let n_rows = c.rows.len() / c.kernel;
    if n_rows == 0 || c.width == 0 {
        return;
    }
    let n_vectors = c.channels.div_ceil(kernels.lanes);
    let channels = n_vectors * kernels.lanes;
    let columns = (c.width - 1) * c.stride + c.kernel;
    let last_row = c.rows.iter().max().copied().unwrap_or(0);
    // These slices are the bounds checks for every pointer below.
    let input = &c.input[..last_row + (columns - 1) * c.channels + channels];
    let out = &mut out[..(n_rows * c.width - 1) * c.channels + channels];
    let weights = &c.weights[..channels * c.kernel * c.kernel];
    let bias = &c.bias[..channels];
    let task = DepthwiseTask {
        input: input.as_ptr(),
        rows: &c.rows[..n_rows * c.kernel],
        px: c.channels,
        weights: weights.as_ptr(),
        bias: bias.as_ptr(),
        out: out.as_mut_ptr(),
        out_row: c.width * c.channels,
        width: c.width,
        n_vectors,
        clamp: c.clamp,
    };
    // SAFETY: a `Kernels` exists only where its instruction set does. The slices above end at the
    // last value that the last window of the lowest row, the last output pixel and the last
    // vector of channels touch.
    unsafe { kernel(&task) };
}
