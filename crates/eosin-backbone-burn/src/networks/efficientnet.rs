// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;

use super::layers::{
    ConvLayer, Tensor2, Tensor4, activate, average_pool, input, parameters, tensor, values,
};
use eosin_backbone::Network;
use eosin_backbone::arch::{
    Activation, EfficientNetWeights, MapPooling, MbConvWeights, SqueezeExcite,
};
use eosin_burn::BurnDevice;

/// EfficientNet and EfficientNet-Lite (Tan and Le 2019) up to the average pool.
pub(crate) struct EfficientNet {
    stem: ConvLayer,
    blocks: Vec<Block>,
    head: ConvLayer,
    pooling: MapPooling,
    mean: [f64; 3],
    std: [f64; 3],
    device: BurnDevice,
}

struct Block {
    expand: Option<ConvLayer>,
    depthwise: ConvLayer,
    squeeze: Option<Gates>,
    project: ConvLayer,
    residual: bool,
}

struct Gates {
    reduce: (Tensor4, Tensor4),
    expand: (Tensor4, Tensor4),
}

impl EfficientNet {
    pub(crate) fn new(
        weights: EfficientNetWeights,
        mean: [f64; 3],
        std: [f64; 3],
        device: BurnDevice,
    ) -> Self {
        Self {
            stem: ConvLayer::new(weights.stem, &device),
            blocks: weights.blocks.into_iter().map(|b| Block::new(b, &device)).collect(),
            head: ConvLayer::new(weights.head, &device),
            pooling: weights.pooling,
            mean,
            std,
            device,
        }
    }

    pub(super) fn embed(&self, x: Tensor4) -> Tensor2 {
        let x = self.blocks.iter().fold(self.stem.forward(x), |x, block| block.forward(x));
        let map = self.head.forward(x);
        let [n, c, side, _] = map.dims();
        let kept = self.pooling.range(side);
        average_pool(map.slice([0..n, 0..c, kept.clone(), kept]))
    }
}

impl Network for EfficientNet {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        values(self.embed(input(pixels, n_tiles, px, self.mean, self.std, &self.device)))
    }
}

parameters!(EfficientNet: stem, blocks, head);
parameters!(Block: expand, depthwise, squeeze, project);
parameters!(Gates: reduce, expand);

impl Block {
    fn new(weights: MbConvWeights, device: &BurnDevice) -> Self {
        let channels = weights.depthwise.shape.out_channels;
        Self {
            expand: weights.expand.map(|conv| ConvLayer::new(conv, device)),
            depthwise: ConvLayer::new(weights.depthwise, device),
            squeeze: weights.squeeze.map(|gates| Gates::new(gates, channels, device)),
            project: ConvLayer::new(weights.project, device),
            residual: weights.residual,
        }
    }

    fn forward(&self, x: Tensor4) -> Tensor4 {
        let mut y = x.clone();
        if let Some(expand) = &self.expand {
            y = expand.forward(y);
        }
        y = self.depthwise.forward(y);
        if let Some(gates) = &self.squeeze {
            y = gates.forward(y);
        }
        y = self.project.forward(y);
        if self.residual { x + y } else { y }
    }
}

impl Gates {
    fn new(gates: SqueezeExcite, channels: usize, device: &BurnDevice) -> Self {
        let reduced = gates.n_reduced;
        Self {
            reduce: (
                tensor(gates.reduce_weight, [1, 1, reduced, channels], device),
                tensor(gates.reduce_bias, [1, 1, reduced, 1], device),
            ),
            expand: (
                tensor(gates.expand_weight, [1, 1, channels, reduced], device),
                tensor(gates.expand_bias, [1, 1, channels, 1], device),
            ),
        }
    }

    /// Weights each channel by a gate that sees all channels' means.
    fn forward(&self, x: Tensor4) -> Tensor4 {
        let [n, c, ..] = x.dims();
        let mean = average_pool(x.clone()).reshape([n, 1, c, 1]);
        let layer = |(weight, bias): &(Tensor4, Tensor4), x: Tensor4| {
            weight.clone().matmul(x) + bias.clone()
        };
        let reduced = activate(layer(&self.reduce, mean), Activation::Silu);
        let gates = burn::tensor::activation::sigmoid(layer(&self.expand, reduced));
        x * gates.reshape([n, c, 1, 1])
    }
}
