// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::arch::{Conv, EfficientNetWeights, ResNetWeights};
use crate::native::{Linear, VitWeights};
use crate::network::Layers;

impl Layers {
    /// Multiplications and additions of a tile's products and convolutions, where counted.
    pub(crate) fn flops(&self, px: usize) -> Option<f64> {
        match self {
            Self::EfficientNet(weights) => Some(efficientnet(weights, px)),
            Self::ResNet(weights) => Some(resnet(weights, px)),
            Self::Vit(weights) => Some(vit(weights, px)),
            Self::DenseNet(_) | Self::ConvNext(_) | Self::Swin(_) => None,
        }
    }
}

/// A convolution's, and the side of its output.
fn conv(conv: &Conv, side: usize) -> (f64, usize) {
    let out = conv.shape.n_out(side);
    (2.0 * (out * out * conv.weight.len()) as f64, out)
}

fn chain<'a>(convs: impl IntoIterator<Item = &'a Conv>, side: usize) -> (f64, usize) {
    convs.into_iter().fold((0.0, side), |(sum, side), layer| {
        let (flops, side) = conv(layer, side);
        (sum + flops, side)
    })
}

fn efficientnet(weights: &EfficientNetWeights, px: usize) -> f64 {
    let (mut sum, mut side) = conv(&weights.stem, px);
    for block in &weights.blocks {
        let layers = block.expand.iter().chain([&block.depthwise, &block.project]);
        let (flops, after) = chain(layers, side);
        let squeeze = block.squeeze.as_ref();
        let squeeze = squeeze.map_or(0, |s| s.reduce_weight.len() + s.expand_weight.len());
        (sum, side) = (sum + flops + 2.0 * squeeze as f64, after);
    }
    sum + conv(&weights.head, side).0
}

fn resnet(weights: &ResNetWeights, px: usize) -> f64 {
    let (mut sum, side) = conv(&weights.stem, px);
    let mut side = side.div_ceil(2);
    for block in &weights.blocks {
        let shortcut = block.shortcut.as_ref().map_or(0.0, |layer| conv(layer, side).0);
        let (flops, after) = chain(&block.convs, side);
        (sum, side) = (sum + flops + shortcut, after);
    }
    sum
}

fn vit(weights: &VitWeights, px: usize) -> f64 {
    let (patches, grid) = conv(&weights.patch, px);
    let dim = weights.patch.shape.out_channels;
    let n_tokens = grid * grid + weights.prefix.len() / dim.max(1);
    let products = |layer: &Linear| n_tokens * layer.n_in * layer.n_out;
    // Queries times keys, and attention weights times values.
    let attention = 2 * n_tokens * n_tokens * dim;
    let blocks = weights.blocks.iter().map(|b| {
        attention + [&b.qkv, &b.proj, &b.fc1, &b.fc2].into_iter().map(products).sum::<usize>()
    });
    patches + 2.0 * blocks.sum::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use eosin_core::WeightsSource;

    use crate::{EngineOptions, LoadOptions, builtin_card, load};

    /// Twice the multiply-accumulates that the papers and fvcore give for these networks.
    #[test]
    fn counts_agree_with_the_published_ones() {
        for (name, published) in
            [("resnet50", 8.2e9), ("kaiko-s16", 9.2e9), ("efficientnet-lite0", 0.77e9)]
        {
            let mut card = builtin_card(name).unwrap();
            if let WeightsSource::File { .. } | WeightsSource::Hub { .. } = card.weights {
                card.weights = WeightsSource::Random { seed: 1 };
            }
            let engine = EngineOptions { engine: "native".into(), device: None };
            let backbone = load(&card, &LoadOptions { engine, weights: None }).unwrap();
            let found = backbone.flops().unwrap();
            assert!((found / published - 1.0).abs() < 0.03, "{name}: {found:.3e}");
        }
    }
}
