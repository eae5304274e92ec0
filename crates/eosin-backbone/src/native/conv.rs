// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::Range;

use eosin_core::{Error, Result};

use super::buffer::AlignedVec;
use super::kernel::{ConvCall, Kernels, Panel, Pixels, Window, conv_rows};
use crate::arch::{self, Activation};

/// Weights of one pass should leave room in a 32 KiB first-level cache.
const PASS_BYTES: usize = 24 << 10;

/// A convolution with its weights packed for a kernel.
#[derive(Debug)]
pub(super) struct PackedConv {
    pub(super) out_channels: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    panels: Vec<Panel>,
    weights: AlignedVec,
    bias: AlignedVec,
    clamp: [f32; 2],
    runs: Runs,
}

/// The window of a convolution over an input of known layout.
#[derive(Debug)]
struct Runs {
    starts: Vec<usize>,
    len: usize,
    per_pass: usize,
}

/// What a convolution reads and writes, beside its own weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvRows<'a> {
    pub(super) input: &'a [f32],
    /// Of the windows' first pixels.
    pub(super) from: Pixels,
    pub(super) first_row: usize,
    pub(super) n_rows: usize,
    pub(super) width: usize,
    pub(super) to: Pixels,
    pub(super) residual: Option<&'a [f32]>,
}

impl PackedConv {
    /// Packs `conv` for an input whose rows are `input_row` and pixels `input_px` values apart.
    pub(super) fn new(
        kernels: &Kernels,
        conv: &arch::Conv,
        input_row: usize,
        input_px: usize,
    ) -> Result<Self> {
        let shape = conv.shape;
        let n_weights = shape.out_channels * shape.in_channels * shape.kernel * shape.kernel;
        if shape.groups != 1 || conv.weight.len() != n_weights || n_weights == 0 {
            return Err(Error::input(
                "convolution",
                format!("{n_weights} weights in one group, above zero"),
                format!("{} weights in {} groups", conv.weight.len(), shape.groups),
                "check the architecture's shapes",
            ));
        }
        let runs = Runs::new(&shape, input_row, input_px, values_per_pass(kernels));
        Self::pack(kernels, conv, runs)
    }

    /// Packs a linear layer whose input comes from `n_heads` maps, `map` values apart, each with
    /// its share of every token's values.
    pub(super) fn of_heads(
        kernels: &Kernels,
        conv: &arch::Conv,
        n_heads: usize,
        map: usize,
    ) -> Result<Self> {
        let len = conv.shape.in_channels / n_heads.max(1);
        let runs = Runs {
            starts: (0..n_heads).map(|head| head * map).collect(),
            len,
            per_pass: (values_per_pass(kernels) / len.max(1)).clamp(1, n_heads),
        };
        Self::pack(kernels, conv, runs)
    }

    fn pack(kernels: &Kernels, conv: &arch::Conv, runs: Runs) -> Result<Self> {
        let shape = conv.shape;
        let per_pixel = shape.in_channels;
        let n_values = per_pixel * shape.kernel * shape.kernel;
        let panels = plan_panels(kernels.lanes, kernels.vectors, shape.out_channels, n_values);
        let padded = shape.out_channels.next_multiple_of(kernels.lanes);
        let mut weights = AlignedVec::zeros(padded * n_values);
        for panel in &panels {
            let width = panel.vectors * kernels.lanes;
            for value in 0..n_values {
                // Runs go row by row, pixel by pixel, channel by channel.
                let (tap, channel) = (value / per_pixel, value % per_pixel);
                let to = panel.offset + value * width;
                for lane in 0..width.min(shape.out_channels - panel.channel) {
                    let out = panel.channel + lane;
                    let from = (out * per_pixel + channel) * shape.kernel * shape.kernel + tap;
                    weights[to + lane] = conv.weight[from];
                }
            }
        }
        Ok(Self {
            out_channels: shape.out_channels,
            kernel: shape.kernel,
            stride: shape.stride,
            panels,
            weights,
            bias: padded_bias(conv, padded)?,
            clamp: clamp_of(conv.activation)?,
            runs,
        })
    }

    /// Input values of an output.
    pub(super) fn n_values(&self) -> usize {
        self.runs.starts.len() * self.runs.len
    }

    /// Panels of output channels, by which [`PackedConv::panel_rows`] counts.
    pub(super) fn n_panels(&self) -> usize {
        self.panels.len()
    }

    /// Computes rows into `out`.
    pub(super) fn rows(&self, kernels: &Kernels, rows: &ConvRows<'_>, out: &mut [f32]) {
        self.panel_rows(kernels, rows, 0..self.panels.len(), out);
    }

    /// Computes the output channels of some panels into `out`.
    pub(super) fn panel_rows(
        &self,
        kernels: &Kernels,
        rows: &ConvRows<'_>,
        panels: Range<usize>,
        out: &mut [f32],
    ) {
        let call = ConvCall {
            panels: &self.panels[panels],
            weights: &self.weights,
            bias: &self.bias,
            window: Window {
                runs: &self.runs.starts,
                run_len: self.runs.len,
                runs_per_pass: self.runs.per_pass,
            },
            clamp: self.clamp,
            input: rows.input,
            from: rows.from,
            first_row: rows.first_row,
            n_rows: rows.n_rows,
            width: rows.width,
            to: rows.to,
            residual: rows.residual,
        };
        conv_rows(kernels, &call, out);
    }
}

impl PackedConv {
    /// A 1 × 1 convolution over rows of `input_px` values, as many as `out` has of `out_px`.
    pub(super) fn linear(
        &self,
        kernels: &Kernels,
        input: &[f32],
        input_px: usize,
        out: &mut [f32],
        out_px: usize,
    ) {
        let dense = |px| Pixels { start: 0, row: 0, px, ring: usize::MAX };
        let rows = ConvRows {
            input,
            from: dense(input_px),
            first_row: 0,
            n_rows: 1,
            width: out.len() / out_px,
            to: dense(out_px),
            residual: None,
        };
        self.rows(kernels, &rows, out);
    }
}

fn values_per_pass(kernels: &Kernels) -> usize {
    PASS_BYTES / (kernels.vectors * kernels.lanes * size_of::<f32>())
}

impl Runs {
    /// Rows of the window are contiguous where pixels are; long ones are cut so that a pass of at
    /// most `values_per_pass` input values can be composed of whole runs.
    fn new(shape: &arch::ConvShape, row: usize, px: usize, values_per_pass: usize) -> Self {
        let (kernel, channels) = (shape.kernel, shape.in_channels);
        let (per_row, len) =
            if px == channels { (1, kernel * channels) } else { (kernel, channels) };
        // The fewest equal pieces that are short enough; a prime length stays whole.
        let pieces = (1..=len)
            .find(|n| len % n == 0 && len / n <= values_per_pass)
            .filter(|n| len / n >= values_per_pass / 4)
            .unwrap_or(1);
        let starts: Vec<usize> = (0..kernel * per_row * pieces)
            .map(|run| {
                let (segment, piece) = (run / pieces, run % pieces);
                (segment / per_row) * row + (segment % per_row) * px + piece * (len / pieces)
            })
            .collect();
        let per_pass = (values_per_pass / (len / pieces)).clamp(1, starts.len());
        Self { starts, len: len / pieces, per_pass }
    }
}

/// The fewest panels, as even as vectors allow: a narrow one would wait for its own sums.
pub(super) fn plan_panels(
    lanes: usize,
    vectors: usize,
    channels: usize,
    n_values: usize,
) -> Vec<Panel> {
    let n_vectors = channels.div_ceil(lanes);
    let n_panels = n_vectors.div_ceil(vectors);
    (0..n_panels)
        .map(|panel| {
            let (first, next) = (panel * n_vectors / n_panels, (panel + 1) * n_vectors / n_panels);
            Panel {
                channel: first * lanes,
                vectors: next - first,
                offset: first * lanes * n_values,
            }
        })
        .collect()
}

/// The bias with zeros up to `padded` values.
pub(super) fn padded_bias(conv: &arch::Conv, padded: usize) -> Result<AlignedVec> {
    if conv.bias.len() != conv.shape.out_channels {
        return Err(Error::input(
            "convolution",
            format!("{} biases", conv.shape.out_channels),
            conv.bias.len().to_string(),
            "check the architecture's shapes",
        ));
    }
    let mut bias = AlignedVec::zeros(padded);
    bias[..conv.bias.len()].copy_from_slice(&conv.bias);
    Ok(bias)
}

/// The limits that an activation is, where it is no more than that.
pub(super) fn clamp_of(activation: Activation) -> Result<[f32; 2]> {
    match activation {
        Activation::None => Ok([f32::NEG_INFINITY, f32::INFINITY]),
        Activation::Relu => Ok([0.0, f32::INFINITY]),
        Activation::Relu6 => Ok([0.0, 6.0]),
        other => Err(Error::unsupported(
            format!("activation {other:?} after a convolution of the native engine"),
            &["none", "relu", "relu6"],
            "choose another engine for this backbone",
        )),
    }
}
