// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use super::conv::conv_norm_specs;
use super::{Activation, BatchNorm, Conv, ConvShape, Padding, TensorSpec};
use crate::WeightMap;

/// What a card of family `resnet` says of its architecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetArgs {
    /// Blocks of each stage that is computed; three stages give TRIDENT's truncated 1024-d
    /// ResNet-50.
    pub layers: Vec<usize>,
    /// Two 3 × 3 convolutions (ResNet-18, -34), or three with 1 × 1 around (ResNet-50, …).
    pub block: ResNetBlock,
}

/// The two kinds of residual block of He et al. (2016).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResNetBlock {
    /// 3 × 3, 3 × 3.
    Basic,
    /// 1 × 1, 3 × 3 (with the stride), 1 × 1 to four times the channels.
    Bottleneck,
}

/// A ResNet's layers under torchvision's names, which are timm's too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResNetArch {
    /// First convolution, 7 × 7 with stride 2, before a 3 × 3 max pool with stride 2.
    pub stem: ConvShape,
    /// Residual blocks in order.
    pub blocks: Vec<ResidualBlock>,
}

/// A residual block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidualBlock {
    /// Prefix of its tensors, such as `layer1.0`.
    pub name: String,
    /// Its convolutions in order.
    pub convs: Vec<ConvShape>,
    /// What brings its input to the shape of its output, where that is needed.
    pub shortcut: Option<ConvShape>,
}

/// A ResNet's weights in the order of its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct ResNetWeights {
    /// First convolution with its ReLU; a 3 × 3 max pool with stride 2 and padding 1 follows.
    pub stem: Conv,
    /// Blocks in order.
    pub blocks: Vec<ResidualBlockWeights>,
}

/// A block's weights: relu(convs(x) + shortcut(x)).
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualBlockWeights {
    /// Convolutions; the last has no activation, since the sum comes first.
    pub convs: Vec<Conv>,
    /// Without activation; none where the input is added as it is.
    pub shortcut: Option<Conv>,
}

/// ε of PyTorch's batch norms.
const NORM_EPS: f64 = 1e-5;

impl ResNetArch {
    /// The layers that the arguments describe.
    pub fn new(args: &ResNetArgs) -> Self {
        let conv = |in_channels, out_channels, kernel, stride| ConvShape {
            in_channels,
            out_channels,
            kernel,
            stride,
            groups: 1,
            padding: Padding::Symmetric,
        };
        let mut channels = 64;
        let mut blocks = Vec::new();
        for (stage, &repeats) in args.layers.iter().enumerate() {
            // Beyond eight stages channels would overflow; no card passes a check with so many.
            let width = 64 << stage.min(8);
            for repeat in 0..repeats {
                let stride = if repeat == 0 && stage > 0 { 2 } else { 1 };
                let (convs, out) = match args.block {
                    ResNetBlock::Basic => {
                        (vec![conv(channels, width, 3, stride), conv(width, width, 3, 1)], width)
                    }
                    ResNetBlock::Bottleneck => (
                        vec![
                            conv(channels, width, 1, 1),
                            conv(width, width, 3, stride),
                            conv(width, width * 4, 1, 1),
                        ],
                        width * 4,
                    ),
                };
                let shortcut =
                    (stride > 1 || channels != out).then(|| conv(channels, out, 1, stride));
                blocks.push(ResidualBlock {
                    name: format!("layer{}.{repeat}", stage + 1),
                    convs,
                    shortcut,
                });
                channels = out;
            }
        }
        Self { stem: conv(3, 64, 7, 2), blocks }
    }

    /// Length of the embedding.
    pub fn dim(&self) -> usize {
        let last = self.blocks.last().and_then(|block| block.convs.last());
        last.map_or(self.stem.out_channels, |conv| conv.out_channels)
    }

    /// The tensors that the network needs, batch norms included.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = conv_norm_specs("conv1", &self.stem, "bn1");
        for ResidualBlock { name, convs, shortcut } in &self.blocks {
            for (i, conv) in convs.iter().enumerate() {
                let (conv_name, norm) = (format!("{name}.conv{}", i + 1), i + 1);
                specs.extend(conv_norm_specs(&conv_name, conv, &format!("{name}.bn{norm}")));
            }
            if let Some(conv) = shortcut {
                let (conv_name, norm) =
                    (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
                specs.extend(conv_norm_specs(&conv_name, conv, &norm));
            }
        }
        specs
    }

    /// Takes the network's tensors out of `weights`; what is missing is noted there.
    pub fn take(&self, weights: &mut WeightMap) -> ResNetWeights {
        let mut take = |conv: &str, norm: &str, shape: ConvShape, activation: Activation| {
            let norm = BatchNorm { name: norm, eps: NORM_EPS };
            Conv::take(weights, conv, norm, shape, activation)
        };
        let stem = take("conv1", "bn1", self.stem, Activation::Relu);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for ResidualBlock { name, convs, shortcut } in &self.blocks {
            let last = convs.len() - 1;
            let convs = convs.iter().enumerate().map(|(i, shape)| {
                let activation = if i == last { Activation::None } else { Activation::Relu };
                let (conv, norm) = (format!("{name}.conv{}", i + 1), format!("{name}.bn{}", i + 1));
                take(&conv, &norm, *shape, activation)
            });
            let convs = convs.collect();
            let shortcut = shortcut.map(|shape| {
                let (conv, norm) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
                take(&conv, &norm, shape, Activation::None)
            });
            blocks.push(ResidualBlockWeights { convs, shortcut });
        }
        ResNetWeights { stem, blocks }
    }
}
