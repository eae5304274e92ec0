// SPDX-License-Identifier: MIT OR Apache-2.0

//! Names under which repositories keep their weights.

use std::collections::BTreeSet;
use std::path::Path;

use eosin_core::{Error, Result};
use serde::Deserialize;

/// The usual names, the ones that no code can hide in first.
pub const USUAL_NAMES: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
    "model.onnx",
];

/// Whether a file only names others, which hold the weights.
pub fn is_index(file: &str) -> bool {
    file.ends_with(".index.json")
}

/// The part of an index that is needed.
#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

/// The shards that an index names, each once.
pub fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(index).map_err(|e| Error::io("read", index, e))?;
    let index: Index = serde_json::from_str(&text).map_err(|e| {
        Error::data(
            index,
            "an index of shards",
            e.to_string(),
            "fetch it again, or name another file in the card's `file`",
        )
    })?;
    Ok(index.weight_map.into_values().collect())
}
