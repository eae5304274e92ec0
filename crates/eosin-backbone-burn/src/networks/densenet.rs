// SPDX-License-Identifier: MIT OR Apache-2.0

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use eosin_core::Result;

use super::layers::{ConvLayer, Tensor2, Tensor4, average_pool, input, parameters, values};
use eosin_backbone::Network;
use eosin_backbone::arch::{Conv, DenseBlockWeights, DenseNetWeights};
use eosin_burn::BurnDevice;

/// DenseNet (Huang et al. 2017) up to the average pool.
pub(crate) struct DenseNet {
    stem: ConvLayer,
    blocks: Vec<Block>,
    norm: ConvLayer,
    mean: [f64; 3],
    std: [f64; 3],
    device: BurnDevice,
}

struct Block {
    layers: Vec<[ConvLayer; 3]>,
    transition: Option<[ConvLayer; 2]>,
}

impl DenseNet {
    pub(crate) fn new(
        weights: DenseNetWeights,
        mean: [f64; 3],
        std: [f64; 3],
        device: BurnDevice,
    ) -> Self {
        let layer = |conv: Conv| ConvLayer::new(conv, &device);
        let block = |block: DenseBlockWeights| Block {
            layers: block.layers.into_iter().map(|convs| convs.map(layer)).collect(),
            transition: block.transition.map(|convs| convs.map(layer)),
        };
        Self {
            stem: layer(weights.stem),
            blocks: weights.blocks.into_iter().map(block).collect(),
            norm: layer(weights.norm),
            mean,
            std,
            device,
        }
    }

    pub(super) fn embed(&self, x: Tensor4) -> Tensor2 {
        let x = max_pool2d(self.stem.forward(x), [3, 3], [2, 2], [1, 1], [1, 1], false);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        average_pool(self.norm.forward(x))
    }
}

impl Network for DenseNet {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        values(self.embed(input(pixels, n_tiles, px, self.mean, self.std, &self.device)))
    }
}

parameters!(DenseNet: stem, blocks, norm);
parameters!(Block: layers, transition);

impl Block {
    fn forward(&self, x: Tensor4) -> Tensor4 {
        let x = self.layers.iter().fold(x, |x, convs| {
            let y = convs.iter().fold(x.clone(), |y, conv| conv.forward(y));
            Tensor::cat(vec![x, y], 1)
        });
        match &self.transition {
            Some(convs) => {
                let x = convs.iter().fold(x, |x, conv| conv.forward(x));
                avg_pool2d(x, [2, 2], [2, 2], [0, 0], false, false)
            }
            None => x,
        }
    }
}
