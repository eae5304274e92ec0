// SPDX-License-Identifier: MIT OR Apache-2.0

use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use eosin_core::Result;

use super::layers::{
    ConvLayer, LinearLayer, NormLayer, Tensor2, Tensor3, Tensor4, activate, input, parameters,
    tensor, values,
};
use eosin_backbone::Network;
use eosin_backbone::arch::Activation;
use eosin_backbone::native::{MlpActivation, TokenPooling, VitBlockWeights, VitWeights};
use eosin_burn::BurnDevice;

/// A vision transformer up to its pooling.
pub(crate) struct Vit {
    patch: ConvLayer,
    prefix: Tensor3,
    positions: Tensor3,
    pre_norm: Option<NormLayer>,
    blocks: Vec<Block>,
    norm: NormLayer,
    n_heads: usize,
    activation: MlpActivation,
    pooling: TokenPooling,
    mean: [f64; 3],
    std: [f64; 3],
    device: BurnDevice,
}

struct Block {
    norm1: NormLayer,
    qkv: LinearLayer,
    attn_norm: Option<NormLayer>,
    proj: LinearLayer,
    norm2: NormLayer,
    fc1: LinearLayer,
    mlp_norm: Option<NormLayer>,
    fc2: LinearLayer,
}

impl Vit {
    pub(crate) fn new(
        weights: VitWeights,
        mean: [f64; 3],
        std: [f64; 3],
        device: BurnDevice,
    ) -> Self {
        let width = weights.patch.shape.out_channels;
        let (n_prefix, n_patches) = (weights.prefix.len() / width, weights.positions.len() / width);
        let norm = |norm| NormLayer::new(norm, weights.norm_eps, &device);
        Self {
            prefix: tensor(weights.prefix, [1, n_prefix, width], &device),
            positions: tensor(weights.positions, [1, n_patches, width], &device),
            patch: ConvLayer::new(weights.patch, &device),
            pre_norm: weights.pre_norm.map(norm),
            blocks: weights
                .blocks
                .into_iter()
                .map(|block| Block::new(block, weights.norm_eps, &device))
                .collect(),
            norm: norm(weights.norm),
            n_heads: weights.n_heads,
            activation: weights.activation,
            pooling: weights.pooling,
            mean,
            std,
            device,
        }
    }

    pub(super) fn embed(&self, x: Tensor4) -> Tensor2 {
        let x = self.patch.forward(x);
        let [n, width, rows, columns] = x.dims();
        let x = x.reshape([n, width, rows * columns]).swap_dims(1, 2) + self.positions.clone();
        let [_, n_prefix, _] = self.prefix.dims();
        let prefix = self.prefix.clone().expand([n, n_prefix, width]);
        let mut x = Tensor::cat(vec![prefix, x], 1);
        if let Some(norm) = &self.pre_norm {
            x = norm.forward(x);
        }
        for block in &self.blocks {
            x = block.forward(x, self.n_heads, self.activation);
        }
        self.pool(self.norm.forward(x))
    }

    fn pool(&self, x: Tensor3) -> Tensor2 {
        let [n, n_tokens, width] = x.dims();
        let n_prefix = self.prefix.dims()[1];
        let cls = || x.clone().narrow(1, 0, 1).reshape([n, width]);
        let mean = || {
            let patches = x.clone().narrow(1, n_prefix, n_tokens - n_prefix);
            patches.mean_dim(1).reshape([n, width])
        };
        match self.pooling {
            TokenPooling::Cls => cls(),
            TokenPooling::Mean => mean(),
            TokenPooling::ClsMean => Tensor::cat(vec![cls(), mean()], 1),
            TokenPooling::Tokens => x.clone().reshape([n, n_tokens * width]),
        }
    }
}

impl Network for Vit {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        values(self.embed(input(pixels, n_tiles, px, self.mean, self.std, &self.device)))
    }
}

parameters!(Vit: patch, prefix, positions, pre_norm, blocks, norm);
parameters!(Block: norm1, qkv, attn_norm, proj, norm2, fc1, mlp_norm, fc2);

impl Block {
    fn new(weights: VitBlockWeights, eps: f32, device: &BurnDevice) -> Self {
        let norm = |norm| NormLayer::new(norm, eps, device);
        Self {
            norm1: norm(weights.norm1),
            qkv: LinearLayer::new(weights.qkv, device),
            attn_norm: weights.attn_norm.map(norm),
            proj: LinearLayer::new(weights.proj, device),
            norm2: norm(weights.norm2),
            fc1: LinearLayer::new(weights.fc1, device),
            mlp_norm: weights.mlp_norm.map(norm),
            fc2: LinearLayer::new(weights.fc2, device),
        }
    }

    fn forward(&self, x: Tensor3, n_heads: usize, activation: MlpActivation) -> Tensor3 {
        let y = self.attend(self.norm1.forward(x.clone()), n_heads);
        let y = normed(self.attn_norm.as_ref(), y);
        let x = x + self.proj.forward(y);
        let y = self.fc1.forward(self.norm2.forward(x.clone()));
        let y = match activation {
            MlpActivation::Gelu => activate(y, Activation::Gelu),
            MlpActivation::QuickGelu => y.clone() * sigmoid(y * 1.702),
            MlpActivation::SwiGlu => {
                let half = y.dims()[2] / 2;
                silu(y.clone().narrow(2, 0, half)) * y.narrow(2, half, half)
            }
        };
        x + self.fc2.forward(normed(self.mlp_norm.as_ref(), y))
    }

    fn attend(&self, x: Tensor3, n_heads: usize) -> Tensor3 {
        let [n, n_tokens, width] = x.dims();
        let qkv = self.qkv.forward(x);
        let heads = |part: usize| {
            let part = qkv.clone().narrow(2, part * width, width);
            part.reshape([n, n_tokens, n_heads, width / n_heads]).swap_dims(1, 2)
        };
        let y =
            attention(heads(0), heads(1), heads(2), None, None, AttentionModuleOptions::default());
        y.swap_dims(1, 2).reshape([n, n_tokens, width])
    }
}

fn normed(norm: Option<&NormLayer>, x: Tensor3) -> Tensor3 {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}
