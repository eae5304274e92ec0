// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use super::conv::{pair_specs, take_layer_norm, take_linear};
use super::{Activation, Conv, ConvShape, Padding, TensorSpec};
use crate::WeightMap;
use crate::native::{LayerNorm, Linear};

/// What a card of family `convnext` says of its architecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvNextArgs {
    /// Blocks of each stage; ConvNeXt-T has 3, 3, 9, 3.
    pub depths: Vec<usize>,
    /// Channels of each stage; ConvNeXt-T has 96, 192, 384, 768.
    pub widths: Vec<usize>,
}

/// A ConvNeXt (Liu et al. 2022) under timm's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvNextArch {
    args: ConvNextArgs,
}

/// A ConvNeXt's weights in the order of its layers; every norm has ε 1e-6.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvNextWeights {
    /// Stages in order.
    pub stages: Vec<ConvNextStage>,
    /// After the average pool.
    pub norm: LayerNorm,
}

/// What brings a map to the stage's size, and the stage's blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvNextStage {
    /// Before the convolution; none in the first stage.
    pub norm_before: Option<LayerNorm>,
    /// 4 × 4 with stride 4 in the first stage, 2 × 2 with stride 2 in the others.
    pub downsample: Conv,
    /// After the convolution; in the first stage alone.
    pub norm_after: Option<LayerNorm>,
    /// Blocks in order.
    pub blocks: Vec<ConvNextBlock>,
}

/// x + fc2(gelu(fc1(norm(depthwise(x))))), the layer scale folded into fc2.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvNextBlock {
    /// 7 × 7 depthwise convolution.
    pub depthwise: Conv,
    /// Over channels.
    pub norm: LayerNorm,
    /// To four times the channels.
    pub fc1: Linear,
    /// Back.
    pub fc2: Linear,
}

impl ConvNextArch {
    /// The layers that the arguments describe.
    pub fn new(args: ConvNextArgs) -> Self {
        Self { args }
    }

    /// Length of the embedding.
    pub fn dim(&self) -> usize {
        self.args.widths.last().copied().unwrap_or(0)
    }

    /// Stage, blocks, input channels and channels.
    fn stages(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        let ConvNextArgs { depths, widths } = &self.args;
        let stages = depths.iter().zip(widths).enumerate();
        stages
            .map(|(i, (&depth, &width))| (i, depth, if i == 0 { 3 } else { widths[i - 1] }, width))
    }

    /// The tensors that the network needs.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        for (i, depth, before, width) in self.stages() {
            let shape = downsample(i, before, width).weight_shape();
            if i == 0 {
                specs.extend(pair_specs("stem.0", &shape));
                specs.extend(pair_specs("stem.1", &[width]));
            } else {
                specs.extend(pair_specs(&format!("stages.{i}.downsample.0"), &[before]));
                specs.extend(pair_specs(&format!("stages.{i}.downsample.1"), &shape));
            }
            for block in (0..depth).map(|b| format!("stages.{i}.blocks.{b}")) {
                specs.push(TensorSpec { name: format!("{block}.gamma"), shape: vec![width] });
                specs.extend(pair_specs(&format!("{block}.conv_dw"), &[width, 1, 7, 7]));
                specs.extend(pair_specs(&format!("{block}.norm"), &[width]));
                specs.extend(pair_specs(&format!("{block}.mlp.fc1"), &[4 * width, width]));
                specs.extend(pair_specs(&format!("{block}.mlp.fc2"), &[width, 4 * width]));
            }
        }
        specs.extend(pair_specs("head.norm", &[self.dim()]));
        specs
    }

    /// Takes the network's tensors out of `weights`; what is missing is noted there.
    pub fn take(&self, weights: &mut WeightMap) -> ConvNextWeights {
        let mut stages = Vec::new();
        for (i, depth, before, width) in self.stages() {
            let is_first = i == 0;
            let (norm, conv) = if is_first {
                ("stem.1".to_string(), "stem.0".to_string())
            } else {
                (format!("stages.{i}.downsample.0"), format!("stages.{i}.downsample.1"))
            };
            let shape = downsample(i, before, width);
            stages.push(ConvNextStage {
                norm_before: (!is_first).then(|| take_layer_norm(weights, &norm, before)),
                downsample: Conv::take_plain(weights, &conv, true, shape, Activation::None),
                norm_after: is_first.then(|| take_layer_norm(weights, &norm, width)),
                blocks: (0..depth)
                    .map(|b| take_block(weights, &format!("stages.{i}.blocks.{b}"), width))
                    .collect(),
            });
        }
        ConvNextWeights { stages, norm: take_layer_norm(weights, "head.norm", self.dim()) }
    }
}

fn take_block(weights: &mut WeightMap, name: &str, width: usize) -> ConvNextBlock {
    let shape = ConvShape {
        in_channels: width,
        out_channels: width,
        kernel: 7,
        stride: 1,
        groups: width,
        padding: Padding::Symmetric,
    };
    let depthwise =
        Conv::take_plain(weights, &format!("{name}.conv_dw"), true, shape, Activation::None);
    let fc2 = take_linear(weights, &format!("{name}.mlp.fc2"), width, 4 * width);
    ConvNextBlock {
        depthwise,
        norm: take_layer_norm(weights, &format!("{name}.norm"), width),
        fc1: take_linear(weights, &format!("{name}.mlp.fc1"), 4 * width, width),
        fc2: fc2.scaled(&weights.take(&format!("{name}.gamma"), &[width]).values),
    }
}

fn downsample(stage: usize, in_channels: usize, out_channels: usize) -> ConvShape {
    let kernel = if stage == 0 { 4 } else { 2 };
    let padding = Padding::Same;
    ConvShape { in_channels, out_channels, kernel, stride: kernel, groups: 1, padding }
}
