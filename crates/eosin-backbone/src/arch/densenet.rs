// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use super::conv::{conv_norm_specs, conv_spec, norm_specs};
use super::{Activation, BatchNorm, Conv, ConvShape, Padding, TensorSpec};
use crate::WeightMap;

/// What a card of family `densenet` says of its architecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseNetArgs {
    /// Layers of each dense block; DenseNet-121 has 6, 12, 24, 16.
    pub layers: Vec<usize>,
    /// Channels that every layer adds.
    pub growth: usize,
}

/// A DenseNet (Huang et al. 2017) under torchvision's names, which are timm's too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenseNetArch {
    args: DenseNetArgs,
}

/// A DenseNet's weights in the order of its layers.
///
/// Norms that stand before a convolution are depthwise 1 × 1 convolutions with the ReLU.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseNetWeights {
    /// First convolution with its ReLU; a 3 × 3 max pool with stride 2 and padding 1 follows.
    pub stem: Conv,
    /// Dense blocks in order.
    pub blocks: Vec<DenseBlockWeights>,
    /// After the last block.
    pub norm: Conv,
}

/// A dense block and the transition after it.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseBlockWeights {
    /// Norm, 1 × 1 and 3 × 3 convolution; what comes out is put behind what went in.
    pub layers: Vec<[Conv; 3]>,
    /// Norm and 1 × 1 convolution, before a 2 × 2 average pool; none after the last block.
    pub transition: Option<[Conv; 2]>,
}

const STEM_CHANNELS: usize = 64;
/// Outputs of a layer's first convolution over the growth.
const BOTTLENECK: usize = 4;
const NORM_EPS: f64 = 1e-5;

impl DenseNetArch {
    /// The layers that the arguments describe.
    pub fn new(args: DenseNetArgs) -> Self {
        Self { args }
    }

    /// Length of the embedding.
    pub fn dim(&self) -> usize {
        self.args.layers.iter().enumerate().fold(STEM_CHANNELS, |channels, (block, &n)| {
            let out = channels + n * self.args.growth;
            if block + 1 < self.args.layers.len() { out / 2 } else { out }
        })
    }

    /// The tensors that the network needs.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = conv_norm_specs("features.conv0", &stem(), "features.norm0");
        for block in self.blocks() {
            for layer in &block.layers {
                let at = |part: &str| format!("{}.{part}", layer.name);
                specs.extend(norm_specs(&at("norm1"), layer.reduce.in_channels));
                specs.extend(conv_norm_specs(&at("conv1"), &layer.reduce, &at("norm2")));
                specs.push(conv_spec(&at("conv2"), &layer.grow));
            }
            if let Some((name, conv)) = &block.transition {
                specs.extend(norm_specs(&format!("{name}.norm"), conv.in_channels));
                specs.push(conv_spec(&format!("{name}.conv"), conv));
            }
        }
        specs.extend(norm_specs("features.norm5", self.dim()));
        specs
    }

    /// Takes the network's tensors out of `weights`; what is missing is noted there.
    pub fn take(&self, weights: &mut WeightMap) -> DenseNetWeights {
        let stem =
            Conv::take(weights, "features.conv0", norm("features.norm0"), stem(), Activation::Relu);
        let mut blocks = Vec::new();
        for block in self.blocks() {
            let layers = block.layers.iter().map(|DenseLayer { name, reduce, grow }| {
                let at = |part: &str| format!("{name}.{part}");
                let (norm1, norm2) = (at("norm1"), at("norm2"));
                [
                    norm(&norm1).take_alone(weights, reduce.in_channels, Activation::Relu),
                    Conv::take(weights, &at("conv1"), norm(&norm2), *reduce, Activation::Relu),
                    Conv::take_plain(weights, &at("conv2"), false, *grow, Activation::None),
                ]
            });
            let layers = layers.collect();
            let transition = block.transition.map(|(name, conv)| {
                let (norm_name, conv_name) = (format!("{name}.norm"), format!("{name}.conv"));
                [
                    norm(&norm_name).take_alone(weights, conv.in_channels, Activation::Relu),
                    Conv::take_plain(weights, &conv_name, false, conv, Activation::None),
                ]
            });
            blocks.push(DenseBlockWeights { layers, transition });
        }
        let last = norm("features.norm5").take_alone(weights, self.dim(), Activation::Relu);
        DenseNetWeights { stem, blocks, norm: last }
    }

    fn blocks(&self) -> Vec<DenseBlock> {
        let mut channels = STEM_CHANNELS;
        let mut blocks = Vec::new();
        for (block, &n_layers) in self.args.layers.iter().enumerate() {
            let mut layers = Vec::with_capacity(n_layers);
            for layer in 1..=n_layers {
                let inner = BOTTLENECK * self.args.growth;
                layers.push(DenseLayer {
                    name: format!("features.denseblock{}.denselayer{layer}", block + 1),
                    reduce: conv(channels, inner, 1, 1),
                    grow: conv(inner, self.args.growth, 3, 1),
                });
                channels += self.args.growth;
            }
            let is_last = block + 1 == self.args.layers.len();
            let transition = (!is_last).then(|| {
                let name = format!("features.transition{}", block + 1);
                (name, conv(channels, channels / 2, 1, 1))
            });
            if !is_last {
                channels /= 2;
            }
            blocks.push(DenseBlock { layers, transition });
        }
        blocks
    }
}

struct DenseBlock {
    layers: Vec<DenseLayer>,
    transition: Option<(String, ConvShape)>,
}

struct DenseLayer {
    name: String,
    reduce: ConvShape,
    grow: ConvShape,
}

fn norm(name: &str) -> BatchNorm<'_> {
    BatchNorm { name, eps: NORM_EPS }
}

fn stem() -> ConvShape {
    conv(3, STEM_CHANNELS, 7, 2)
}

fn conv(in_channels: usize, out_channels: usize, kernel: usize, stride: usize) -> ConvShape {
    let padding = Padding::Symmetric;
    ConvShape { in_channels, out_channels, kernel, stride, groups: 1, padding }
}
