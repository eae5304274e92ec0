// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Backbone, BackboneInfo, Card, Error, Matrix, Result, TileBatch};
use rayon::prelude::*;

use crate::arch::{
    ConvNextWeights, DenseNetWeights, EfficientNetWeights, ResNetWeights, SwinWeights, Tail,
};
use crate::doctor::{N_TILES, cosine, golden_tiles};
use crate::engine::{NATIVE, NetworkEngine};
use crate::native::{self, Precision, VitWeights};

/// A forward pass on some engine.
pub trait Network: Send + Sync {
    /// Embeds `n_tiles` tiles of `px` × `px` × 3 bytes, row after row.
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>>;
}

/// A network's weights in the order of its layers, before any engine packs them.
pub enum Layers {
    /// EfficientNet and EfficientNet-Lite.
    EfficientNet(EfficientNetWeights),
    /// ResNet.
    ResNet(ResNetWeights),
    /// DenseNet.
    DenseNet(DenseNetWeights),
    /// ConvNeXt.
    ConvNext(ConvNextWeights),
    /// Swin transformers.
    Swin(SwinWeights),
    /// Vision transformers up to their pooling.
    Vit(VitWeights),
}

/// A network on its engine, and the arithmetic that the contract names.
pub(crate) struct Built {
    pub(crate) network: Box<dyn Network>,
    pub(crate) precision: String,
}

/// Gives the weights to an engine, in the card's precision.
pub(crate) fn build(layers: Layers, card: &Card, engine: &dyn NetworkEngine) -> Result<Built> {
    let input = native::Input::new(card.input_px as usize, card.mean, card.std);
    let precision = card.precision.as_str();
    let network = match (precision, &layers) {
        ("f32", _) => engine.build(layers, card, &input)?,
        ("int8", Layers::Vit(weights)) if engine.name() == NATIVE => {
            return int8(weights, card, input);
        }
        _ => match engine.in_precision(precision) {
            Some(engine) => engine.build(layers, card, &input)?,
            None => return Err(no_precision(card, &engine.name())),
        },
    };
    Ok(Built { network, precision: precision.into() })
}

fn no_precision(card: &Card, engine: &str) -> Error {
    Error::unsupported(
        format!("precision `{}` of card {} on engine {engine}", card.precision, card.name),
        &["f32", "f16 and bf16 on burn's engines", "int8 for family vit on engine native"],
        "name one of these in the card's `precision`, or another engine",
    )
}

/// Bytes for the linear layers, with the cosine to f32 on the golden tiles in the precision's
/// name: embeddings of another accuracy never share a contract.
fn int8(weights: &VitWeights, card: &Card, input: native::Input) -> Result<Built> {
    let network =
        native::Vit::new(weights, &native::Input { precision: Precision::Int8, ..input })?;
    let exact = native::Vit::new(weights, &input)?;
    let tiles = golden_tiles(card.input_px, N_TILES)?;
    let rows = |network: &native::Vit| network.forward(tiles.pixels(), tiles.n_tiles(), input.px);
    let (found, expected) = (rows(&network)?, rows(&exact)?);
    let cosines = found.chunks(exact.dim()).zip(expected.chunks(exact.dim()));
    let least = cosines.map(|(a, b)| cosine(a, b)).fold(1.0, f64::min);
    // Cut, not rounded: it promises no more than was measured.
    let precision = format!("int8, cosine {:.3} to f32", (least * 1000.0).floor() / 1000.0);
    Ok(Built { network: Box::new(network), precision })
}

/// A network with what follows its own pooling, which is computed here for every engine.
pub(crate) struct Tailed {
    pub(crate) network: Box<dyn Network>,
    pub(crate) tail: Tail,
}

impl Network for Tailed {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        let rows = self.network.forward(pixels, n_tiles, px)?;
        Ok(match &self.tail {
            Tail::Projection(layer) => {
                let outputs = |row| (0..layer.n_out).map(move |i| layer.output(i, row));
                rows.chunks_exact(layer.n_in).flat_map(outputs).collect()
            }
            Tail::Attention(pool) => {
                let mut pooled = vec![0.0; n_tiles * pool.proj.n_out];
                let tiles = rows.par_chunks_exact(rows.len() / n_tiles);
                let out = pooled.par_chunks_exact_mut(pool.proj.n_out);
                tiles.zip(out).for_each(|(tokens, out)| pool.pool(tokens, out));
                pooled
            }
        })
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
