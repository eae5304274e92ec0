// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;

use super::layers::{
    ConvLayer, LinearLayer, NormLayer, Tensor2, Tensor4, activate, from_tokens, input, parameters,
    to_tokens, values,
};
use eosin_backbone::Network;
use eosin_backbone::arch::{Activation, ConvNextBlock, ConvNextStage, ConvNextWeights};
use eosin_burn::BurnDevice;

const NORM_EPS: f32 = 1e-6;

/// ConvNeXt (Liu et al. 2022) up to the norm after the average pool.
pub(crate) struct ConvNext {
    stages: Vec<Stage>,
    norm: NormLayer,
    mean: [f64; 3],
    std: [f64; 3],
    device: BurnDevice,
}

struct Stage {
    norm_before: Option<NormLayer>,
    downsample: ConvLayer,
    norm_after: Option<NormLayer>,
    blocks: Vec<Block>,
}

struct Block {
    depthwise: ConvLayer,
    norm: NormLayer,
    fc1: LinearLayer,
    fc2: LinearLayer,
}

impl ConvNext {
    pub(crate) fn new(
        weights: ConvNextWeights,
        mean: [f64; 3],
        std: [f64; 3],
        device: BurnDevice,
    ) -> Self {
        Self {
            stages: weights.stages.into_iter().map(|stage| Stage::new(stage, &device)).collect(),
            norm: NormLayer::new(weights.norm, NORM_EPS, &device),
            mean,
            std,
            device,
        }
    }

    pub(super) fn embed(&self, x: Tensor4) -> Tensor2 {
        let x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        let pooled = self.norm.forward(to_tokens(x).mean_dim(1));
        let [n, _, width] = pooled.dims();
        pooled.reshape([n, width])
    }
}

impl Network for ConvNext {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        values(self.embed(input(pixels, n_tiles, px, self.mean, self.std, &self.device)))
    }
}

parameters!(ConvNext: stages, norm);
parameters!(Stage: norm_before, downsample, norm_after, blocks);
parameters!(Block: depthwise, norm, fc1, fc2);

impl Stage {
    fn new(stage: ConvNextStage, device: &BurnDevice) -> Self {
        let norm = |norm| NormLayer::new(norm, NORM_EPS, device);
        Self {
            norm_before: stage.norm_before.map(norm),
            downsample: ConvLayer::new(stage.downsample, device),
            norm_after: stage.norm_after.map(norm),
            blocks: stage.blocks.into_iter().map(|block| Block::new(block, device)).collect(),
        }
    }

    fn forward(&self, x: Tensor4) -> Tensor4 {
        let x = over_channels(self.norm_before.as_ref(), x);
        let x = over_channels(self.norm_after.as_ref(), self.downsample.forward(x));
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

impl Block {
    fn new(block: ConvNextBlock, device: &BurnDevice) -> Self {
        Self {
            depthwise: ConvLayer::new(block.depthwise, device),
            norm: NormLayer::new(block.norm, NORM_EPS, device),
            fc1: LinearLayer::new(block.fc1, device),
            fc2: LinearLayer::new(block.fc2, device),
        }
    }

    fn forward(&self, x: Tensor4) -> Tensor4 {
        let [_, _, height, _] = x.dims();
        let y = self.norm.forward(to_tokens(self.depthwise.forward(x.clone())));
        let y = self.fc2.forward(activate(self.fc1.forward(y), Activation::Gelu));
        x + from_tokens(y, height)
    }
}

/// A layer norm over the channels of a map.
fn over_channels(norm: Option<&NormLayer>, x: Tensor4) -> Tensor4 {
    let [_, _, height, _] = x.dims();
    match norm {
        Some(norm) => from_tokens(norm.forward(to_tokens(x)), height),
        None => x,
    }
}
