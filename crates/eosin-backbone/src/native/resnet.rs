// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::Range;

use eosin_core::{Error, Result};

use super::buffer::{AlignedVec, over_chunks};
use super::conv::{ConvRows, PackedConv};
use super::image::{ImageLayout, Input, Normaliser};
use super::kernel::{Isa, Kernels, Pixels};
use super::pool::Pool;
use super::winograd::{Winograd, WinogradBuffers};
use crate::arch::{self, Activation, ResNetWeights, ResidualBlockWeights};

/// Bytes of a map that a convolution sweeps for every panel of weights, and of the stem's rows
/// that wait to be pooled: a part of the second-level cache.
const BLOCK_BYTES: usize = 640 << 10;
/// Side of the maps from which on images go through the layers together: their weights outweigh
/// the maps, and one reading of them serves the whole group.
const SMALL_MAP: usize = 8;
/// Images that go together.
const GROUP: usize = 2;
/// Zeros around every map: what a 3 × 3 kernel needs.
const BORDER: usize = 1;

/// A ResNet with basic or bottleneck blocks, ready to embed.
///
/// Every map has a border of zeros, so a convolution of any size is one matrix product whose
/// rows are read in place.
#[derive(Debug)]
pub struct ResNet {
    kernels: &'static Kernels,
    image: ImageLayout,
    normaliser: Normaliser,
    stem: PackedConv,
    /// The stem's output.
    stem_map: Map,
    /// That after the max pool.
    pooled: Map,
    blocks: Vec<Block>,
    /// The first block that a group of images goes through together.
    together: usize,
    dim: usize,
    /// Values of the largest map.
    map_len: usize,
    groups: Pool<Vec<ImageBuffers>>,
    strips: Pool<AlignedVec>,
}

/// A square map with zeros around it.
#[derive(Clone, Copy, Debug)]
struct Map {
    side: usize,
    /// Values from pixel to pixel.
    px: usize,
}

/// A convolution between two maps.
#[derive(Debug)]
struct Layer {
    method: Method,
    from: Map,
    to: Map,
    /// Zeros before a row or column that the convolution needs.
    before: usize,
}

/// How a convolution is computed.
#[derive(Debug)]
enum Method {
    Direct(PackedConv),
    Winograd(Winograd, Pool<WinogradBuffers>),
}

#[derive(Debug)]
struct Block {
    convs: Vec<Layer>,
    shortcut: Option<Layer>,
}

/// What one image needs.
#[derive(Debug)]
struct ImageBuffers {
    image: AlignedVec,
    maps: [AlignedVec; 4],
}

/// Which of an image's maps holds what.
#[derive(Clone, Copy, Debug)]
struct Roles {
    /// A block's input.
    x: usize,
    shortcut: usize,
    /// What lies between its layers.
    between: [usize; 2],
}

impl ResNet {
    /// Packs the weights for what `input` says.
    pub fn new(weights: &ResNetWeights, input: &Input) -> Result<Self> {
        let (kernels, input_px) = (input.isa.kernels(), input.px);
        let stem = &weights.stem;
        if stem.shape.in_channels != 3 || !(32..=4096).contains(&input_px) {
            return Err(unsupported(&format!(
                "a stem of {} channels for {input_px} pixels",
                stem.shape.in_channels
            )));
        }
        if stem.activation != Activation::Relu {
            // The pool takes the zeros around the map for the least values.
            return Err(unsupported("a stem without a ReLU"));
        }
        let (before, after) = stem.shape.pads(input_px);
        let image = ImageLayout::new(input_px, before, after);
        let stem_map = Map::new(kernels, stem.shape.n_out(input_px), stem.shape.out_channels);
        let pooled = Map { side: stem_map.side.div_ceil(2), ..stem_map };
        let mut map = pooled;
        let mut blocks = Vec::with_capacity(weights.blocks.len());
        for block in &weights.blocks {
            let block = Block::new(kernels, block, map)?;
            map = block.out();
            blocks.push(block);
        }
        let last = weights.blocks.last().and_then(|block| block.convs.last());
        let layers = blocks.iter().flat_map(|b| b.convs.iter().chain(&b.shortcut));
        let map_len = layers.map(|l| l.to.len()).fold(pooled.len(), usize::max);
        Ok(Self {
            kernels,
            image,
            normaliser: Normaliser::new(input),
            stem: PackedConv::new(kernels, stem, image.row, 3)?,
            stem_map,
            pooled,
            together: blocks.iter().take_while(|b| b.out().side > SMALL_MAP).count(),
            blocks,
            dim: last.map_or(stem.shape.out_channels, |conv| conv.shape.out_channels),
            map_len,
            groups: Pool::default(),
            strips: Pool::default(),
        })
    }

    /// Length of an embedding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The instruction set it runs on.
    pub fn isa(&self) -> Isa {
        self.kernels.isa
    }

    /// Embeds `n_tiles` RGB tiles, each `px`² × 3 bytes, into rows of `dim` values.
    ///
    /// Runs on the current rayon pool; the numbers are the same for any pool and batch size.
    pub fn embed(&self, pixels: &[u8], n_tiles: usize, out: &mut [f32]) -> Result<()> {
        self.image.over_groups(GROUP, pixels, n_tiles, out, self.dim, |tiles, parts, rows| {
            let image = || ImageBuffers {
                image: AlignedVec::zeros(self.image.len()),
                maps: std::array::from_fn(|_| AlignedVec::zeros(self.map_len)),
            };
            self.groups.with(Vec::new, |buffers: &mut Vec<ImageBuffers>| {
                let n_images = rows.len() / self.dim;
                if buffers.len() < n_images {
                    buffers.resize_with(n_images, image);
                }
                self.embed_group(tiles, &mut buffers[..n_images], parts, rows);
            });
        })
    }

    fn embed_group(
        &self,
        tiles: &[u8],
        images: &mut [ImageBuffers],
        parts: usize,
        out: &mut [f32],
    ) {
        let start = Roles { x: 0, shortcut: 1, between: [2, 3] };
        let mut roles = start;
        for (tile, image) in tiles.chunks_exact(self.image.tile_len()).zip(&mut *images) {
            self.normaliser.run(&self.image, tile, &mut image.image);
            self.run_stem(&image.image, &mut image.maps[start.x], parts);
            roles = start;
            for block in &self.blocks[..self.together] {
                block.run(self.kernels, std::slice::from_mut(image), &mut roles, parts);
            }
        }
        for block in &self.blocks[self.together..] {
            block.run(self.kernels, images, &mut roles, parts);
        }
        let map = self.blocks.last().map_or(self.pooled, Block::out);
        for (image, out) in images.iter().zip(out.chunks_exact_mut(self.dim)) {
            map.mean(&image.maps[roles.x], out);
        }
    }

    /// The stem and its 3 × 3 max pool with stride 2, some rows at a time: the stem's map is the
    /// largest of all and is needed only here.
    fn run_stem(&self, image: &[f32], out: &mut [f32], parts: usize) {
        let (from, to) = (self.stem_map, self.pooled);
        to.clear_borders(out);
        let most = BLOCK_BYTES / (2 * from.row() * size_of::<f32>());
        let strip = most.clamp(1, to.side).min(to.side.div_ceil(parts));
        let first_value = to.row();
        let interior = &mut out[first_value..][..to.side * to.row()];
        over_chunks(interior, strip * to.row(), parts > 1, |chunk, out| {
            let make = || AlignedVec::zeros((2 * strip + 1) * from.row());
            self.strips.with(make, |rows| {
                let (first, n) = (chunk * strip, out.len() / to.row());
                self.stem_rows(image, 2 * first, 2 * n + 1, rows);
                max_pool(from, rows, to, out);
            });
        });
    }

    /// Rows `first` − 1 and on of the stem's map into `rows`, zeros outside of the map.
    fn stem_rows(&self, image: &[f32], first: usize, n: usize, rows: &mut [f32]) {
        let map = self.stem_map;
        let rows = &mut rows[..n * map.row()];
        rows.fill(0.0);
        let skip = usize::from(first == 0);
        let start = (first + skip) - 1;
        let stride = self.stem.stride;
        let call = ConvRows {
            input: image,
            from: Pixels {
                start: start * stride * self.image.row,
                row: stride * self.image.row,
                px: stride * 3,
                ring: usize::MAX,
            },
            first_row: 0,
            n_rows: (n - skip).min(map.side - start),
            width: map.side,
            to: Pixels {
                start: skip * map.row() + map.px,
                row: map.row(),
                px: map.px,
                ring: usize::MAX,
            },
            residual: None,
        };
        self.stem.rows(self.kernels, &call, rows);
    }
}

impl Map {
    fn new(kernels: &Kernels, side: usize, channels: usize) -> Self {
        Self { side, px: channels.next_multiple_of(kernels.lanes) }
    }

    /// Values from row to row.
    fn row(&self) -> usize {
        (self.side + 2 * BORDER) * self.px
    }

    fn len(&self) -> usize {
        (self.side + 2 * BORDER) * self.row()
    }

    fn clear_borders(&self, values: &mut [f32]) {
        let (row, last) = (self.row(), self.side + BORDER);
        for (y, values) in values[..self.len()].chunks_exact_mut(row).enumerate() {
            if y == 0 || y == last {
                values.fill(0.0);
            } else {
                values[..self.px].fill(0.0);
                values[last * self.px..].fill(0.0);
            }
        }
    }

    /// Mean of every channel, in reading order.
    fn mean(&self, values: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for row in values.chunks_exact(self.row()).skip(BORDER).take(self.side) {
            for pixel in row.chunks_exact(self.px).skip(BORDER).take(self.side) {
                for (sum, value) in out.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
        }
        let n = (self.side * self.side) as f32;
        for sum in out {
            *sum /= n;
        }
    }
}

impl Layer {
    fn new(kernels: &Kernels, conv: &arch::Conv, from: Map) -> Result<Self> {
        let (before, after) = conv.shape.pads(from.side);
        if before > BORDER || after > BORDER || from.px < conv.shape.in_channels {
            return Err(unsupported(&format!("the convolution {:?}", conv.shape)));
        }
        let method = match Winograd::new(kernels, conv, from.side, from.px)? {
            Some(winograd) => Method::Winograd(winograd, Pool::default()),
            None => Method::Direct(PackedConv::new(kernels, conv, from.row(), from.px)?),
        };
        Ok(Self {
            method,
            from,
            to: Map::new(kernels, conv.shape.n_out(from.side), conv.shape.out_channels),
            before,
        })
    }

    /// Takes map `from` of every image to its map `to`, with map `residual` added.
    fn run(
        &self,
        kernels: &Kernels,
        images: &mut [ImageBuffers],
        (from, residual, to): (usize, Option<usize>, usize),
        parts: usize,
    ) {
        // Each panel of weights serves all images while it is in the second-level cache.
        let n_steps = match &self.method {
            Method::Direct(conv) if images.len() > 1 => conv.n_panels(),
            _ => 1,
        };
        for step in 0..n_steps {
            for image in &mut *images {
                let mut out = std::mem::take(&mut image.maps[to]);
                if step == 0 {
                    self.to.clear_borders(&mut out);
                }
                let row = self.to.row();
                let interior = &mut out[row..][..self.to.side * row];
                let input = &image.maps[from];
                let residual = residual.map(|map| &image.maps[map][row..]);
                match &self.method {
                    Method::Direct(conv) => {
                        let panels = if n_steps > 1 { step..step + 1 } else { 0..conv.n_panels() };
                        self.run_direct(kernels, (conv, panels), input, residual, interior, parts);
                    }
                    Method::Winograd(winograd, pool) => {
                        let method = (winograd, pool);
                        self.run_winograd(kernels, method, input, residual, interior, parts);
                    }
                }
                image.maps[to] = out;
            }
        }
    }

    fn run_winograd(
        &self,
        kernels: &Kernels,
        (winograd, pool): (&Winograd, &Pool<WinogradBuffers>),
        input: &[f32],
        residual: Option<&[f32]>,
        out: &mut [f32],
        parts: usize,
    ) {
        let (rows, row) = (winograd.rows(parts), self.to.row());
        over_chunks(out, rows * row, parts > 1, |chunk, out| {
            // Tiles start at the zeros above and to the left of their first output.
            let input = (&input[chunk * rows * self.from.row()..], self.from.row());
            let residual = residual.map(|r| &r[chunk * rows * row + self.to.px..]);
            let n_rows = out.len() / row;
            let out = (&mut out[self.to.px..], row);
            pool.with(
                || winograd.buffers(),
                |buffers| winograd.run(kernels, input, residual, out, n_rows, buffers),
            );
        });
    }

    fn run_direct(
        &self,
        kernels: &Kernels,
        (conv, panels): (&PackedConv, Range<usize>),
        input: &[f32],
        residual: Option<&[f32]>,
        out: &mut [f32],
        parts: usize,
    ) {
        let (from, to, stride) = (self.from, self.to, conv.stride);
        let most = BLOCK_BYTES / (stride * from.row() * size_of::<f32>());
        let rows = to.side.div_ceil(to.side.div_ceil(most.max(1)).max(parts));
        over_chunks(out, rows * to.row(), parts > 1, |chunk, out| {
            let first = chunk * rows;
            let inset = BORDER - self.before;
            let call = ConvRows {
                input,
                from: Pixels {
                    start: (inset + first * stride) * from.row() + inset * from.px,
                    row: stride * from.row(),
                    px: stride * from.px,
                    ring: usize::MAX,
                },
                first_row: 0,
                n_rows: out.len() / to.row(),
                width: to.side,
                to: Pixels { start: to.px, row: to.row(), px: to.px, ring: usize::MAX },
                residual: residual.map(|r| &r[first * to.row()..]),
            };
            conv.panel_rows(kernels, &call, panels.clone(), out);
        });
    }
}

impl Block {
    fn new(kernels: &Kernels, block: &ResidualBlockWeights, input: Map) -> Result<Self> {
        let mut map = input;
        let mut convs = Vec::with_capacity(block.convs.len());
        for (i, conv) in block.convs.iter().enumerate() {
            let mut conv = conv.clone();
            if i + 1 == block.convs.len() {
                // The block's ReLU follows the sum, which the last convolution adds up.
                conv.activation = Activation::Relu;
            }
            let layer = Layer::new(kernels, &conv, map)?;
            map = layer.to;
            convs.push(layer);
        }
        let shortcut =
            block.shortcut.as_ref().map(|conv| Layer::new(kernels, conv, input)).transpose()?;
        let residual = shortcut.as_ref().map_or(input, |layer| layer.to);
        if convs.is_empty() || (residual.side, residual.px) != (map.side, map.px) {
            return Err(unsupported("a residual between maps of different shape"));
        }
        Ok(Self { convs, shortcut })
    }

    /// Takes every image's map `x` through the block, and says where it is then.
    fn run(&self, kernels: &Kernels, images: &mut [ImageBuffers], roles: &mut Roles, parts: usize) {
        let Roles { x, shortcut, between: [mut a, mut b] } = *roles;
        if let Some(layer) = &self.shortcut {
            layer.run(kernels, images, (x, None, shortcut), parts);
        }
        let residual = if self.shortcut.is_some() { shortcut } else { x };
        for (i, layer) in self.convs.iter().enumerate() {
            let from = if i == 0 { x } else { a };
            let residual = (i + 1 == self.convs.len()).then_some(residual);
            layer.run(kernels, images, (from, residual, b), parts);
            std::mem::swap(&mut a, &mut b);
        }
        *roles = Roles { x: a, shortcut, between: [x, b] };
    }

    fn out(&self) -> Map {
        let layers = self.convs.last();
        layers.map_or(Map { side: 0, px: 0 }, |layer| layer.to)
    }
}

/// Row i of `out` is the maximum over rows 2i to 2i + 2 of `rows`, three pixels wide, stride 2.
fn max_pool(from: Map, rows: &[f32], to: Map, out: &mut [f32]) {
    let row = from.row();
    for (y, out) in out.chunks_exact_mut(to.row()).enumerate() {
        for (x, out) in out[to.px..].chunks_exact_mut(to.px).take(to.side).enumerate() {
            out.fill(0.0);
            for (dy, dx) in (0..9).map(|i| (i / 3, i % 3)) {
                // The last column of an odd map has two neighbours; the border is the third.
                let at = (2 * y + dy) * row + (2 * x + dx) * from.px;
                for (most, value) in out.iter_mut().zip(&rows[at..at + from.px]) {
                    *most = if *value > *most { *value } else { *most };
                }
            }
        }
    }
}

fn unsupported(what: &str) -> Error {
    Error::unsupported(
        format!("{what} in the native engine"),
        &["ResNets with a ReLU stem and 1 × 1 and 3 × 3 convolutions"],
        "choose another engine for this backbone",
    )
}
