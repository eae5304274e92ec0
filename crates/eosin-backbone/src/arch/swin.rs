// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use super::conv::{conv_norm_specs, pair_specs, take_layer_norm, take_linear};
use super::{Activation, BatchNorm, Conv, ConvShape, Padding, TensorSpec};
use crate::WeightMap;
use crate::native::{LayerNorm, Linear, VitBlockWeights};

/// What a card of family `swin` says of its architecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwinArgs {
    /// Channels of the first stage; each next one has twice as many.
    pub width: usize,
    /// Blocks of each stage; Swin-T has 2, 2, 6, 2.
    pub depths: Vec<usize>,
    /// Heads of each stage; Swin-T has 3, 6, 12, 24.
    pub heads: Vec<usize>,
    /// Side of a window in tokens.
    pub window: usize,
    /// CTransPath's stem of two strided 3 × 3 convolutions instead of 4 × 4 patches.
    #[serde(default)]
    pub conv_stem: bool,
}

/// A Swin transformer (Liu et al. 2021) under timm's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwinArch {
    args: SwinArgs,
}

/// A Swin transformer's weights in the order of its layers; every layer norm has ε 1e-5.
#[derive(Clone, Debug, PartialEq)]
pub struct SwinWeights {
    /// Convolutions that bring the image to a quarter of its side.
    pub stem: Vec<Conv>,
    /// After the stem.
    pub stem_norm: LayerNorm,
    /// Stages in order.
    pub stages: Vec<SwinStage>,
    /// Before the average pool.
    pub norm: LayerNorm,
    /// Side of a window in tokens.
    pub window: usize,
}

/// A stage: blocks whose windows are shifted by half in every second.
#[derive(Clone, Debug, PartialEq)]
pub struct SwinStage {
    /// Norm and layer over 2 × 2 neighbours; none in the first stage.
    pub merge: Option<(LayerNorm, Linear)>,
    /// Heads of every block.
    pub n_heads: usize,
    /// Blocks with their relative position biases, (2 · window − 1)² × heads.
    pub blocks: Vec<(VitBlockWeights, Vec<f32>)>,
}

impl SwinArch {
    /// The layers that the arguments describe.
    pub fn new(args: SwinArgs) -> Self {
        Self { args }
    }

    /// Length of the embedding.
    pub fn dim(&self) -> usize {
        self.width(self.args.depths.len().saturating_sub(1))
    }

    fn width(&self, stage: usize) -> usize {
        self.args.width << stage.min(8)
    }

    /// Rows of a relative position bias table.
    fn n_offsets(&self) -> usize {
        (2 * self.args.window).saturating_sub(1).pow(2)
    }

    fn stem(&self) -> [ConvShape; 3] {
        let conv = |in_channels, out_channels, kernel, stride, padding| ConvShape {
            in_channels,
            out_channels,
            kernel,
            stride,
            groups: 1,
            padding,
        };
        let eighth = self.args.width / 8;
        [
            conv(3, eighth, 3, 2, Padding::Symmetric),
            conv(eighth, 2 * eighth, 3, 2, Padding::Symmetric),
            if self.args.conv_stem {
                conv(2 * eighth, self.args.width, 1, 1, Padding::Symmetric)
            } else {
                conv(3, self.args.width, 4, 4, Padding::Same)
            },
        ]
    }

    /// The tensors that the network needs.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        let [first, second, last] = self.stem();
        if self.args.conv_stem {
            let name = |i: usize| format!("patch_embed.proj.{i}");
            specs.extend(conv_norm_specs(&name(0), &first, &name(1)));
            specs.extend(conv_norm_specs(&name(3), &second, &name(4)));
            specs.extend(pair_specs(&name(6), &last.weight_shape()));
        } else {
            specs.extend(pair_specs("patch_embed.proj", &last.weight_shape()));
        }
        specs.extend(pair_specs("patch_embed.norm", &[self.args.width]));
        for (i, (&depth, &heads)) in self.args.depths.iter().zip(&self.args.heads).enumerate() {
            let width = self.width(i);
            if i > 0 {
                specs.extend(pair_specs(&format!("layers.{i}.downsample.norm"), &[2 * width]));
                let name = format!("layers.{i}.downsample.reduction.weight");
                specs.push(TensorSpec { name, shape: vec![width, 2 * width] });
            }
            for block in (0..depth).map(|b| format!("layers.{i}.blocks.{b}")) {
                let at = |part: &str| format!("{block}.{part}");
                let name = at("attn.relative_position_bias_table");
                specs.push(TensorSpec { name, shape: vec![self.n_offsets(), heads] });
                for (layer, n_out, n_in) in LAYERS {
                    let shape = [n_out * width, n_in * width];
                    specs.extend(pair_specs(&at(layer), &shape));
                }
                specs.extend(pair_specs(&at("norm1"), &[width]));
                specs.extend(pair_specs(&at("norm2"), &[width]));
            }
        }
        specs.extend(pair_specs("norm", &[self.dim()]));
        specs
    }

    /// Takes the network's tensors out of `weights`; what is missing is noted there.
    pub fn take(&self, weights: &mut WeightMap) -> SwinWeights {
        let stem = self.take_stem(weights);
        let stem_norm = take_layer_norm(weights, "patch_embed.norm", self.args.width);
        let mut stages = Vec::new();
        for (i, (&depth, &n_heads)) in self.args.depths.iter().zip(&self.args.heads).enumerate() {
            let width = self.width(i);
            let merge = (i > 0).then(|| {
                let norm = format!("layers.{i}.downsample.norm");
                let layer = format!("layers.{i}.downsample.reduction.weight");
                let (n_in, n_out) = (2 * width, width);
                let weight = weights.take(&layer, &[n_out, n_in]).values;
                let layer = Linear { n_in, n_out, weight, bias: vec![0.0; n_out] };
                (take_layer_norm(weights, &norm, n_in), layer)
            });
            let blocks = (0..depth).map(|b| {
                let block = format!("layers.{i}.blocks.{b}");
                let name = format!("{block}.attn.relative_position_bias_table");
                let bias = weights.take(&name, &[self.n_offsets(), n_heads]).values;
                (take_block(weights, &block, width), bias)
            });
            let blocks = blocks.collect();
            stages.push(SwinStage { merge, n_heads, blocks });
        }
        let norm = take_layer_norm(weights, "norm", self.dim());
        SwinWeights { stem, stem_norm, stages, norm, window: self.args.window }
    }

    fn take_stem(&self, weights: &mut WeightMap) -> Vec<Conv> {
        let [first, second, last] = self.stem();
        if !self.args.conv_stem {
            let name = "patch_embed.proj";
            return vec![Conv::take_plain(weights, name, true, last, Activation::None)];
        }
        let name = |i: usize| format!("patch_embed.proj.{i}");
        let mut take = |conv: usize, shape| {
            let norm = BatchNorm { name: &name(conv + 1), eps: 1e-5 };
            Conv::take(weights, &name(conv), norm, shape, Activation::Relu)
        };
        let mut stem = vec![take(0, first), take(3, second)];
        stem.push(Conv::take_plain(weights, &name(6), true, last, Activation::None));
        stem
    }
}

/// Linear layers of a block with outputs and inputs over the width.
const LAYERS: [(&str, usize, usize); 4] =
    [("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4)];

fn take_block(weights: &mut WeightMap, block: &str, width: usize) -> VitBlockWeights {
    let [qkv, proj, fc1, fc2] = LAYERS.map(|(layer, n_out, n_in)| {
        take_linear(weights, &format!("{block}.{layer}"), n_out * width, n_in * width)
    });
    VitBlockWeights {
        norm1: take_layer_norm(weights, &format!("{block}.norm1"), width),
        qkv,
        attn_norm: None,
        proj,
        norm2: take_layer_norm(weights, &format!("{block}.norm2"), width),
        fc1,
        mlp_norm: None,
        fc2,
    }
}
