// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv::conv_norm_specs;
use super::{Activation, BatchNorm, Conv, ConvShape, Padding, TensorSpec};
use crate::WeightMap;

/// What a card of family `efficientnet` says of its architecture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetArgs {
    /// Factor on channels.
    pub width: f64,
    /// Factor on repeats.
    pub depth: f64,
    /// EfficientNet-Lite: ReLU6, no squeeze-excite, first and last parts not scaled.
    pub lite: bool,
    /// Padding rule.
    pub padding: Padding,
    /// ε of every batch norm.
    pub norm_eps: f64,
}

/// An EfficientNet's layers.
#[derive(Clone, Debug, PartialEq)]
pub struct EfficientNetArch {
    /// First convolution, 3 × 3 with stride 2.
    pub stem: ConvShape,
    /// Inverted residual blocks in order.
    pub blocks: Vec<MbConv>,
    /// Last convolution, 1 × 1; its channels are the embedding's length.
    pub head: ConvShape,
    /// Activation of every layer but the projections.
    pub activation: Activation,
    /// ε of every batch norm.
    pub norm_eps: f64,
}

/// An inverted residual block.
#[derive(Clone, Debug, PartialEq)]
pub struct MbConv {
    /// Prefix of its tensors, such as `blocks.1.0`.
    pub name: String,
    /// 1 × 1 convolution to more channels; none where the factor is 1.
    pub expand: Option<ConvShape>,
    /// Depthwise convolution.
    pub depthwise: ConvShape,
    /// Channels to which squeeze-excite narrows, where there is one.
    pub squeeze: Option<usize>,
    /// 1 × 1 convolution to the block's output, without activation.
    pub project: ConvShape,
    /// Whether the block's input is added to its output.
    pub residual: bool,
}

/// An EfficientNet's weights in the order of its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct EfficientNetWeights {
    /// First convolution.
    pub stem: Conv,
    /// Blocks in order.
    pub blocks: Vec<MbConvWeights>,
    /// Last convolution.
    pub head: Conv,
    /// Which positions of the last map are averaged.
    pub pooling: MapPooling,
}

/// A block's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct MbConvWeights {
    /// 1 × 1 convolution to more channels.
    pub expand: Option<Conv>,
    /// Depthwise convolution.
    pub depthwise: Conv,
    /// Squeeze-excite between depthwise convolution and projection.
    pub squeeze: Option<SqueezeExcite>,
    /// 1 × 1 convolution to the block's output.
    pub project: Conv,
    /// Whether the block's input is added to its output.
    pub residual: bool,
}

/// Channel gates: x · sigmoid(expand(silu(reduce(mean(x))))).
#[derive(Clone, Debug, PartialEq)]
pub struct SqueezeExcite {
    /// Channels between the two layers.
    pub n_reduced: usize,
    /// n_reduced × channels.
    pub reduce_weight: Vec<f32>,
    /// One value per reduced channel.
    pub reduce_bias: Vec<f32>,
    /// channels × n_reduced.
    pub expand_weight: Vec<f32>,
    /// One value per channel.
    pub expand_bias: Vec<f32>,
}

/// Which positions of the last feature map make the embedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapPooling {
    /// All of them.
    #[default]
    Average,
    /// Those in the middle: an object that fills the middle of its tile, such as a mitotic figure,
    /// is diluted by an average over the tissue around it.
    Centre,
}

impl MapPooling {
    /// The rows, and likewise the columns, of a map of this side that are averaged: about half of
    /// them in the middle, 3 of 7.
    pub fn range(self, side: usize) -> Range<usize> {
        match self {
            Self::Average => 0..side,
            Self::Centre => {
                let kept = (side / 2).max(1);
                // Of the same parity as the side, so that the middle is the middle.
                let kept = kept + (side - kept) % 2;
                let from = (side - kept) / 2;
                from..from + kept
            }
        }
    }
}

/// Kernel, stride, expansion, channels and repeats of the seven stages of EfficientNet-B0.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
];

impl EfficientNetArch {
    /// The layers that the arguments describe.
    pub fn new(args: &EfficientNetArgs) -> Self {
        let padding = args.padding;
        let pointwise = |in_channels, out_channels| ConvShape {
            in_channels,
            out_channels,
            kernel: 1,
            stride: 1,
            groups: 1,
            padding,
        };
        let scaled = |channels: usize| scale_channels(channels, args.width);
        let (stem_channels, head_channels) =
            if args.lite { (32, 1280) } else { (scaled(32), scaled(1280)) };
        let stem = ConvShape { kernel: 3, stride: 2, ..pointwise(3, stem_channels) };
        let mut channels = stem_channels;
        let mut blocks = Vec::new();
        for (stage, &(kernel, stride, expansion, out, repeats)) in STAGES.iter().enumerate() {
            let out = scaled(out);
            let is_end = stage == 0 || stage + 1 == STAGES.len();
            let repeats = if args.lite && is_end {
                repeats
            } else {
                (args.depth * repeats as f64).ceil() as usize
            };
            for repeat in 0..repeats {
                let stride = if repeat == 0 { stride } else { 1 };
                let inner = channels * expansion;
                let depthwise =
                    ConvShape { kernel, stride, groups: inner, ..pointwise(inner, inner) };
                blocks.push(MbConv {
                    name: format!("blocks.{stage}.{repeat}"),
                    expand: (expansion > 1).then(|| pointwise(channels, inner)),
                    depthwise,
                    squeeze: (!args.lite).then_some((channels / 4).max(1)),
                    project: pointwise(inner, out),
                    residual: stride == 1 && channels == out,
                });
                channels = out;
            }
        }
        Self {
            stem,
            blocks,
            head: pointwise(channels, head_channels),
            activation: if args.lite { Activation::Relu6 } else { Activation::Silu },
            norm_eps: args.norm_eps,
        }
    }

    /// The tensors that the network needs, batch norms included.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = conv_norm_specs("conv_stem", &self.stem, "bn1");
        for block in &self.blocks {
            let at = |part: &str| format!("{}.{part}", block.name);
            let names = BlockNames::of(block);
            if let Some(expand) = &block.expand {
                specs.extend(conv_norm_specs(&at("conv_pw"), expand, &at("bn1")));
            }
            let norm = at(names.depthwise_norm);
            specs.extend(conv_norm_specs(&at("conv_dw"), &block.depthwise, &norm));
            if let Some(reduced) = block.squeeze {
                let channels = block.depthwise.out_channels;
                for (part, shape) in [
                    ("se.conv_reduce.weight", vec![reduced, channels, 1, 1]),
                    ("se.conv_reduce.bias", vec![reduced]),
                    ("se.conv_expand.weight", vec![channels, reduced, 1, 1]),
                    ("se.conv_expand.bias", vec![channels]),
                ] {
                    specs.push(TensorSpec { name: at(part), shape });
                }
            }
            let (conv, norm) = (at(names.project), at(names.project_norm));
            specs.extend(conv_norm_specs(&conv, &block.project, &norm));
        }
        specs.extend(conv_norm_specs("conv_head", &self.head, "bn2"));
        specs
    }

    /// Takes the network's tensors out of `weights`; what is missing is noted there.
    pub fn take(&self, weights: &mut WeightMap) -> EfficientNetWeights {
        let (eps, activation) = (self.norm_eps, self.activation);
        let stem_norm = BatchNorm { name: "bn1", eps };
        let stem = Conv::take(weights, "conv_stem", stem_norm, self.stem, activation);
        let blocks = self.blocks.iter().map(|block| self.take_block(block, weights)).collect();
        let head_norm = BatchNorm { name: "bn2", eps };
        let head = Conv::take(weights, "conv_head", head_norm, self.head, activation);
        EfficientNetWeights { stem, blocks, head, pooling: MapPooling::Average }
    }

    fn take_block(&self, block: &MbConv, weights: &mut WeightMap) -> MbConvWeights {
        let names = BlockNames::of(block);
        let mut take = |conv: &str, norm: &str, shape: ConvShape, activation: Activation| {
            let norm = format!("{}.{norm}", block.name);
            let norm = BatchNorm { name: &norm, eps: self.norm_eps };
            Conv::take(weights, &format!("{}.{conv}", block.name), norm, shape, activation)
        };
        let expand = block.expand.map(|shape| take("conv_pw", "bn1", shape, self.activation));
        let depthwise = take("conv_dw", names.depthwise_norm, block.depthwise, self.activation);
        let project = take(names.project, names.project_norm, block.project, Activation::None);
        let squeeze = block.squeeze.map(|n_reduced| {
            let channels = block.depthwise.out_channels;
            let mut take = |part: &str, shape: &[usize]| {
                weights.take(&format!("{}.se.{part}", block.name), shape).values
            };
            SqueezeExcite {
                n_reduced,
                reduce_weight: take("conv_reduce.weight", &[n_reduced, channels, 1, 1]),
                reduce_bias: take("conv_reduce.bias", &[n_reduced]),
                expand_weight: take("conv_expand.weight", &[channels, n_reduced, 1, 1]),
                expand_bias: take("conv_expand.bias", &[channels]),
            }
        });
        MbConvWeights { expand, depthwise, squeeze, project, residual: block.residual }
    }
}

/// timm numbers a block's norms in order, so names shift by one where nothing expands.
struct BlockNames {
    depthwise_norm: &'static str,
    project: &'static str,
    project_norm: &'static str,
}

impl BlockNames {
    fn of(block: &MbConv) -> Self {
        if block.expand.is_some() {
            Self { depthwise_norm: "bn2", project: "conv_pwl", project_norm: "bn3" }
        } else {
            Self { depthwise_norm: "bn1", project: "conv_pw", project_norm: "bn2" }
        }
    }
}

/// Channels times `width`, rounded to a multiple of 8 that is at least nine tenths of it
/// (Tan and Le 2019, the reference implementation's `round_filters`).
fn scale_channels(channels: usize, width: f64) -> usize {
    let scaled = channels as f64 * width;
    let rounded = (((scaled + 4.0) / 8.0).floor() as usize * 8).max(8);
    if (rounded as f64) < 0.9 * scaled { rounded + 8 } else { rounded }
}
