// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;

use super::buffer::AlignedVec;
use super::conv::{ConvRows, PackedConv, plan_panels};
use super::image::{Input, Precision};
use super::kernel::{Int8Call, Int8Kernels, Kernels, Panel, Pixels, QUAD};
use super::pool::Pool;
use super::vit_weights::Linear;

/// A linear layer over tokens with its weights packed.
#[derive(Debug)]
pub(super) enum TokenLayer {
    F32(PackedConv),
    Int8(Int8Linear),
}

/// Bytes of weights with a scale per output, and activations brought to bytes row by row.
#[derive(Debug)]
pub(super) struct Int8Linear {
    kernels: &'static Int8Kernels,
    panels: Vec<Panel>,
    weights: Vec<i8>,
    start: Vec<i32>,
    scale: AlignedVec,
    bias: AlignedVec,
    n_quads: usize,
    /// Where pieces of an input row start, and their length.
    starts: Vec<usize>,
    len: usize,
    rows: Pool<Int8Rows>,
}

/// Rows as bytes, with what a byte of each stands for.
#[derive(Debug, Default)]
struct Int8Rows {
    bytes: Vec<u8>,
    scales: Vec<f32>,
}

impl TokenLayer {
    /// Packs a layer whose tokens lie in one piece.
    pub(super) fn new(input: &Input, layer: &Linear) -> Result<Self> {
        Ok(match input.precision {
            Precision::F32 => {
                let kernels = input.isa.kernels();
                Self::F32(PackedConv::new(kernels, &layer.to_conv(), 0, layer.n_in)?)
            }
            Precision::Int8 => Self::Int8(Int8Linear::new(input, layer, vec![0])),
        })
    }

    /// Packs a layer whose tokens come from `n_heads` maps, `map` values apart.
    pub(super) fn of_heads(
        input: &Input,
        layer: &Linear,
        n_heads: usize,
        map: usize,
    ) -> Result<Self> {
        Ok(match input.precision {
            Precision::F32 => {
                let conv = layer.to_conv();
                Self::F32(PackedConv::of_heads(input.isa.kernels(), &conv, n_heads, map)?)
            }
            Precision::Int8 => {
                let starts = (0..n_heads).map(|head| head * map).collect();
                Self::Int8(Int8Linear::new(input, layer, starts))
            }
        })
    }

    /// Input values of an output.
    pub(super) fn n_values(&self) -> usize {
        match self {
            Self::F32(layer) => layer.n_values(),
            Self::Int8(layer) => layer.n_quads * QUAD,
        }
    }

    /// Computes as many tokens as `out` holds, from token `first` of the input on.
    pub(super) fn tokens(
        &self,
        kernels: &Kernels,
        (input, first, input_px): (&[f32], usize, usize),
        residual: Option<&[f32]>,
        out: &mut [f32],
        out_px: usize,
    ) {
        let layer = match self {
            Self::F32(layer) => layer,
            Self::Int8(layer) => {
                return layer.tokens((&input[first * input_px..], input_px), residual, out, out_px);
            }
        };
        let call = ConvRows {
            input,
            from: Pixels { start: first * input_px, row: 0, px: input_px, ring: usize::MAX },
            first_row: 0,
            n_rows: 1,
            width: out.len() / out_px,
            to: Pixels { start: 0, row: 0, px: out_px, ring: usize::MAX },
            residual,
        };
        layer.rows(kernels, &call, out);
    }
}

impl Int8Linear {
    fn new(input: &Input, layer: &Linear, starts: Vec<usize>) -> Self {
        let kernels = input.isa.int8_kernels();
        let (n_in, n_out) = (layer.n_in, layer.n_out);
        let n_quads = n_in.div_ceil(QUAD);
        let panels = plan_panels(kernels.lanes, kernels.vectors, n_out, n_quads * QUAD);
        let padded = n_out.next_multiple_of(kernels.lanes);
        let mut weights = vec![0; padded * n_quads * QUAD];
        let mut start = vec![0; padded];
        let (mut scale, mut bias) = (AlignedVec::zeros(padded), AlignedVec::zeros(padded));
        bias[..n_out].copy_from_slice(&layer.bias);
        for panel in &panels {
            let width = panel.vectors * kernels.lanes;
            for lane in 0..width.min(n_out - panel.channel) {
                let channel = panel.channel + lane;
                let row = &layer.weight[channel * n_in..(channel + 1) * n_in];
                let most = row.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
                scale[channel] = most / 127.0;
                let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
                let mut sum = 0;
                for (i, w) in row.iter().enumerate() {
                    let byte = (w * inverse).round() as i8;
                    let at = (i / QUAD * width + lane) * QUAD + i % QUAD;
                    weights[panel.offset + at] = byte;
                    sum += i32::from(byte);
                }
                // Activations are stored with 128 added.
                start[channel] = -128 * sum;
            }
        }
        let len = n_in / starts.len().max(1);
        let rows = Pool::default();
        Self { kernels, panels, weights, start, scale, bias, n_quads, starts, len, rows }
    }

    fn tokens(
        &self,
        (input, input_px): (&[f32], usize),
        residual: Option<&[f32]>,
        out: &mut [f32],
        out_px: usize,
    ) {
        let n_rows = out.len() / out_px;
        let n_bytes = self.n_quads * QUAD;
        self.rows.with(Int8Rows::default, |rows| {
            // Grown once to the largest call.
            if rows.scales.len() < n_rows {
                rows.scales.resize(n_rows, 0.0);
                rows.bytes.resize(n_rows * n_bytes, 0);
            }
            let (bytes, scales) = (&mut rows.bytes[..n_rows * n_bytes], &mut rows.scales[..n_rows]);
            let layout = (self.starts.as_slice(), self.len, input_px);
            self.kernels.quantise_rows(input, layout, bytes, scales);
            let call = Int8Call {
                panels: &self.panels,
                weights: &self.weights,
                start: &self.start,
                scale: &self.scale,
                bias: &self.bias,
                input: bytes,
                row_scale: scales,
                n_quads: self.n_quads,
                out_px,
                residual,
            };
            self.kernels.rows(&call, out);
        });
    }
}
