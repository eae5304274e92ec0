// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Backbone, BackboneInfo, Error, Matrix, Result, TileBatch};

use crate::Card;
use crate::arch::{
    ConvNextWeights, DenseNetWeights, EfficientNetWeights, ResNetWeights, SwinWeights,
};
#[cfg(any(feature = "flex", feature = "cuda", feature = "tch", feature = "wgpu"))]
use crate::burn;
use crate::engine::Engine;
use crate::native::{self, Linear, VitWeights};

/// A forward pass on some engine.
pub(crate) trait Network: Send + Sync {
    /// Embeds `n_tiles` tiles of `px` × `px` × 3 bytes, row after row.
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>>;
}

/// A network's weights in the order of its layers, before any engine packs them.
pub(crate) enum Layers {
    EfficientNet(EfficientNetWeights),
    ResNet(ResNetWeights),
    DenseNet(DenseNetWeights),
    ConvNext(ConvNextWeights),
    Swin(SwinWeights),
    Vit(VitWeights),
}

/// Gives the weights to an engine.
pub(crate) fn build(layers: Layers, card: &Card, engine: Engine) -> Result<Box<dyn Network>> {
    let (px, mean, std) = (card.input_px as usize, card.mean, card.std);
    let input = native::Input::new(px, mean, std);
    Ok(match engine {
        Engine::Native => match layers {
            Layers::EfficientNet(weights) => Box::new(native::EfficientNet::new(&weights, &input)?),
            Layers::Vit(weights) => Box::new(native::Vit::new(&weights, &input)?),
            Layers::DenseNet(_) | Layers::ConvNext(_) | Layers::Swin(_) => {
                return Err(Error::unsupported("engine `native` here", &[], "use `flex`"));
            }
            Layers::ResNet(weights) => Box::new(native::ResNet::new(&weights, &input)?),
        },
        #[cfg(any(feature = "flex", feature = "cuda", feature = "tch", feature = "wgpu"))]
        Engine::Burn(device) => match layers {
            Layers::EfficientNet(weights) => {
                Box::new(burn::EfficientNet::new(weights, mean, std, device))
            }
            Layers::ResNet(weights) => Box::new(burn::ResNet::new(weights, mean, std, device)),
            Layers::DenseNet(weights) => Box::new(burn::DenseNet::new(weights, mean, std, device)),
            Layers::ConvNext(weights) => Box::new(burn::ConvNext::new(weights, mean, std, device)),
            Layers::Swin(weights) => Box::new(burn::Swin::new(weights, px, mean, std, device)),
            Layers::Vit(weights) => Box::new(burn::Vit::new(weights, mean, std, device)),
        },
    })
}

/// A network with CLIP's linear layer after it.
pub(crate) struct Projected {
    pub(crate) network: Box<dyn Network>,
    pub(crate) layer: Linear,
}

impl Network for Projected {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        let rows = self.network.forward(pixels, n_tiles, px)?;
        let Linear { n_in, weight, bias, .. } = &self.layer;
        let project = |row: &[f32], (weights, bias): (&[f32], &f32)| {
            let sum: f64 = row.iter().zip(weights).map(|(x, w)| f64::from(x * w)).sum();
            sum as f32 + bias
        };
        let outputs = |row| weight.chunks_exact(*n_in).zip(bias).map(move |w| project(row, w));
        Ok(rows.chunks_exact(*n_in).flat_map(outputs).collect())
    }
}

/// The native networks know their input size; what they share is the shape of `embed`.
macro_rules! native_network {
    ($network:ty) => {
        impl Network for $network {
            fn forward(&self, pixels: &[u8], n_tiles: usize, _px: usize) -> Result<Vec<f32>> {
                let mut rows = vec![0.0; n_tiles * self.dim()];
                self.embed(pixels, n_tiles, &mut rows)?;
                Ok(rows)
            }
        }
    };
}

native_network!(native::EfficientNet);
native_network!(native::ResNet);
native_network!(native::Vit);

/// A network with what is known of it.
pub(crate) struct NetworkBackbone {
    pub(crate) info: BackboneInfo,
    pub(crate) network: Box<dyn Network>,
    pub(crate) flops: Option<f64>,
}

impl Backbone for NetworkBackbone {
    fn info(&self) -> &BackboneInfo {
        &self.info
    }

    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        let (n_tiles, dim) = (batch.n_tiles(), self.info.dim as usize);
        if batch.px() != self.info.input_px {
            return Err(Error::input(
                format!("tiles for backbone {}", self.info.name),
                format!("{0} × {0} px", self.info.input_px),
                format!("{0} × {0} px", batch.px()),
                "resample the tiles to the card's input_px first",
            ));
        }
        if n_tiles == 0 {
            return Matrix::new(0, dim, Vec::new());
        }
        let values = self.network.forward(batch.pixels(), n_tiles, batch.px() as usize)?;
        Matrix::new(n_tiles, dim, values)
    }

    fn flops(&self) -> Option<f64> {
        self.flops
    }
}
