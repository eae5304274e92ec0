// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use rayon::prelude::*;

use super::buffer::AlignedVec;
use super::conv::{ConvRows, PackedConv};
use super::depthwise::PackedDepthwise;
use super::image::{ImageLayout, Input, Normaliser};
use super::kernel::{Isa, Kernels, Pixels};
use super::pool::Pool;
use crate::arch::{self, Activation, ConvShape, EfficientNetWeights, Padding};

/// Bytes of expanded and depthwise rows that should stay in a core's second-level cache together
/// with the weights that pass over them.
const STRIP_BYTES: usize = 640 << 10;

/// An EfficientNet without squeeze-excite (the Lite variants), ready to embed.
///
/// A block's expansion, depthwise convolution and projection run strip by strip: the expanded
/// rows, six times the block's input, live in a small ring and never reach main memory.
///
/// ```
/// use eosin_backbone::arch::{EfficientNetArch, EfficientNetArgs, Padding};
/// use eosin_backbone::native::{EfficientNet, Input};
/// use eosin_backbone::{WeightMap, WeightTensor};
///
/// # fn main() -> eosin_core::Result<()> {
/// let arch = EfficientNetArch::new(&EfficientNetArgs {
///     width: 1.0, depth: 1.0, lite: true, padding: Padding::Same, norm_eps: 1e-3,
/// });
/// let mut weights = WeightMap::new("ones");
/// for spec in arch.tensors() {
///     let values = vec![1.0; spec.shape.iter().product()];
///     weights.insert(spec.name, WeightTensor { shape: spec.shape, values });
/// }
/// let input = Input::new(32, [0.5; 3], [0.5; 3]);
/// let network = EfficientNet::new(&arch.take(&mut weights), &input)?;
/// let tiles = vec![200; 2 * 32 * 32 * 3];
/// let mut embeddings = vec![0.0; 2 * network.dim()];
/// network.embed(&tiles, 2, &mut embeddings)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EfficientNet {
    kernels: &'static Kernels,
    normaliser: Normaliser,
    image: ImageLayout,
    blocks: Vec<Block>,
    head: PackedConv,
    pooling: arch::MapPooling,
    sizes: Sizes,
    images: Pool<ImageBuffers>,
    strips: Pool<StripBuffers>,
}

/// An inverted residual block; the first one's expansion is the stem.
#[derive(Debug)]
struct Block {
    expand: PackedConv,
    /// Windows of the expansion in the block's input.
    from: Pixels,
    depthwise: PackedDepthwise,
    project: PackedConv,
    residual: bool,
    /// Side of the expanded map.
    inner_side: usize,
    /// Zeros before a row or column of the expanded map.
    before: usize,
    /// Values in a row of the expanded map with its zeros.
    inner_row: usize,
    /// Side of the output.
    side: usize,
    /// Values from pixel to pixel of the output.
    px: usize,
    /// Output rows that are computed at a time.
    strip: usize,
    /// Rows of the expanded map that are kept.
    ring: usize,
}

/// The largest of each buffer over the blocks, in values.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    image: usize,
    map: usize,
    ring: usize,
    depthwise: usize,
    windows: usize,
}

/// What one image needs.
#[derive(Debug)]
struct ImageBuffers {
    image: AlignedVec,
    maps: [AlignedVec; 2],
}

/// What one strip of rows needs.
#[derive(Debug)]
struct StripBuffers {
    ring: AlignedVec,
    depthwise: AlignedVec,
    windows: Vec<usize>,
}

impl EfficientNet {
    /// Packs the weights for what `input` says.
    pub fn new(weights: &EfficientNetWeights, input: &Input) -> Result<Self> {
        let (kernels, input_px) = (input.isa.kernels(), input.px);
        let stem = &weights.stem;
        if stem.shape.in_channels != 3 || input_px < stem.shape.kernel || input_px > 1 << 12 {
            return Err(Error::input(
                "input_px",
                "an RGB stem and a side of at most 4096 pixels",
                format!("{} channels of {input_px} pixels", stem.shape.in_channels),
                "check the card's input_px and architecture",
            ));
        }
        let (before, after) = stem.shape.pads(input_px);
        let image = ImageLayout::new(input_px, before, after);
        let mut blocks = Vec::with_capacity(weights.blocks.len());
        let mut map = MapLayout { side: input_px, row: image.row, px: 3 };
        for (index, block) in weights.blocks.iter().enumerate() {
            let expand = match (index, &block.expand) {
                (0, None) => stem.clone(),
                (0, Some(_)) => return Err(unsupported("an expansion in the first block")),
                (_, Some(expand)) => expand.clone(),
                (_, None) => identity(block.depthwise.shape.in_channels),
            };
            if block.squeeze.is_some() {
                return Err(unsupported("squeeze-excite"));
            }
            let block = Block::new(kernels, &expand, block, map)?;
            map = MapLayout { side: block.side, row: block.side * block.px, px: block.px };
            blocks.push(block);
        }
        let head = PackedConv::new(kernels, &weights.head, map.row, map.px)?;
        if blocks.is_empty() || head.kernel != 1 || head.stride != 1 {
            return Err(unsupported("an architecture without blocks or with another head"));
        }
        let mut sizes = Sizes { image: image.len(), ..Sizes::default() };
        sizes.map = map.side * map.side * padded(kernels, head.out_channels);
        for block in &blocks {
            let inner = block.depthwise.channels;
            sizes.map = sizes.map.max(block.side * block.side * block.px);
            sizes.ring = sizes.ring.max((block.ring + 1) * block.inner_row);
            sizes.depthwise = sizes.depthwise.max(block.strip * block.side * inner);
            sizes.windows = sizes.windows.max(block.strip * block.depthwise.kernel);
        }
        Ok(Self {
            kernels,
            normaliser: Normaliser::new(input),
            image,
            blocks,
            head,
            pooling: weights.pooling,
            sizes,
            images: Pool::default(),
            strips: Pool::default(),
        })
    }

    /// Length of an embedding.
    pub fn dim(&self) -> usize {
        self.head.out_channels
    }

    /// The instruction set it runs on.
    pub fn isa(&self) -> Isa {
        self.kernels.isa
    }

    /// Embeds `n_tiles` RGB tiles, each `px`² × 3 bytes, into rows of `dim` values.
    ///
    /// Runs on the current rayon pool; the numbers are the same for any pool and batch size.
    pub fn embed(&self, pixels: &[u8], n_tiles: usize, out: &mut [f32]) -> Result<()> {
        self.image.over_tiles(pixels, n_tiles, out, self.dim(), |tile, parts, row| {
            let make = || ImageBuffers::new(&self.sizes);
            self.images.with(make, |buffers| self.embed_tile(tile, buffers, parts, row));
        })
    }

    fn embed_tile(&self, tile: &[u8], buffers: &mut ImageBuffers, parts: usize, out: &mut [f32]) {
        let ImageBuffers { image, maps: [input, output] } = buffers;
        self.normaliser.run(&self.image, tile, image);
        for (index, block) in self.blocks.iter().enumerate() {
            let from: &[f32] = if index == 0 { image } else { input };
            self.run_block(block, from, output, parts);
            std::mem::swap(input, output);
        }
        self.pool_head(input, output, out);
    }

    fn run_block(&self, block: &Block, input: &[f32], output: &mut [f32], parts: usize) {
        let output = &mut output[..block.side * block.side * block.px];
        let rows = block.side.div_ceil(parts.max(1));
        let run = |part: usize, output: &mut [f32]| {
            let make = || StripBuffers::new(&self.sizes);
            self.strips.with(make, |buffers| {
                block.run(self.kernels, input, output, part * rows, buffers);
            });
        };
        if parts <= 1 {
            run(0, output);
        } else {
            let parts = output.par_chunks_mut(rows * block.side * block.px).enumerate();
            parts.for_each(|(part, output)| run(part, output));
        }
    }

    /// The head and the mean over the pixels that are pooled.
    fn pool_head(&self, input: &[f32], map: &mut [f32], out: &mut [f32]) {
        let Some(last) = self.blocks.last() else { return };
        let (side, px) = (last.side, padded(self.kernels, self.dim()));
        let rows = ConvRows {
            input,
            from: Pixels { start: 0, row: side * last.px, px: last.px, ring: usize::MAX },
            first_row: 0,
            n_rows: side,
            width: side,
            to: Pixels { start: 0, row: side * px, px, ring: usize::MAX },
            residual: None,
        };
        self.head.rows(self.kernels, &rows, map);
        out.fill(0.0);
        let kept = self.pooling.range(side);
        for row in map[..side * side * px].chunks_exact(side * px).skip(kept.start).take(kept.len())
        {
            for pixel in row[kept.start * px..kept.end * px].chunks_exact(px) {
                for (sum, value) in out.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
        }
        let n = (kept.len() * kept.len()) as f32;
        for sum in out {
            *sum /= n;
        }
    }
}

/// A square map that a block reads.
#[derive(Clone, Copy)]
struct MapLayout {
    /// Side in pixels, without zeros around it.
    side: usize,
    row: usize,
    px: usize,
}

impl Block {
    fn new(
        kernels: &Kernels,
        expand: &arch::Conv,
        block: &arch::MbConvWeights,
        input: MapLayout,
    ) -> Result<Self> {
        let (inner, stride) = (block.depthwise.shape, block.depthwise.shape.stride);
        let channels = [
            (expand.shape.out_channels, inner.in_channels),
            (inner.out_channels, block.project.shape.in_channels),
            (block.project.shape.kernel, 1),
            (block.project.shape.stride, 1),
        ];
        if channels.iter().any(|(a, b)| a != b) {
            return Err(unsupported("a block whose layers do not follow on each other"));
        }
        let inner_side = expand.shape.n_out(input.side);
        let (before, after) = inner.pads(inner_side);
        let side = inner.n_out(inner_side);
        let depthwise = PackedDepthwise::new(kernels, &block.depthwise)?;
        let inner_px = depthwise.channels;
        let inner_row = (inner_side + before + after) * inner_px;
        let px = padded(kernels, block.project.shape.out_channels);
        if block.residual && (stride != 1 || px != input.px) {
            return Err(unsupported("a residual between maps of different shape"));
        }
        let bytes = |strip: usize| {
            let kept = ((strip - 1) * stride + inner.kernel).min(inner_side);
            (kept * inner_row + strip * side * inner_px) * size_of::<f32>()
        };
        let most = (1..=side).rev().find(|&strip| bytes(strip) <= STRIP_BYTES).unwrap_or(1);
        let strip = side.div_ceil(side.div_ceil(most));
        let windows = &expand.shape;
        Ok(Self {
            expand: PackedConv::new(kernels, expand, input.row, input.px)?,
            from: Pixels {
                start: 0,
                row: windows.stride * input.row,
                px: windows.stride * input.px,
                ring: usize::MAX,
            },
            depthwise,
            project: PackedConv::new(kernels, &block.project, side * inner_px, inner_px)?,
            residual: block.residual,
            inner_side,
            before,
            inner_row,
            side,
            px,
            strip,
            ring: ((strip - 1) * stride + inner.kernel).min(inner_side),
        })
    }

    /// Computes the output's rows from `first_row` on, as many as `output` holds.
    fn run(
        &self,
        kernels: &Kernels,
        input: &[f32],
        output: &mut [f32],
        first_row: usize,
        buffers: &mut StripBuffers,
    ) {
        let StripBuffers { ring, depthwise, windows } = buffers;
        let (kernel, stride) = (self.depthwise.kernel, self.depthwise.stride);
        let inner_px = self.depthwise.channels;
        let out_row = self.side * self.px;
        let end_row = first_row + output.len() / out_row;
        self.clear_borders(ring);
        let residual = self.residual.then(|| &input[first_row * out_row..]);
        let mut next_inner = (first_row * stride).saturating_sub(self.before);
        for strip_row in (first_row..end_row).step_by(self.strip) {
            let n_rows = self.strip.min(end_row - strip_row);
            let last_window = (strip_row + n_rows - 1) * stride + kernel;
            let end_inner = last_window.saturating_sub(self.before).min(self.inner_side);
            let expand = ConvRows {
                input,
                from: self.from,
                first_row: next_inner,
                n_rows: end_inner.saturating_sub(next_inner),
                width: self.inner_side,
                to: Pixels {
                    start: self.before * inner_px,
                    row: self.inner_row,
                    px: inner_px,
                    ring: self.ring,
                },
                residual: None,
            };
            self.expand.rows(kernels, &expand, ring);
            next_inner = end_inner;

            windows.clear();
            for window_row in (strip_row..strip_row + n_rows)
                .flat_map(|row| (0..kernel).map(move |tap| row * stride + tap))
            {
                // The slot after the ring's last holds zeros, for rows outside of the map.
                let slot = match window_row.checked_sub(self.before) {
                    Some(row) if row < self.inner_side => row % self.ring,
                    _ => self.ring,
                };
                windows.push(slot * self.inner_row);
            }
            self.depthwise.rows(kernels, ring, windows, self.side, depthwise);

            let project = ConvRows {
                input: depthwise,
                from: Pixels {
                    start: 0,
                    row: self.side * inner_px,
                    px: inner_px,
                    ring: usize::MAX,
                },
                first_row: 0,
                n_rows,
                width: self.side,
                to: Pixels {
                    start: (strip_row - first_row) * out_row,
                    row: out_row,
                    px: self.px,
                    ring: usize::MAX,
                },
                residual,
            };
            self.project.rows(kernels, &project, output);
        }
    }

    /// Zeros left and right of every kept row, and the row of zeros after them.
    fn clear_borders(&self, ring: &mut [f32]) {
        let inner_px = self.depthwise.channels;
        for row in ring[..self.ring * self.inner_row].chunks_exact_mut(self.inner_row) {
            row[..self.before * inner_px].fill(0.0);
            row[(self.before + self.inner_side) * inner_px..].fill(0.0);
        }
        ring[self.ring * self.inner_row..(self.ring + 1) * self.inner_row].fill(0.0);
    }
}

impl ImageBuffers {
    fn new(sizes: &Sizes) -> Self {
        let map = || AlignedVec::zeros(sizes.map);
        Self { image: AlignedVec::zeros(sizes.image), maps: [map(), map()] }
    }
}

impl StripBuffers {
    fn new(sizes: &Sizes) -> Self {
        Self {
            ring: AlignedVec::zeros(sizes.ring),
            depthwise: AlignedVec::zeros(sizes.depthwise),
            windows: Vec::with_capacity(sizes.windows),
        }
    }
}

fn padded(kernels: &Kernels, channels: usize) -> usize {
    channels.next_multiple_of(kernels.lanes)
}

/// A 1 × 1 convolution that changes nothing: what a block without an expansion expands with.
fn identity(channels: usize) -> arch::Conv {
    let mut weight = vec![0.0; channels * channels];
    weight.iter_mut().step_by(channels + 1).for_each(|w| *w = 1.0);
    let shape = ConvShape {
        in_channels: channels,
        out_channels: channels,
        kernel: 1,
        stride: 1,
        groups: 1,
        padding: Padding::Symmetric,
    };
    arch::Conv { shape, weight, bias: vec![0.0; channels], activation: Activation::None }
}

fn unsupported(what: &str) -> Error {
    Error::unsupported(
        format!("{what} in the native engine"),
        &["EfficientNet-Lite"],
        "choose another engine for this backbone",
    )
}
