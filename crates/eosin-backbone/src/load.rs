// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use eosin_core::{Backbone, BackboneInfo, Error, Result};

use crate::arch::{EfficientNetArch, EfficientNetArgs, TensorSpec};
use crate::colour::{COLOUR_DIM, ColourStatistics};
use crate::embedded::embedded;
use crate::engine::Engine;
use crate::network::{Network, NetworkBackbone};
use crate::{Card, EngineOptions, WeightMap, WeightsSource, random_weights, sha256_hex};

/// Architecture families that can be loaded.
const FAMILIES: [&str; 2] = ["colour-statistics", "efficientnet"];

/// How a card's backbone is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Which engine computes on which device.
    pub engine: EngineOptions,
    /// A weights file to use instead of the card's.
    pub weights: Option<PathBuf>,
}

/// Weights with what identifies them in the contract.
struct Loaded {
    weights: WeightMap,
    identity: String,
}

/// Makes the backbone that a card describes ready to run.
pub fn load(card: &Card, options: &LoadOptions) -> Result<Box<dyn Backbone>> {
    match card.family.as_str() {
        "colour-statistics" => {
            expect_dim(card, COLOUR_DIM)?;
            let mut info = info(card, "none".into(), 0);
            info.engine = "native".into();
            Ok(Box::new(NetworkBackbone { info, network: Box::new(ColourStatistics) }))
        }
        "efficientnet" => efficientnet(card, options),
        other => Err(Error::unsupported(
            format!("architecture family `{other}` of card {}", card.name),
            &FAMILIES,
            "name one of these in the card's `family`",
        )),
    }
}

fn efficientnet(card: &Card, options: &LoadOptions) -> Result<Box<dyn Backbone>> {
    let args: EfficientNetArgs = card.arguments()?;
    let arch = EfficientNetArch::new(&args);
    expect_dim(card, arch.head.out_channels)?;
    expect_pooling(card, &["average"])?;
    let engine = Engine::choose(&options.engine, args.lite)?;
    let Loaded { mut weights, identity } = weights(card, options, &arch.tensors())?;
    let parameters = weights.n_values();
    let layers = arch.take(&mut weights);
    weights.finish(&["classifier."])?;
    let network: Box<dyn Network> = match &engine {
        Engine::Native => {
            let px = card.input_px as usize;
            Box::new(crate::native::EfficientNet::new(&layers, px, card.mean, card.std)?)
        }
        #[cfg(any(feature = "flex", feature = "cuda", feature = "tch", feature = "wgpu"))]
        Engine::Burn(device) => {
            let device = device.clone();
            Box::new(crate::burn::EfficientNet::new(layers, card.mean, card.std, device))
        }
    };
    let info = BackboneInfo { engine: engine.name(), ..info(card, identity, parameters) };
    Ok(Box::new(NetworkBackbone { info, network }))
}

fn info(card: &Card, weights_sha256: String, parameters: u64) -> BackboneInfo {
    BackboneInfo {
        name: card.name.clone(),
        family: card.family.clone(),
        architecture: card.architecture_text(),
        weights_sha256,
        parameters,
        input_px: card.input_px,
        mean: card.mean,
        std: card.std,
        resampling: card.resampling.clone(),
        pooling: card.pooling.clone(),
        dim: card.dim,
        precision: card.precision.clone(),
        licence: card.licence.clone(),
        training_sources: card.training_sources.clone(),
        engine: String::new(),
    }
}

fn expect_dim(card: &Card, dim: usize) -> Result<()> {
    if card.dim as usize == dim {
        return Ok(());
    }
    Err(Error::input(
        format!("card {}, dim", card.name),
        format!("{dim}, which its architecture gives"),
        card.dim.to_string(),
        "mend the card",
    ))
}

fn expect_pooling(card: &Card, known: &[&str]) -> Result<()> {
    if known.contains(&card.pooling.as_str()) {
        return Ok(());
    }
    Err(Error::unsupported(
        format!("pooling `{}` of card {}", card.pooling, card.name),
        known,
        "name one of these in the card's `pooling`",
    ))
}

/// Finds a card's weights, checks their digest and gives them timm's names.
fn weights(card: &Card, options: &LoadOptions, specs: &[TensorSpec]) -> Result<Loaded> {
    if let Some(path) = &options.weights {
        return read(path, None);
    }
    match &card.weights {
        WeightsSource::None {} => Err(Error::input(
            format!("card {}, weights", card.name),
            "weights for its family",
            "kind = \"none\"",
            "use kind = \"file\" or \"random\"",
        )),
        WeightsSource::Embedded { file, sha256, .. } => {
            let bytes = embedded(file)?;
            let found = sha256_hex(bytes);
            expect_digest(Path::new(file), sha256, &found)?;
            Ok(Loaded { weights: WeightMap::from_safetensors(bytes, file)?, identity: found })
        }
        WeightsSource::File { file: Some(file), sha256, .. } => {
            let path = card.folder.as_deref().unwrap_or(Path::new("")).join(file);
            read(&path, sha256.as_deref())
        }
        WeightsSource::File { file: None, source, .. } => Err(Error::input(
            format!("card {}, weights", card.name),
            "a weights file",
            "none",
            format!("get it from {source} and name it by --weights, or by `file` in the card"),
        )),
        WeightsSource::Random { seed } => {
            let weights = random_weights(specs, *seed);
            Ok(Loaded { weights, identity: format!("random-v1-seed-{seed}") })
        }
    }
}

fn read(path: &Path, sha256: Option<&str>) -> Result<Loaded> {
    let (weights, identity) = WeightMap::read(path)?;
    if let Some(expected) = sha256 {
        expect_digest(path, expected, &identity)?;
    }
    Ok(Loaded { weights, identity })
}

fn expect_digest(path: &Path, expected: &str, found: &str) -> Result<()> {
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Error::data(
        path,
        format!("SHA-256 {expected}"),
        found,
        "the file is not the one that the card describes: fetch it again, or mend the card",
    ))
}
