// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};

use super::attention::{Attention, HeadBuffers};
use super::buffer::{AlignedVec, over_chunks};
use super::conv::{ConvRows, PackedConv};
use super::image::{ImageLayout, Input, Normaliser};
use super::kernel::{Elementwise, Isa, Kernels, Pixels, apply, layer_norm_rows};
use super::linear::TokenLayer;
use super::pool::Pool;
use super::vit_weights::{LayerNorm, MlpActivation, TokenPooling, VitBlockWeights, VitWeights};

/// Bytes of input rows that a matrix product sweeps for every panel of weights, and of hidden
/// values that an MLP keeps: a part of the second-level cache.
const BLOCK_BYTES: usize = 640 << 10;

/// A vision transformer, ready to embed.
#[derive(Debug)]
pub struct Vit {
    kernels: &'static Kernels,
    image: ImageLayout,
    normaliser: Normaliser,
    patch: PackedConv,
    prefix: Vec<f32>,
    /// Positions behind `prefix.len()` zeros, so that they lie as the tokens do.
    positions: AlignedVec,
    pre_norm: Option<LayerNorm>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    attention: Attention,
    activation: MlpActivation,
    pooling: TokenPooling,
    eps: f32,
    dim: usize,
    n_tokens: usize,
    /// Patches in a row.
    grid: usize,
    /// Outputs of the first layer of an MLP; each of its parts is padded to whole vectors.
    hidden: usize,
    images: Pool<ImageBuffers>,
    hiddens: Pool<AlignedVec>,
    heads: Pool<HeadBuffers>,
}

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: TokenLayer,
    /// With it `proj` takes whole tokens, else the heads' maps.
    attn_norm: Option<LayerNorm>,
    proj: TokenLayer,
    norm2: LayerNorm,
    fc1: TokenLayer,
    mlp_norm: Option<LayerNorm>,
    fc2: TokenLayer,
}

/// What one image needs.
#[derive(Debug)]
struct ImageBuffers {
    image: AlignedVec,
    tokens: [AlignedVec; 2],
    normed: AlignedVec,
    qkv: AlignedVec,
    heads: AlignedVec,
}

impl Vit {
    /// Packs the weights for what `input` says.
    pub fn new(weights: &VitWeights, input: &Input) -> Result<Self> {
        let (kernels, input_px) = (input.isa.kernels(), input.px);
        let shape = weights.patch.shape;
        let (dim, side) = (shape.out_channels, shape.kernel);
        let grid = input_px / side.max(1);
        let n_prefix = weights.prefix.len() / dim.max(1);
        let n_tokens = n_prefix + grid * grid;
        check(weights, input_px, kernels.lanes)?;
        let gates = weights.activation.n_parts();
        let part = weights.blocks.first().map_or(0, |b| b.fc1.n_out) / gates;
        let padded = part.next_multiple_of(kernels.lanes);
        let hidden = gates * padded;
        let attention = Attention::new(kernels, dim, weights.n_heads, n_tokens);
        let mut positions = AlignedVec::zeros(n_tokens * dim);
        positions[n_prefix * dim..].copy_from_slice(&weights.positions);
        let image = ImageLayout::new(input_px, 0, 0);
        let head_scale = 1.0 / (dim as f32 / weights.n_heads as f32).sqrt();
        let block = |block: &VitBlockWeights| -> Result<Block> {
            // The attention's scale goes into the queries.
            let mut scale = vec![1.0; 3 * dim];
            scale[..dim].fill(head_scale);
            let proj = if block.attn_norm.is_some() {
                TokenLayer::new(input, &block.proj)
            } else {
                let map = attention.map_len();
                TokenLayer::of_heads(input, &block.proj, weights.n_heads, map)
            };
            Ok(Block {
                norm1: block.norm1.clone(),
                qkv: TokenLayer::new(input, &block.qkv.scaled(&scale))?,
                attn_norm: block.attn_norm.clone(),
                proj: proj?,
                norm2: block.norm2.clone(),
                fc1: TokenLayer::new(input, &block.fc1.padded(gates, padded))?,
                mlp_norm: block.mlp_norm.clone(),
                fc2: TokenLayer::new(input, &block.fc2)?,
            })
        };
        Ok(Self {
            kernels,
            image,
            normaliser: Normaliser::new(input),
            patch: PackedConv::new(kernels, &weights.patch, image.row, 3)?,
            prefix: weights.prefix.clone(),
            positions,
            pre_norm: weights.pre_norm.clone(),
            blocks: weights.blocks.iter().map(block).collect::<Result<_>>()?,
            norm: weights.norm.clone(),
            attention,
            activation: weights.activation,
            pooling: weights.pooling,
            eps: weights.norm_eps,
            dim,
            n_tokens,
            grid,
            hidden,
            images: Pool::default(),
            hiddens: Pool::default(),
            heads: Pool::default(),
        })
    }

    /// Length of an embedding.
    pub fn dim(&self) -> usize {
        match self.pooling {
            TokenPooling::Cls | TokenPooling::Mean => self.dim,
            TokenPooling::ClsMean => 2 * self.dim,
            TokenPooling::Tokens => self.n_tokens * self.dim,
        }
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
            let make = || ImageBuffers::new(self);
            self.images.with(make, |buffers| self.embed_tile(tile, buffers, parts, row));
        })
    }

    fn embed_tile(&self, tile: &[u8], buffers: &mut ImageBuffers, parts: usize, out: &mut [f32]) {
        let ImageBuffers { image, tokens: [x, y], normed, qkv, heads } = buffers;
        let dim = self.dim;
        self.normaliser.run(&self.image, tile, image);
        self.embed_patches(image, x, parts);
        if let Some(norm) = &self.pre_norm {
            self.normalise(norm, x, y, parts);
            std::mem::swap(x, y);
        }
        for block in &self.blocks {
            self.normalise(&block.norm1, x, normed, parts);
            self.linear(&block.qkv, normed, dim, None, qkv, 3 * dim, parts);
            self.attention.run(self.kernels, qkv, heads, &self.heads, parts > 1);
            if let Some(norm) = &block.attn_norm {
                self.attention.gather(heads, normed);
                // Queries, keys and values are done with.
                let whole = &mut qkv[..self.n_tokens * dim];
                self.normalise(norm, normed, whole, parts);
                self.linear(&block.proj, whole, dim, Some(x), y, dim, parts);
            } else {
                self.linear(&block.proj, heads, self.attention.px(), Some(x), y, dim, parts);
            }
            self.normalise(&block.norm2, y, normed, parts);
            self.mlp(block, normed, y, x, parts);
        }
        self.pool(x, normed, out);
    }

    /// Patches times weights plus positions, behind the prefix tokens.
    fn embed_patches(&self, image: &[f32], tokens: &mut [f32], parts: usize) {
        let (start, row) = (self.prefix.len(), self.grid * self.dim);
        tokens[..start].copy_from_slice(&self.prefix);
        let side = self.patch.kernel;
        let rows = self.grid.div_ceil(parts);
        over_chunks(&mut tokens[start..], rows * row, parts > 1, |chunk, out| {
            let first = chunk * rows;
            let call = ConvRows {
                input: &image[first * side * self.image.row..],
                from: Pixels {
                    start: 0,
                    row: side * self.image.row,
                    px: side * 3,
                    ring: usize::MAX,
                },
                first_row: 0,
                n_rows: out.len() / row,
                width: self.grid,
                to: Pixels { start: 0, row, px: self.dim, ring: usize::MAX },
                residual: Some(&self.positions[start + first * row..]),
            };
            self.patch.rows(self.kernels, &call, out);
        });
    }

    fn normalise(&self, norm: &LayerNorm, input: &[f32], out: &mut [f32], parts: usize) {
        let chunk = self.n_tokens.div_ceil(parts) * self.dim;
        over_chunks(out, chunk, parts > 1, |index, out| {
            let input = &input[index * chunk..];
            layer_norm_rows(self.kernels, input, (&norm.weight, &norm.bias), self.eps, out);
        });
    }

    #[expect(clippy::too_many_arguments, reason = "operands of a product, each of its own kind")]
    fn linear(
        &self,
        layer: &TokenLayer,
        input: &[f32],
        input_px: usize,
        residual: Option<&[f32]>,
        out: &mut [f32],
        out_px: usize,
        parts: usize,
    ) {
        let block = (BLOCK_BYTES / (layer.n_values() * size_of::<f32>())).max(1);
        let even = self.n_tokens.div_ceil(self.n_tokens.div_ceil(block).max(parts));
        over_chunks(out, even * out_px, parts > 1, |chunk, out| {
            let first = chunk * even;
            let residual = residual.map(|r| &r[first * out_px..]);
            layer.tokens(self.kernels, (input, first, input_px), residual, out, out_px);
        });
    }

    /// fc2(activation(fc1(normed))) + residual, some tokens at a time.
    fn mlp(&self, block: &Block, normed: &[f32], residual: &[f32], out: &mut [f32], parts: usize) {
        let (dim, hidden) = (self.dim, self.hidden);
        let strip = self.strip().min(self.n_tokens.div_ceil(parts));
        over_chunks(out, strip * dim, parts > 1, |chunk, out| {
            let (first, n) = (chunk * strip, out.len() / dim);
            let n_values = self.strip() * hidden;
            let n_normed = if block.mlp_norm.is_some() { n_values } else { 0 };
            self.hiddens.with(
                || AlignedVec::zeros(n_values + n_normed),
                |values| {
                    let (values, inner) = values.split_at_mut(n_values);
                    let values = &mut values[..n * hidden];
                    block.fc1.tokens(self.kernels, (normed, first, dim), None, values, hidden);
                    self.activate(values);
                    let mut from = (&*values, 0, hidden);
                    if let Some(LayerNorm { weight, bias }) = &block.mlp_norm {
                        // As long as the part of the hidden values that the activation leaves.
                        let inner = &mut inner[..n * hidden];
                        layer_norm_rows(self.kernels, values, (weight, bias), self.eps, inner);
                        from.0 = inner;
                    }
                    let residual = Some(&residual[first * dim..]);
                    block.fc2.tokens(self.kernels, from, residual, out, dim);
                },
            );
        });
    }

    /// Tokens whose hidden values are kept at a time.
    fn strip(&self) -> usize {
        let most = (BLOCK_BYTES / (self.hidden * size_of::<f32>())).max(8);
        self.n_tokens.div_ceil(self.n_tokens.div_ceil(most))
    }

    fn activate(&self, values: &mut [f32]) {
        match self.activation {
            MlpActivation::Gelu => apply(self.kernels, Elementwise::Gelu, values, &[]),
            MlpActivation::QuickGelu => apply(self.kernels, Elementwise::QuickGelu, values, &[]),
            MlpActivation::SwiGlu => {
                for row in values.chunks_exact_mut(self.hidden) {
                    let (values, gate) = row.split_at_mut(self.hidden / 2);
                    apply(self.kernels, Elementwise::SwiGlu, values, gate);
                }
            }
        }
    }

    fn pool(&self, x: &[f32], normed: &mut [f32], out: &mut [f32]) {
        let (dim, n_prefix) = (self.dim, self.prefix.len() / self.dim);
        let n = if self.pooling == TokenPooling::Cls { 1 } else { self.n_tokens };
        let normed = &mut normed[..n * dim];
        let norm = (&*self.norm.weight, &*self.norm.bias);
        layer_norm_rows(self.kernels, x, norm, self.eps, normed);
        let (cls, mean) = match self.pooling {
            TokenPooling::Cls => (dim, 0),
            TokenPooling::Mean => (0, dim),
            TokenPooling::ClsMean => (dim, dim),
            TokenPooling::Tokens => return out.copy_from_slice(normed),
        };
        out[..cls].copy_from_slice(&normed[..cls]);
        let out = &mut out[cls..cls + mean];
        out.fill(0.0);
        if mean == 0 {
            return;
        }
        for token in normed.chunks_exact(dim).skip(n_prefix) {
            out.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
        }
        let n_patches = (self.grid * self.grid) as f32;
        for sum in out {
            *sum /= n_patches;
        }
    }
}

impl ImageBuffers {
    fn new(vit: &Vit) -> Self {
        let tokens = || AlignedVec::zeros(vit.n_tokens * vit.dim);
        Self {
            image: AlignedVec::zeros(vit.image.len()),
            tokens: [tokens(), tokens()],
            normed: tokens(),
            qkv: AlignedVec::zeros(vit.n_tokens * 3 * vit.dim),
            heads: AlignedVec::zeros(vit.attention.n_heads() * vit.attention.map_len()),
        }
    }
}

fn check(weights: &VitWeights, input_px: usize, lanes: usize) -> Result<()> {
    let patch = weights.patch.shape;
    let dim = patch.out_channels;
    let side = patch.kernel.max(1);
    let grid = input_px / side;
    let hidden = weights.blocks.first().map_or(0, |b| b.fc1.n_out);
    let gates = weights.activation.n_parts();
    let is_norm = |n: &LayerNorm| n.weight.len() == dim && n.bias.len() == dim;
    let is_block = |b: &VitBlockWeights| {
        let linears = [
            (&b.qkv, dim, 3 * dim),
            (&b.proj, dim, dim),
            (&b.fc1, dim, hidden),
            (&b.fc2, hidden / gates, dim),
        ];
        let is_inner =
            |n: &LayerNorm| gates == 1 && n.weight.len() == hidden && n.bias.len() == hidden;
        is_norm(&b.norm1)
            && is_norm(&b.norm2)
            && b.attn_norm.iter().all(is_norm)
            && b.mlp_norm.iter().all(is_inner)
            && b.mlp_norm.is_some() == weights.blocks[0].mlp_norm.is_some()
            && linears.iter().all(|(l, n_in, n_out)| {
                (l.n_in, l.n_out) == (*n_in, *n_out)
                    && l.weight.len() == n_in * n_out
                    && l.bias.len() == *n_out
            })
    };
    let rules = [
        ("RGB patches with a stride of their side", patch.in_channels == 3 && patch.stride == side),
        ("an input of 1 to 4096 pixels", (side..=4096).contains(&input_px)),
        ("a position for every patch", weights.positions.len() == grid * grid * dim),
        ("whole prefix tokens, one at least where they are pooled", {
            let n = weights.prefix.len();
            dim > 0 && n.is_multiple_of(dim) && (n > 0 || weights.pooling == TokenPooling::Mean)
        }),
        ("heads that divide the width", {
            weights.n_heads > 0 && dim.is_multiple_of(weights.n_heads.max(1))
        }),
        ("norms as wide as the tokens", {
            is_norm(&weights.norm) && weights.pre_norm.iter().all(is_norm)
        }),
        ("blocks of one shape, one at least", {
            !weights.blocks.is_empty() && weights.blocks.iter().all(is_block)
        }),
        ("hidden values in as many parts as the activation has", {
            hidden > 0 && hidden.is_multiple_of(gates)
        }),
        ("a width of whole vectors", dim.is_multiple_of(lanes)),
        ("hidden values in whole vectors where a norm follows them", {
            hidden.is_multiple_of(lanes) || weights.blocks.iter().all(|b| b.mlp_norm.is_none())
        }),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        None => Ok(()),
        Some((rule, _)) => Err(Error::input(
            "vision transformer",
            *rule,
            format!(
                "dim {dim}, {} heads, patch {side}, {} prefix and {} position values, {} blocks \
                 of {hidden} hidden values, {input_px} px",
                weights.n_heads,
                weights.prefix.len(),
                weights.positions.len(),
                weights.blocks.len(),
            ),
            "check the card's architecture, or choose another engine",
        )),
    }
}
