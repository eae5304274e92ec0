// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Write;
use std::path::Path;

use eosin_core::{EmbeddingStore, Error, Fingerprint, Result};
use serde_json::json;

use super::npy::{create, tiles_path};
use super::{shape_of, write_rows};

/// Exports a set as a safetensors file with one `f32` tensor `embeddings`, its contract in the
/// file's metadata, and its tiles as `<name>.tiles.jsonl` beside it.
pub fn export_safetensors(
    store: &dyn EmbeddingStore,
    set: &Fingerprint,
    path: &Path,
) -> Result<()> {
    let (n_rows, dim, contract) = shape_of(store, set)?;
    let mut header = json!({
        "__metadata__": { "eosin.fingerprint": set.as_str(), "eosin.contract": contract.canonical() },
        "embeddings": {
            "dtype": "F32",
            "shape": [n_rows, dim],
            "data_offsets": [0, n_rows * dim * 4],
        },
    })
    .to_string();
    // The format asks for values at a multiple of 8 bytes and pads the header with spaces.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let (mut out, mut tiles) = (create(path)?, create(&tiles_path(path))?);
    out.write_all(&(header.len() as u64).to_le_bytes())
        .and_then(|()| out.write_all(header.as_bytes()))
        .map_err(|e| Error::io("write", path, e))?;
    write_rows(store, set, n_rows, &mut out, &mut tiles)
}
