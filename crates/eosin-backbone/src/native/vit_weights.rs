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
}

/// A block; layer scales are folded with [`Linear::scaled`].
#[derive(Clone, Debug, PartialEq)]
pub struct VitBlockWeights {
    /// Before attention.
    pub norm1: LayerNorm,
    /// Queries, keys and values of all heads: 3 · dim outputs.
    pub qkv: Linear,
    /// After attention.
    pub proj: Linear,
    /// Before the MLP.
    pub norm2: LayerNorm,
    /// To the hidden values, twice as many for [`MlpActivation::SwiGlu`].
    pub fc1: Linear,
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
