// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a card to a backbone that runs: where its weights are, and which engine takes them.

use std::path::{Path, PathBuf};

use eosin_backbone::is_embedded;
use eosin_core::{Backbone, BackboneRequest, Card, Error, Registry, Result, WeightsSource};

use crate::config::EngineConfig;

/// The engine that takes the first that serves.
const AUTO: &str = "auto";

/// Where backbones find what is no part of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// A file, or a folder of files named after cards, `<card>.safetensors`, `.pth`, `.pt`, `.bin`
    /// or `.onnx`.
    pub weights: Option<PathBuf>,
    /// The cache of a model hub.
    pub hub_cache: Option<PathBuf>,
    /// onnxruntime's library, or a folder that has it.
    pub onnxruntime: Option<PathBuf>,
}

/// Endings of weights files, the safest first.
const ENDINGS: [&str; 5] = ["safetensors", "pth", "pt", "bin", "onnx"];

/// The weights file of a card that leaves it to the user or to a hub, where it is there.
pub fn find_weights(card: &Card, places: &Places) -> Option<PathBuf> {
    let is_open = match &card.weights {
        WeightsSource::File { file, .. } => file.is_none(),
        WeightsSource::Hub { .. } => true,
        _ => false,
    };
    match &places.weights {
        // What was named is used or refused, even where it is not there: never passed over.
        Some(path) if !path.is_dir() => return Some(path.clone()),
        Some(folder) if is_open => {
            let file = |ending: &str| folder.join(format!("{}.{ending}", card.name));
            if let Some(found) = ENDINGS.map(file).into_iter().find(|f| f.is_file()) {
                return Some(found);
            }
        }
        _ => {}
    }
    in_hub_cache(card, places.hub_cache.as_deref()?)
}

/// Whether a card's backbone could be loaded: its weights are here, or it needs none.
pub fn is_installed(card: &Card, places: &Places) -> bool {
    match &card.weights {
        WeightsSource::File { file: Some(_), .. } => {
            card.weights_file(None).is_some_and(|file| file.is_file())
        }
        WeightsSource::File { file: None, .. } | WeightsSource::Hub { .. } => {
            find_weights(card, places).is_some_and(|file| file.is_file())
        }
        WeightsSource::Embedded { file, .. } => is_embedded(file),
        _ => true,
    }
}

/// Makes a card's backbone on an engine of the registry.
///
/// Engine `auto` is the first that serves the card with its weights on the device.
pub fn open_card(
    registry: &Registry,
    card: &Card,
    engine: &EngineConfig,
    places: &Places,
) -> Result<Box<dyn Backbone>> {
    let weights = find_weights(card, places);
    let request = BackboneRequest {
        card,
        weights: weights.as_deref(),
        device: engine.device,
        library: places.onnxruntime.as_deref(),
    };
    if engine.kind != AUTO {
        return registry.backbones.get(&engine.kind)?.open(&request);
    }
    match registry.backbones.values().find(|opener| opener.serves(&request)) {
        Some(opener) => opener.open(&request),
        None => Err(no_engine(registry, &request)),
    }
}

/// Engines that serve a card, in the order in which they are asked.
pub fn serving(registry: &Registry, card: &Card, places: &Places) -> Vec<String> {
    let (weights, library) = (find_weights(card, places), places.onnxruntime.as_deref());
    let request = BackboneRequest { card, weights: weights.as_deref(), device: None, library };
    let serves = registry.backbones.values().filter(|opener| opener.serves(&request));
    serves.map(|opener| opener.kind().to_string()).collect()
}

fn no_engine(registry: &Registry, request: &BackboneRequest) -> Error {
    let BackboneRequest { card, device, .. } = request;
    let on = device.map_or(String::new(), |device| format!(" on {device}"));
    let compiled_out = registry.backbones.names_compiled_out();
    let hint = if compiled_out.is_empty() {
        "check the card's `family` and its weights, or register an engine that has it".into()
    } else {
        format!(
            "check the card's `family` and its weights, or build with one of the Cargo features {}",
            compiled_out.join(", ")
        )
    };
    Error::unsupported(
        format!("an engine for card {} of family `{}`{on}", card.name, card.family),
        &registry.backbones.names(),
        hint,
    )
}

/// A file of an earlier fetch; a pinned one's SHA-256 is compared again when it is loaded.
#[cfg(feature = "hub")]
fn in_hub_cache(card: &Card, cache: &Path) -> Option<PathBuf> {
    let WeightsSource::Hub { repo, file, revision, .. } = &card.weights else { return None };
    let cache = eosin_hub::Cache::new(cache);
    match file {
        Some(file) => cache.find(repo, revision, file),
        None => eosin_hub::USUAL_NAMES.iter().find_map(|file| cache.find(repo, revision, file)),
    }
}

#[cfg(not(feature = "hub"))]
fn in_hub_cache(_card: &Card, _cache: &Path) -> Option<PathBuf> {
    None
}
