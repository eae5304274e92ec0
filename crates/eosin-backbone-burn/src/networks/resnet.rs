// SPDX-License-Identifier: MIT OR Apache-2.0

use burn::tensor::module::max_pool2d;
use eosin_core::Result;

use super::layers::{
    ConvLayer, Tensor2, Tensor4, activate, average_pool, input, parameters, values,
};
use eosin_backbone::Network;
use eosin_backbone::arch::{Activation, ResNetWeights};
use eosin_burn::BurnDevice;

/// ResNet (He et al. 2016) up to the average pool.
pub(crate) struct ResNet {
    stem: ConvLayer,
    blocks: Vec<Block>,
    mean: [f64; 3],
    std: [f64; 3],
    device: BurnDevice,
}

struct Block {
    convs: Vec<ConvLayer>,
    shortcut: Option<ConvLayer>,
}

impl ResNet {
    pub(crate) fn new(
        weights: ResNetWeights,
        mean: [f64; 3],
        std: [f64; 3],
        device: BurnDevice,
    ) -> Self {
        let layer = |conv| ConvLayer::new(conv, &device);
        let blocks = weights.blocks.into_iter().map(|block| Block {
            convs: block.convs.into_iter().map(layer).collect(),
            shortcut: block.shortcut.map(layer),
        });
        Self { blocks: blocks.collect(), stem: layer(weights.stem), mean, std, device }
    }

    pub(super) fn embed(&self, x: Tensor4) -> Tensor2 {
        let x = max_pool2d(self.stem.forward(x), [3, 3], [2, 2], [1, 1], [1, 1], false);
        average_pool(self.blocks.iter().fold(x, |x, block| block.forward(x)))
    }
}

impl Network for ResNet {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        values(self.embed(input(pixels, n_tiles, px, self.mean, self.std, &self.device)))
    }
}

parameters!(ResNet: stem, blocks);
parameters!(Block: convs, shortcut);

impl Block {
    fn forward(&self, x: Tensor4) -> Tensor4 {
        let y = self.convs.iter().fold(x.clone(), |y, conv| conv.forward(y));
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        activate(x + y, Activation::Relu)
    }
}
