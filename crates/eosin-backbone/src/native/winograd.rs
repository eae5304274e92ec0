// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;

use super::buffer::AlignedVec;
use super::conv::{PackedConv, clamp_of, padded_bias};
use super::kernel::{Finish, Kernels, Tiles, winograd_input, winograd_output};
use crate::arch::{self, Activation, Padding};

/// Bytes of transformed inputs and products that are kept at a time; weights pass over them once,
/// so they may fill most of a second-level cache.
const STRIP_BYTES: usize = 1792 << 10;

/// A 3 × 3 convolution with stride 1 by Winograd's minimal filtering.
#[derive(Debug)]
pub(super) struct Winograd {
    /// Outputs along a side of a tile.
    outputs: usize,
    /// Tiles along a side of the map.
    tiles: usize,
    in_px: usize,
    out_px: usize,
    /// A linear layer per product.
    products: Vec<PackedConv>,
    bias: AlignedVec,
    clamp: [f32; 2],
    /// Rows of tiles that are computed at a time.
    strip: usize,
}

/// What one strip needs.
#[derive(Debug)]
pub(super) struct WinogradBuffers {
    inputs: AlignedVec,
    products: AlignedVec,
}

/// Weights to `n`² matrices: G for F(2) and F(4).
const KERNEL_2: [[f64; 3]; 4] =
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
const KERNEL_4: [[f64; 3]; 6] = [
    [0.25, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

impl Winograd {
    /// Packs `conv` for a map of `side` where that pays: its tiles must cover the map exactly, and
    /// be enough for the larger weights, which pass by once per image.
    pub(super) fn new(
        kernels: &Kernels,
        conv: &arch::Conv,
        side: usize,
        in_px: usize,
    ) -> Result<Option<Self>> {
        let shape = conv.shape;
        let is_plain = (shape.kernel, shape.stride, shape.groups) == (3, 1, 1)
            && shape.pads(side) == (1, 1)
            && in_px.is_multiple_of(kernels.lanes);
        let outputs = match side {
            _ if !is_plain => return Ok(None),
            _ if side.is_multiple_of(4) && side >= 24 => 4,
            _ if side.is_multiple_of(2) && side >= 12 => 2,
            _ => return Ok(None),
        };
        let out_px = shape.out_channels.next_multiple_of(kernels.lanes);
        let matrix: &[[f64; 3]] = if outputs == 2 { &KERNEL_2 } else { &KERNEL_4 };
        let mut products = Vec::with_capacity(matrix.len() * matrix.len());
        for row in matrix {
            for column in matrix {
                let weight = conv.weight.as_chunks::<9>().0.iter().map(|w| {
                    let taps = w.iter().enumerate();
                    taps.map(|(tap, w)| row[tap / 3] * column[tap % 3] * f64::from(*w)).sum::<f64>()
                        as f32
                });
                let layer = arch::Conv {
                    shape: arch::ConvShape { kernel: 1, padding: Padding::Symmetric, ..shape },
                    weight: weight.collect(),
                    bias: vec![0.0; shape.out_channels],
                    activation: Activation::None,
                };
                products.push(PackedConv::new(kernels, &layer, 0, in_px)?);
            }
        }
        let tiles = side / outputs;
        let row_bytes = products.len() * tiles * (in_px + out_px) * size_of::<f32>();
        let most = (STRIP_BYTES / row_bytes).clamp(1, tiles);
        Ok(Some(Self {
            outputs,
            tiles,
            in_px,
            out_px,
            products,
            bias: padded_bias(conv, out_px)?,
            clamp: clamp_of(conv.activation)?,
            strip: tiles.div_ceil(tiles.div_ceil(most)),
        }))
    }

    /// Output rows that are computed at a time, if `parts` share the map.
    pub(super) fn rows(&self, parts: usize) -> usize {
        self.strip.min(self.tiles.div_ceil(parts)) * self.outputs
    }

    pub(super) fn buffers(&self) -> WinogradBuffers {
        let len = |px| self.tiles(self.strip, px, 0).matrices_len();
        WinogradBuffers {
            inputs: AlignedVec::zeros(len(self.in_px)),
            products: AlignedVec::zeros(len(self.out_px)),
        }
    }

    fn tiles(&self, down: usize, channels: usize, row: usize) -> Tiles {
        Tiles { outputs: self.outputs, down, across: self.tiles, channels, row }
    }

    /// Computes `n_rows` rows, at most `self.rows(1)`: `input` starts at the zeros above and to
    /// the left of the first output, `out` and `residual` at that output.
    pub(super) fn run(
        &self,
        kernels: &Kernels,
        (input, input_row): (&[f32], usize),
        residual: Option<&[f32]>,
        (out, out_row): (&mut [f32], usize),
        n_rows: usize,
        buffers: &mut WinogradBuffers,
    ) {
        let WinogradBuffers { inputs, products } = buffers;
        let n_tiles = n_rows / self.outputs;
        let from = self.tiles(n_tiles, self.in_px, input_row);
        let to = self.tiles(n_tiles, self.out_px, out_row);
        winograd_input(kernels, &from, input, inputs);
        let inputs = inputs.chunks_exact(from.matrix_len());
        let matrices = products.chunks_exact_mut(to.matrix_len());
        for ((layer, input), product) in self.products.iter().zip(inputs).zip(matrices) {
            layer.linear(kernels, input, self.in_px, product, self.out_px);
        }
        let finish = Finish { bias: &self.bias, residual, clamp: self.clamp };
        winograd_output(kernels, &to, products, &finish, out);
    }
}
