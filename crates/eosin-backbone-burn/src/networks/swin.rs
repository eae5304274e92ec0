// SPDX-License-Identifier: MIT OR Apache-2.0

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use eosin_core::Result;

use super::layers::{
    ConvLayer, LinearLayer, NormLayer, Tensor2, Tensor3, Tensor4, activate, input, parameters,
    tensor, to_tokens, values,
};
use eosin_backbone::Network;
use eosin_backbone::arch::{Activation, SwinStage, SwinWeights};
use eosin_backbone::native::VitBlockWeights;
use eosin_burn::BurnDevice;

const NORM_EPS: f32 = 1e-5;
/// What is added to the attention between tokens that the shift brought together.
const MASKED: f32 = -100.0;

/// Swin transformer (Liu et al. 2021) up to the average pool.
pub(crate) struct Swin {
    stem: Vec<ConvLayer>,
    stem_norm: NormLayer,
    stages: Vec<Stage>,
    norm: NormLayer,
    mean: [f64; 3],
    std: [f64; 3],
    device: BurnDevice,
}

struct Stage {
    merge: Option<(NormLayer, LinearLayer)>,
    blocks: Vec<Block>,
}

struct Block {
    norm1: NormLayer,
    qkv: LinearLayer,
    proj: LinearLayer,
    norm2: NormLayer,
    fc1: LinearLayer,
    fc2: LinearLayer,
    /// Position bias and mask, 1 × (windows · heads) × tokens × tokens.
    bias: Tensor4,
    grid: Grid,
}

/// How a map of tokens is cut into windows.
#[derive(Clone, Copy)]
struct Grid {
    side: usize,
    window: usize,
    shift: usize,
    n_heads: usize,
}

impl Swin {
    pub(crate) fn new(
        weights: SwinWeights,
        input_px: usize,
        mean: [f64; 3],
        std: [f64; 3],
        device: BurnDevice,
    ) -> Self {
        let mut side = input_px / 4;
        let mut stages = Vec::new();
        for stage in weights.stages {
            if stage.merge.is_some() {
                side /= 2;
            }
            stages.push(Stage::new(stage, side, weights.window, &device));
        }
        Self {
            stem: weights.stem.into_iter().map(|conv| ConvLayer::new(conv, &device)).collect(),
            stem_norm: NormLayer::new(weights.stem_norm, NORM_EPS, &device),
            stages,
            norm: NormLayer::new(weights.norm, NORM_EPS, &device),
            mean,
            std,
            device,
        }
    }

    pub(super) fn embed(&self, x: Tensor4) -> Tensor2 {
        let x = self.stem.iter().fold(x, |x, conv| conv.forward(x));
        let x = self.stem_norm.forward(to_tokens(x));
        let x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        let pooled = self.norm.forward(x).mean_dim(1);
        let [n, _, width] = pooled.dims();
        pooled.reshape([n, width])
    }
}

impl Network for Swin {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        values(self.embed(input(pixels, n_tiles, px, self.mean, self.std, &self.device)))
    }
}

parameters!(Swin: stem, stem_norm, stages, norm);
parameters!(Stage: merge, blocks);
// Position bias and mask are one tensor per window here, which training would pull apart: it stays.
parameters!(Block: norm1, qkv, proj, norm2, fc1, fc2);

impl Stage {
    fn new(stage: SwinStage, side: usize, window: usize, device: &BurnDevice) -> Self {
        let merge = stage.merge.map(|(norm, layer)| {
            (NormLayer::new(norm, NORM_EPS, device), LinearLayer::new(layer, device))
        });
        let n_heads = stage.n_heads;
        let blocks = stage.blocks.into_iter().enumerate().map(|(i, (weights, table))| {
            // Where one window covers the map there is nothing to shift.
            let shift = if i % 2 == 1 && side > window { window / 2 } else { 0 };
            Block::new(weights, &table, Grid { side, window, shift, n_heads }, device)
        });
        Self { blocks: blocks.collect(), merge }
    }

    fn forward(&self, mut x: Tensor3) -> Tensor3 {
        if let Some((norm, layer)) = &self.merge {
            let [n, n_tokens, width] = x.dims();
            let half = n_tokens.isqrt() / 2;
            // timm's order of the four neighbours: column first, then row.
            let neighbours = x.reshape([n, half, 2, half, 2, width]).permute([0, 1, 3, 4, 2, 5]);
            x = layer.forward(norm.forward(neighbours.reshape([n, half * half, 4 * width])));
        }
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

impl Block {
    fn new(weights: VitBlockWeights, table: &[f32], grid: Grid, device: &BurnDevice) -> Self {
        let norm = |norm| NormLayer::new(norm, NORM_EPS, device);
        let n_tokens = grid.window * grid.window;
        let n_windows = (grid.side / grid.window).pow(2);
        let bias = grid.bias(table);
        Self {
            norm1: norm(weights.norm1),
            qkv: LinearLayer::new(weights.qkv, device),
            proj: LinearLayer::new(weights.proj, device),
            norm2: norm(weights.norm2),
            fc1: LinearLayer::new(weights.fc1, device),
            fc2: LinearLayer::new(weights.fc2, device),
            bias: tensor(bias, [1, n_windows * grid.n_heads, n_tokens, n_tokens], device),
            grid,
        }
    }

    fn forward(&self, x: Tensor3) -> Tensor3 {
        let y = self.attend(self.grid.windows(self.norm1.forward(x.clone())));
        let x = x + self.grid.merged(self.proj.forward(y));
        let y = activate(self.fc1.forward(self.norm2.forward(x.clone())), Activation::Gelu);
        x + self.fc2.forward(y)
    }

    /// Attention within windows, N · windows × tokens × width.
    fn attend(&self, x: Tensor3) -> Tensor3 {
        let [n, n_tokens, width] = x.dims();
        let n_heads = self.grid.n_heads;
        let head = width / n_heads;
        let qkv = self.qkv.forward(x);
        let heads = |part: usize| {
            let part = qkv.clone().narrow(2, part * width, width);
            part.reshape([n, n_tokens, n_heads, head]).swap_dims(1, 2)
        };
        let scale = 1.0 / (head as f64).sqrt();
        let scores = (heads(0) * scale).matmul(heads(1).swap_dims(2, 3));
        let [_, rows, ..] = self.bias.dims();
        let scores = scores.reshape([n * n_heads / rows, rows, n_tokens, n_tokens]);
        let shares = softmax(scores + self.bias.clone(), 3);
        let y = shares.reshape([n, n_heads, n_tokens, n_tokens]).matmul(heads(2));
        y.swap_dims(1, 2).reshape([n, n_tokens, width])
    }
}

impl Grid {
    /// Shifts a map and cuts it: N × tokens × width to N · windows × tokens × width.
    fn windows(self, x: Tensor3) -> Tensor3 {
        let [n, _, width] = x.dims();
        let Self { side, window, shift, .. } = self;
        let x = rolled(x.reshape([n, side, side, width]), shift);
        let count = side / window;
        let x = x.reshape([n, count, window, count, window, width]).permute([0, 1, 3, 2, 4, 5]);
        x.reshape([n * count * count, window * window, width])
    }

    /// Undoes `windows`.
    fn merged(self, x: Tensor3) -> Tensor3 {
        let [n, _, width] = x.dims();
        let Self { side, window, shift, .. } = self;
        let count = side / window;
        let n = n / (count * count);
        let x = x.reshape([n, count, count, window, window, width]).permute([0, 1, 3, 2, 4, 5]);
        let back = if shift == 0 { 0 } else { side - shift };
        rolled(x.reshape([n, side, side, width]), back).reshape([n, side * side, width])
    }

    /// Relative position bias of every pair of tokens, with the mask where windows are shifted:
    /// windows × heads × tokens × tokens.
    fn bias(self, table: &[f32]) -> Vec<f32> {
        let Self { side, window, shift, n_heads } = self;
        let count = side / window;
        // Along one side, what the shift brings from the other end is another region.
        let region = |at: usize| match at {
            _ if shift == 0 || at < side - window => 0,
            _ if at < side - shift => 1,
            _ => 2,
        };
        let mut bias = Vec::new();
        for (wy, wx) in (0..count * count).map(|w| (w / count, w % count)) {
            let place = |token: usize| (token / window, token % window);
            let regions: Vec<_> = (0..window * window)
                .map(place)
                .map(|(y, x)| (region(wy * window + y), region(wx * window + x)))
                .collect();
            for head in 0..n_heads {
                for (a, region_a) in regions.iter().enumerate() {
                    for (b, region_b) in regions.iter().enumerate() {
                        let ((ay, ax), (by, bx)) = (place(a), place(b));
                        let row = (ay + window - 1 - by) * (2 * window - 1) + ax + window - 1 - bx;
                        let mask = if region_a == region_b { 0.0 } else { MASKED };
                        bias.push(table[row * n_heads + head] + mask);
                    }
                }
            }
        }
        bias
    }
}

/// Brings rows and columns from `by` on to the front, the ones before behind them.
fn rolled(x: Tensor4, by: usize) -> Tensor4 {
    if by == 0 {
        return x;
    }
    let side = x.dims()[1];
    let x = Tensor::cat(vec![x.clone().narrow(1, by, side - by), x.narrow(1, 0, by)], 1);
    Tensor::cat(vec![x.clone().narrow(2, by, side - by), x.narrow(2, 0, by)], 2)
}
