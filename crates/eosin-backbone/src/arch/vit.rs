// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use super::conv::{take_layer_norm, take_linear};
use super::positions::resample_positions;
use super::{Activation, AttentionPool, Conv, ConvShape, Padding, Tail, TensorSpec};
use crate::WeightMap;
use crate::native::{Linear, MlpActivation, TokenPooling, VitBlockWeights, VitWeights};

/// What a card of family `vit` says of its architecture, in timm's terms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of timm's transformer")]
pub struct VitArgs {
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Length of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Heads of every block.
    pub heads: usize,
    /// What lies between the layers of an MLP.
    pub mlp: Mlp,
    /// Outputs of an MLP's first layer over `width`; for SwiGLU both halves count.
    pub mlp_ratio: f64,
    /// Register tokens after the class token.
    #[serde(default)]
    pub registers: usize,
    /// Whether class and register tokens have positions too (timm: not `no_embed_class`).
    pub embed_class: bool,
    /// Whether attention and MLP are scaled per value before they are added.
    #[serde(default)]
    pub layer_scale: bool,
    /// Whether a layer norm stands before the blocks (CLIP); the patches then have no bias.
    #[serde(default)]
    pub pre_norm: bool,
    /// Whether a layer norm stands before the last layer of attention and of the MLP (BEiT-3;
    /// timm's `scale_attn_norm` and `scale_mlp_norm`).
    #[serde(default)]
    pub inner_norms: bool,
    /// Length of what pooling `attention` gives; 0 for the others.
    #[serde(default)]
    pub pool_width: usize,
    /// Heads of pooling `attention`.
    #[serde(default)]
    pub pool_heads: usize,
    /// Outputs of the layer after pooling, which CLIP has; 0 where there is none.
    #[serde(default)]
    pub projection: usize,
    /// ε of every layer norm.
    pub norm_eps: f64,
    /// Side of the image in pixels that the positions were trained for.
    pub position_px: usize,
}

/// The function between the layers of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mlp {
    /// x · Φ(x).
    Gelu,
    /// x · sigmoid(1.702 x), of CLIP.
    QuickGelu,
    /// silu(first half) · second half, packed in one layer.
    Swiglu,
}

/// A vision transformer (Dosovitskiy et al. 2021) as timm builds it.
#[derive(Clone, Debug, PartialEq)]
pub struct VitArch {
    args: VitArgs,
    pooling: TokenPooling,
}

impl VitArch {
    /// The layers that the arguments describe, ending in one of the poolings.
    pub fn new(args: VitArgs, pooling: TokenPooling) -> Self {
        Self { args, pooling }
    }

    /// Length of the vector before CLIP's projection.
    pub fn pooled_dim(&self) -> usize {
        match self.pooling {
            TokenPooling::Cls | TokenPooling::Mean => self.args.width,
            TokenPooling::ClsMean => 2 * self.args.width,
            TokenPooling::Tokens => self.args.pool_width,
        }
    }

    /// Length of the embedding.
    pub fn dim(&self) -> usize {
        if self.args.projection > 0 { self.args.projection } else { self.pooled_dim() }
    }

    fn n_prefix(&self) -> usize {
        1 + self.args.registers
    }

    fn position_grid(&self) -> usize {
        self.args.position_px / self.args.patch.max(1)
    }

    /// Rows of the position embedding.
    fn n_positions(&self) -> usize {
        let patches = self.position_grid().pow(2);
        if self.args.embed_class { patches + self.n_prefix() } else { patches }
    }

    /// Outputs of an MLP's first layer; rounded down, as Python's `int` does.
    fn hidden(&self) -> usize {
        (self.args.width as f64 * self.args.mlp_ratio) as usize
    }

    /// Inputs of an MLP's second layer.
    fn gated(&self) -> usize {
        if self.args.mlp == Mlp::Swiglu { self.hidden() / 2 } else { self.hidden() }
    }

    /// The tensors that the network needs.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let VitArgs { patch, width, depth, registers, .. } = self.args;
        let mut specs = Vec::new();
        let mut add = |name: String, shape: &[usize]| {
            specs.push(TensorSpec { name, shape: shape.to_vec() });
        };
        add("cls_token".into(), &[1, 1, width]);
        if registers > 0 {
            add("reg_token".into(), &[1, registers, width]);
        }
        add("pos_embed".into(), &[1, self.n_positions(), width]);
        add("patch_embed.proj.weight".into(), &[width, 3, patch, patch]);
        if !self.args.pre_norm {
            add("patch_embed.proj.bias".into(), &[width]);
        }
        let norms = if self.args.pre_norm { &["norm_pre", "norm"][..] } else { &["norm"] };
        for norm in norms {
            add(format!("{norm}.weight"), &[width]);
            add(format!("{norm}.bias"), &[width]);
        }
        for block in (0..depth).map(|i| format!("blocks.{i}")) {
            for norm in ["norm1", "norm2"] {
                add(format!("{block}.{norm}.weight"), &[width]);
                add(format!("{block}.{norm}.bias"), &[width]);
            }
            for (layer, n_out, n_in) in [
                ("attn.qkv", 3 * width, width),
                ("attn.proj", width, width),
                ("mlp.fc1", self.hidden(), width),
                ("mlp.fc2", width, self.gated()),
            ] {
                add(format!("{block}.{layer}.weight"), &[n_out, n_in]);
                add(format!("{block}.{layer}.bias"), &[n_out]);
            }
            if self.args.layer_scale {
                add(format!("{block}.ls1.gamma"), &[width]);
                add(format!("{block}.ls2.gamma"), &[width]);
            }
            if self.args.inner_norms {
                for (norm, n) in [("attn.norm", width), ("mlp.norm", self.gated())] {
                    add(format!("{block}.{norm}.weight"), &[n]);
                    add(format!("{block}.{norm}.bias"), &[n]);
                }
            }
        }
        if self.pooling == TokenPooling::Tokens {
            for spec in AttentionPool::tensors(width, self.args.pool_width) {
                add(spec.name, &spec.shape);
            }
        }
        if self.args.projection > 0 {
            add("head.weight".into(), &[self.args.projection, self.pooled_dim()]);
        }
        specs
    }

    /// Takes the network's tensors out of `weights`; what is missing is noted there.
    ///
    /// Positions come out for tiles of `input_px`, layer scales folded.
    pub fn take(&self, weights: &mut WeightMap, input_px: usize) -> VitWeights {
        let VitArgs { patch, width, depth, .. } = self.args;
        let (prefix, positions) = self.take_tokens(weights, input_px);
        let weight = weights.take("patch_embed.proj.weight", &[width, 3, patch, patch]).values;
        let bias = if self.args.pre_norm {
            vec![0.0; width]
        } else {
            weights.take("patch_embed.proj.bias", &[width]).values
        };
        let shape = ConvShape {
            in_channels: 3,
            out_channels: width,
            kernel: patch,
            stride: patch,
            groups: 1,
            padding: Padding::Same,
        };
        VitWeights {
            patch: Conv { shape, weight, bias, activation: Activation::None },
            prefix,
            positions,
            pre_norm: self.args.pre_norm.then(|| take_layer_norm(weights, "norm_pre", width)),
            blocks: (0..depth).map(|i| self.take_block(weights, &format!("blocks.{i}"))).collect(),
            norm: take_layer_norm(weights, "norm", width),
            n_heads: self.args.heads,
            norm_eps: self.args.norm_eps as f32,
            activation: match self.args.mlp {
                Mlp::Gelu => MlpActivation::Gelu,
                Mlp::QuickGelu => MlpActivation::QuickGelu,
                Mlp::Swiglu => MlpActivation::SwiGlu,
            },
            pooling: self.pooling,
        }
    }

    /// Takes what follows the network's own pooling, where the architecture has something.
    pub fn take_tail(&self, weights: &mut WeightMap) -> Option<Tail> {
        let VitArgs { width, pool_width, pool_heads, projection, .. } = self.args;
        let n_in = self.pooled_dim();
        if self.pooling == TokenPooling::Tokens {
            let pool = AttentionPool::take(weights, width, pool_width, pool_heads);
            return Some(Tail::Attention(pool));
        }
        (projection > 0).then(|| {
            Tail::Projection(Linear {
                n_in,
                n_out: projection,
                weight: weights.take("head.weight", &[projection, n_in]).values,
                bias: vec![0.0; projection],
            })
        })
    }

    fn take_block(&self, weights: &mut WeightMap, block: &str) -> VitBlockWeights {
        let width = self.args.width;
        let mut linear = |layer: &str, n_out: usize, n_in: usize| {
            take_linear(weights, &format!("{block}.{layer}"), n_out, n_in)
        };
        let qkv = linear("attn.qkv", 3 * width, width);
        let mut proj = linear("attn.proj", width, width);
        let fc1 = linear("mlp.fc1", self.hidden(), width);
        let mut fc2 = linear("mlp.fc2", width, self.gated());
        if self.args.layer_scale {
            proj = proj.scaled(&weights.take(&format!("{block}.ls1.gamma"), &[width]).values);
            fc2 = fc2.scaled(&weights.take(&format!("{block}.ls2.gamma"), &[width]).values);
        }
        let mut norm =
            |name: &str, n: usize| take_layer_norm(weights, &format!("{block}.{name}"), n);
        let has_inner = self.args.inner_norms;
        VitBlockWeights {
            norm1: norm("norm1", width),
            qkv,
            attn_norm: has_inner.then(|| norm("attn.norm", width)),
            proj,
            norm2: norm("norm2", width),
            fc1,
            mlp_norm: has_inner.then(|| norm("mlp.norm", self.gated())),
            fc2,
        }
    }

    /// Prefix tokens with their positions added, and the patches' positions.
    fn take_tokens(&self, weights: &mut WeightMap, input_px: usize) -> (Vec<f32>, Vec<f32>) {
        let VitArgs { width, registers, embed_class, .. } = self.args;
        let mut prefix = weights.take("cls_token", &[1, 1, width]).values;
        if registers > 0 {
            prefix.extend(weights.take("reg_token", &[1, registers, width]).values);
        }
        let mut positions = weights.take("pos_embed", &[1, self.n_positions(), width]).values;
        if embed_class {
            let patches = positions.split_off(prefix.len());
            prefix.iter_mut().zip(&positions).for_each(|(token, position)| *token += position);
            positions = patches;
        }
        let grid = input_px / self.args.patch.max(1);
        (prefix, resample_positions(&positions, width, self.position_grid(), grid))
    }
}
