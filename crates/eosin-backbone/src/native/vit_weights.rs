// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::arch::{Activation, Conv, ConvShape, Padding};

/// A linear layer as PyTorch stores it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// Input values.
    pub n_in: usize,
    /// Output values.
    pub n_out: usize,
    /// n_out × n_in.
    pub weight: Vec<f32>,
    /// n_out values, zeros where the layer has none.
    pub bias: Vec<f32>,
}

/// Weight and bias of a layer norm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerNorm {
    /// Factor per value.
    pub weight: Vec<f32>,
    /// Summand per value.
    pub bias: Vec<f32>,
}

/// The function between the two layers of a block's MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlpActivation {
    /// x · Φ(x).
    Gelu,
    /// x · sigmoid(1.702 x), of CLIP.
    QuickGelu,
    /// silu(first half) · second half of what the first layer gives, as timm packs them.
    SwiGlu,
}

/// How tokens become one vector, after the last layer norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPooling {
    /// The class token, which is the first.
    Cls,
    /// Mean of the patch tokens.
    Mean,
    /// The class token, then the mean of the patch tokens.
    ClsMean,
    /// Every token, one after the other, for a pooling that follows the network.
    Tokens,
}

/// A block; layer scales are folded with [`Linear::scaled`].
#[derive(Clone, Debug, PartialEq)]
pub struct VitBlockWeights {
    /// Before attention.
    pub norm1: LayerNorm,
    /// Queries, keys and values of all heads: 3 · dim outputs.
    pub qkv: Linear,
    /// Between attention and `proj`, of BEiT-3.
    pub attn_norm: Option<LayerNorm>,
    /// After attention.
    pub proj: Linear,
    /// Before the MLP.
    pub norm2: LayerNorm,
    /// To the hidden values, twice as many for [`MlpActivation::SwiGlu`].
    pub fc1: Linear,
    /// Between the activation and `fc2`, of BEiT-3.
    pub mlp_norm: Option<LayerNorm>,
    /// Back from them.
    pub fc2: Linear,
}

/// A vision transformer's weights in the order of its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct VitWeights {
    /// Patch embedding: kernel and stride are the patch's side.
    pub patch: Conv,
    /// Class and register tokens with their positions added: n_prefix × dim.
    pub prefix: Vec<f32>,
    /// Positions of the patches, for the grid of the input size: n_patches × dim.
    pub positions: Vec<f32>,
    /// Before the first block, of CLIP.
    pub pre_norm: Option<LayerNorm>,
    /// Blocks in order.
    pub blocks: Vec<VitBlockWeights>,
    /// After the last block.
    pub norm: LayerNorm,
    /// Heads of every block.
    pub n_heads: usize,
    /// ε of every layer norm.
    pub norm_eps: f32,
    /// Between the layers of every MLP.
    pub activation: MlpActivation,
    /// How tokens become one vector.
    pub pooling: TokenPooling,
}

impl MlpActivation {
    /// Parts of the first layer's outputs that it joins to one.
    pub(super) fn n_parts(self) -> usize {
        if self == Self::SwiGlu { 2 } else { 1 }
    }
}

impl Linear {
    /// The layer followed by a factor per output, such as a layer scale.
    #[must_use]
    pub fn scaled(&self, factors: &[f32]) -> Self {
        let mut scaled = self.clone();
        let rows = scaled.weight.chunks_exact_mut(self.n_in.max(1));
        for ((row, bias), factor) in rows.zip(&mut scaled.bias).zip(factors) {
            for w in row {
                *w *= factor;
            }
            *bias *= factor;
        }
        scaled
    }

    /// One of the layer's outputs, summed in `f64`.
    pub(crate) fn output(&self, index: usize, input: &[f32]) -> f32 {
        let weights = &self.weight[index * self.n_in..(index + 1) * self.n_in];
        let sum: f64 = input.iter().zip(weights).map(|(x, w)| f64::from(x * w)).sum();
        sum as f32 + self.bias[index]
    }

    /// The layer with zeros after each of `n_parts` parts of its outputs, up to `part` outputs.
    pub(super) fn padded(&self, n_parts: usize, part: usize) -> Self {
        let (old, n_in) = (self.n_out / n_parts, self.n_in);
        let mut padded = Self {
            n_in,
            n_out: n_parts * part,
            weight: vec![0.0; n_parts * part * n_in],
            bias: vec![0.0; n_parts * part],
        };
        for i in 0..n_parts {
            let (from, to) = (i * old, i * part);
            padded.bias[to..to + old].copy_from_slice(&self.bias[from..from + old]);
            let weight = &self.weight[from * n_in..(from + old) * n_in];
            padded.weight[to * n_in..(to + old) * n_in].copy_from_slice(weight);
        }
        padded
    }

    /// As a convolution of one pixel.
    pub(super) fn to_conv(&self) -> Conv {
        Conv {
            shape: ConvShape {
                in_channels: self.n_in,
                out_channels: self.n_out,
                kernel: 1,
                stride: 1,
                groups: 1,
                padding: Padding::Symmetric,
            },
            weight: self.weight.clone(),
            bias: self.bias.clone(),
            activation: Activation::None,
        }
    }
}
