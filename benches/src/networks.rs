// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use eosin::crates::backbone::{
    self, EngineOptions, LoadOptions, WeightMap, builtin_card, random_weights,
};
use eosin::crates::core::{
    Backbone, Card, RgbImage, Tile, TileBatch, TileMeta, TileSource, TileUm, WeightsSource,
};
use eosin::crates::tile::{SlideSource, TilingOptions};
use safetensors::{Dtype, tensor::TensorView};

/// Side of the tiles that every network here takes.
pub const PX: u32 = 224;

/// A network that Eosin and its peers have.
pub struct Network {
    /// Of the command line.
    pub key: &'static str,
    /// Of the tables.
    pub name: &'static str,
    /// Eosin's card.
    pub card: &'static str,
    /// timm's model.
    pub timm: &'static str,
    /// timm's arguments, as JSON.
    pub arguments: &'static str,
    /// Tiles of a repeat, unless a batch needs more.
    pub n_tiles: usize,
    /// Measured only when asked for.
    pub is_large: bool,
}

/// Every network that can be measured.
pub const NETWORKS: [Network; 5] = [
    Network {
        key: "lite0",
        name: "EfficientNet-Lite0",
        card: "efficientnet-lite0",
        timm: "tf_efficientnet_lite0",
        arguments: "{}",
        n_tiles: 64,
        is_large: false,
    },
    Network {
        key: "resnet50",
        name: "ResNet-50",
        card: "resnet50",
        timm: "resnet50",
        arguments: "{}",
        n_tiles: 16,
        is_large: false,
    },
    Network {
        key: "vit-s",
        name: "ViT-S/16",
        card: "kaiko-s16",
        timm: "vit_small_patch16_224",
        arguments: "{}",
        n_tiles: 16,
        is_large: false,
    },
    Network {
        key: "vit-b",
        name: "ViT-B/16",
        card: "kaiko-b16",
        timm: "vit_base_patch16_224",
        arguments: "{}",
        n_tiles: 8,
        is_large: false,
    },
    Network {
        key: "vit-l",
        name: "ViT-L/16",
        card: "uni",
        timm: "vit_large_patch16_224",
        arguments: r#"{"init_values": 1e-5}"#,
        n_tiles: 4,
        is_large: true,
    },
];

impl Network {
    /// Those that the command line names; all but the large ones where it names none.
    pub fn chosen(keys: &[String], large: bool) -> Result<Vec<&'static Self>> {
        if let Some(key) = keys.iter().find(|key| NETWORKS.iter().all(|n| n.key != **key)) {
            let known: Vec<&str> = NETWORKS.iter().map(|n| n.key).collect();
            anyhow::bail!("no network `{key}`; there are {}", known.join(", "));
        }
        let is_chosen = |n: &&Self| match keys {
            [] => large || !n.is_large,
            keys => keys.iter().any(|key| key == n.key),
        };
        Ok(NETWORKS.iter().filter(is_chosen).collect())
    }

    pub fn card(&self) -> Result<Card> {
        Ok(builtin_card(self.card)?)
    }

    /// Writes the weights that every contender loads: the trained ones where Eosin has them, else
    /// drawn from a seed.
    pub fn write_weights(&self, folder: &Path) -> Result<PathBuf> {
        let card = self.card()?;
        let map = match &card.weights {
            WeightsSource::Embedded { file, .. } => {
                let assets =
                    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/eosin-backbone/assets");
                WeightMap::from_safetensors(&std::fs::read(Path::new(assets).join(file))?, file)?
            }
            _ => random_weights(&backbone::tensors(&card)?, 2),
        };
        let path = folder.join(format!("{}.safetensors", self.key));
        let tensors: Vec<(&str, &[usize], Vec<u8>)> = map
            .iter()
            .map(|(name, t)| {
                let bytes = t.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name, t.shape.as_slice(), bytes)
            })
            .collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
            })
            .collect::<Result<Vec<_>>>()?;
        safetensors::serialize_to_file(views, None, &path)?;
        Ok(path)
    }
}

/// A backbone on one engine, with weights from a file.
pub fn load(
    card: &Card,
    engine: &str,
    weights: &Path,
) -> Result<Box<dyn Backbone>, eosin::crates::core::Error> {
    let engine = EngineOptions { engine: engine.into(), device: None };
    eosin::crates::backbone_burn::load(
        card,
        &LoadOptions { engine, weights: Some(weights.to_owned()) },
    )
}

/// Tiles of the slide among the test fixtures, one after the other.
pub fn tissue(n_tiles: usize) -> Result<Vec<u8>> {
    let slide = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/cmu-1-small-region.svs");
    let tile_um = TileUm::new(f64::from(PX) * 0.5)?;
    let source = SlideSource::open(Path::new(slide), &TilingOptions::new(tile_um, PX))?;
    let mut pixels = Vec::new();
    for i in 0..n_tiles {
        pixels.extend(source.read(i % source.tiles().len())?.image.data());
    }
    Ok(pixels)
}

/// Batches of at most `size` of the tiles.
pub fn batches(pixels: &[u8], size: usize) -> Result<Vec<TileBatch>> {
    let tiles: Vec<&[u8]> = pixels.chunks((PX * PX * 3) as usize).collect();
    ensure!(!tiles.is_empty(), "no tiles");
    tiles
        .chunks(size)
        .map(|chunk| {
            let mut batch = TileBatch::new(PX);
            for (i, tile) in chunk.iter().enumerate() {
                batch.push(Tile {
                    meta: TileMeta::named(i.to_string(), PX),
                    image: RgbImage::new(PX, PX, tile.to_vec())?,
                })?;
            }
            Ok(batch)
        })
        .collect()
}
