// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a card to a backbone that runs: where its weights are, and which engine takes them.

use std::path::{Path, PathBuf};

use eosin_backbone::{Card, EngineOptions, LoadOptions, WeightsSource, is_embedded};
use eosin_core::{Backbone, Error, Result};

use crate::config::EngineConfig;

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
        WeightsSource::File { file: Some(file), .. } => {
            card.folder.as_deref().unwrap_or(Path::new("")).join(file).is_file()
        }
        WeightsSource::File { file: None, .. } | WeightsSource::Hub { .. } => {
            find_weights(card, places).is_some_and(|file| file.is_file())
        }
        WeightsSource::Embedded { file, .. } => is_embedded(file),
        _ => true,
    }
}

/// Makes a card's backbone on an engine.
///
/// A card of family `onnx`, weights that are an ONNX file, and engine `onnx` go to onnxruntime.
pub fn open_card(card: &Card, engine: &EngineConfig, places: &Places) -> Result<Box<dyn Backbone>> {
    let weights = find_weights(card, places);
    let is_onnx = |path: &Path| path.extension().is_some_and(|e| e == "onnx");
    let own = match &card.weights {
        WeightsSource::File { file: Some(file), .. } => {
            Some(card.folder.as_deref().unwrap_or(Path::new("")).join(file))
        }
        _ => None,
    };
    let onnx = weights.clone().or(own).filter(|path| is_onnx(path));
    match (engine.kind.as_str(), onnx) {
        ("auto" | "onnx", Some(file)) => open_onnx(card, engine, places, file),
        ("onnx", None) => Err(no_onnx(card)),
        (_, None) if card.family == "onnx" => Err(no_onnx(card)),
        (other, Some(_)) => Err(Error::input(
            format!("engine for card {}", card.name),
            "`auto` or `onnx`, since its weights are an ONNX file",
            format!("`{other}`"),
            "choose engine `auto`",
        )),
        _ => {
            let engine = EngineOptions { engine: engine.kind.clone(), device: engine.device };
            eosin_backbone::load(card, &LoadOptions { engine, weights })
        }
    }
}

fn no_onnx(card: &Card) -> Error {
    let from = match &card.weights {
        WeightsSource::File { source, .. } | WeightsSource::Hub { source, .. } => {
            format!(" from {source}")
        }
        _ => String::new(),
    };
    Error::input(
        format!("card {}, weights for engine `onnx`", card.name),
        "an ONNX file",
        "none",
        format!("get it{from}, or export it, and name it by --weights as {}.onnx", card.name),
    )
}

#[cfg(feature = "onnx")]
fn open_onnx(
    card: &Card,
    engine: &EngineConfig,
    places: &Places,
    file: PathBuf,
) -> Result<Box<dyn Backbone>> {
    use eosin_backbone_onnx::{OnnxArgs, OnnxOptions};
    // Another family's arguments describe its architecture, which the file already has.
    let is_own = card.family == "onnx";
    let args = if is_own { card.arguments()? } else { OnnxArgs::default() };
    let sha256 = match &card.weights {
        WeightsSource::File { sha256, .. } if is_own => sha256.clone(),
        source => source.pinned_sha256().map(str::to_string),
    };
    let info = card.info(String::new(), 0, String::new());
    let library = places.onnxruntime.clone();
    let device = engine.device;
    let options = OnnxOptions { sha256, args, library, device, ..OnnxOptions::new(file) };
    Ok(Box::new(eosin_backbone_onnx::load(info, &options)?))
}

#[cfg(not(feature = "onnx"))]
fn open_onnx(
    _card: &Card,
    _engine: &EngineConfig,
    _places: &Places,
    _file: PathBuf,
) -> Result<Box<dyn Backbone>> {
    Err(Error::unsupported(
        "engine `onnx` in this build",
        &[],
        "build with the Cargo feature `onnx`",
    ))
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
