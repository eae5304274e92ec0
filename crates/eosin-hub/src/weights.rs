// SPDX-License-Identifier: MIT OR Apache-2.0

//! Names under which repositories keep their weights.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use eosin_core::{Error, Result};
use serde::Deserialize;

use crate::cache::open_regular;

/// The largest index, and the most shards: above those of any backbone.
const MAX_INDEX_BYTES: u64 = 16 << 20;
const MAX_SHARDS: usize = 1000;

/// The usual names, the ones that no code can hide in first.
pub const USUAL_NAMES: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
    "model.onnx",
];

/// Whether a file only names others, which hold the weights: JSON never holds any.
pub fn is_index(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|e| e.eq_ignore_ascii_case("json"))
}

/// The part of an index that is needed.
#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

/// The shards that an index names, each once.
pub fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let refuse = |found: String| {
        Error::data(
            index,
            "an index of shards",
            found,
            "fetch it again, or name another file in the card's `file`",
        )
    };
    let mut text = String::new();
    let file = open_regular(index)?;
    let read = file.take(MAX_INDEX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|e| Error::io("read", index, e))?;
    if text.len() as u64 > MAX_INDEX_BYTES {
        return Err(refuse(format!("more than {MAX_INDEX_BYTES} bytes")));
    }
    let parsed: Index = serde_json::from_str(&text).map_err(|e| refuse(e.to_string()))?;
    let shards: BTreeSet<String> = parsed.weight_map.into_values().collect();
    if shards.len() > MAX_SHARDS {
        return Err(refuse(format!("{} shards, more than {MAX_SHARDS}", shards.len())));
    }
    if let Some(shard) = shards.iter().find(|shard| is_index(shard)) {
        return Err(refuse(format!("the shard `{shard}`, which is an index itself")));
    }
    Ok(shards)
}
