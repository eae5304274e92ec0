// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use eosin_core::{Contract, EmbeddingStore, Error, Fingerprint, Matrix, Result};
use serde::Deserialize;
use serde_json::json;

use super::matrix::{ValueType, matrix_extent, open_regular, read_matrix};
use super::npy::{create, tiles_of, tiles_path};
use super::{Imported, exported_rows, imported_contract, write_rows};

/// Keys of the metadata by which an export is known again.
const KEY_FINGERPRINT: &str = "eosin.fingerprint";
const KEY_CONTRACT: &str = "eosin.contract";
/// Longer headers describe no file of one matrix.
const MAX_HEADER: u64 = 1 << 24;

/// Exports a set as a safetensors file with one `f32` tensor `embeddings`, its contract in the
/// file's metadata, and its tiles as `<name>.tiles.jsonl` beside it.
pub fn export_safetensors(
    store: &dyn EmbeddingStore,
    set: &Fingerprint,
    path: &Path,
) -> Result<()> {
    let rows = exported_rows(store, set)?;
    let (n_rows, dim) = (rows.n_rows, rows.contract.dim as usize);
    let mut header = json!({
        "__metadata__": { KEY_FINGERPRINT: set.as_str(), KEY_CONTRACT: rows.contract.canonical() },
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
    write_rows(store, set, &rows, &mut out, &mut tiles)
}

/// One tensor of the header.
#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Imports a matrix of a safetensors file as rows of `backbone`.
///
/// A file that [`export_safetensors`] wrote tells its whole contract, and then `backbone` is not
/// needed. `tensor` names the matrix where a file has several. Tiles are told as for
/// [`super::import_npy`].
pub fn import_safetensors(path: &Path, backbone: &str, tensor: Option<&str>) -> Result<Imported> {
    let (file, file_bytes) = open_regular(path)?;
    let mut input = BufReader::new(file);
    let mut length = [0; 8];
    input.read_exact(&mut length).map_err(|e| damaged(path, "a length", &e.to_string()))?;
    let length = u64::from_le_bytes(length);
    let values_at = length.saturating_add(8);
    if length > MAX_HEADER || values_at > file_bytes {
        return Err(damaged(path, "a header below 16 MiB", &format!("{length} bytes")));
    }
    let mut header = vec![0; length as usize];
    input.read_exact(&mut header).map_err(|e| Error::io("read", path, e))?;
    let wrong = |e: serde_json::Error| damaged(path, "a header in JSON", &e.to_string());
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(wrong)?;
    let told: BTreeMap<String, String> = match header.remove("__metadata__") {
        Some(value) => serde_json::from_value(value).map_err(wrong)?,
        None => BTreeMap::new(),
    };
    let mut tensors = BTreeMap::new();
    for (name, value) in header {
        let tensor: Tensor = serde_json::from_value(value).map_err(wrong)?;
        if tensor.shape.len() == 2 {
            tensors.insert(name, tensor);
        }
    }
    let (name, tensor) = choose(&tensors, tensor)?;
    let embeddings = read_values(path, &mut input, tensor, values_at, file_bytes)?;
    let part = (tensors.len() > 1).then_some(name);
    let (metas, views) = tiles_of(path, part, embeddings.n_rows())?;
    let contract = match told.get(KEY_CONTRACT) {
        Some(text) => own_contract(path, text, told.get(KEY_FINGERPRINT), &embeddings)?,
        None => imported_contract("safetensors", backbone, embeddings.n_cols() as u32),
    };
    Ok(Imported { contract, metas, views, embeddings })
}

fn choose<'a>(
    tensors: &'a BTreeMap<String, Tensor>,
    wanted: Option<&str>,
) -> Result<(&'a str, &'a Tensor)> {
    let found = match wanted {
        Some(wanted) => tensors.get_key_value(wanted),
        None if tensors.len() == 1 => tensors.iter().next(),
        None => tensors.get_key_value("embeddings"),
    };
    found.map(|(name, tensor)| (name.as_str(), tensor)).ok_or_else(|| {
        let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        Error::input(
            "tensor",
            format!("a matrix of the file: {}", names.join(", ")),
            wanted.unwrap_or("none"),
            "name the tensor to import",
        )
    })
}

fn read_values(
    path: &Path,
    input: &mut BufReader<File>,
    tensor: &Tensor,
    values_at: u64,
    file_bytes: u64,
) -> Result<Matrix> {
    let shape = [tensor.shape[0], tensor.shape[1]];
    let value_type = match tensor.dtype.as_str() {
        "F16" => ValueType::F16,
        "BF16" => ValueType::Bf16,
        "F32" => ValueType::F32,
        "F64" => ValueType::F64,
        other => return Err(damaged(path, "values of F16, BF16, F32 or F64", other)),
    };
    let [first, last] = tensor.data_offsets;
    let outside = || damaged(path, "values inside the file", &format!("bytes {first} to {last}"));
    // Checked against the file before anything is allocated for it.
    let n_bytes = last.checked_sub(first).ok_or_else(outside)?;
    if values_at.checked_add(last).is_none_or(|end| end > file_bytes) {
        return Err(outside());
    }
    matrix_extent(path, shape, value_type.n_bytes(), n_bytes)?;
    let at = SeekFrom::Start(values_at + first);
    input.seek(at).map_err(|e| Error::io("read", path, e))?;
    read_matrix(path, input, shape, value_type)
}

/// The contract that the file tells, if it is whole and fits.
fn own_contract(
    path: &Path,
    text: &str,
    fingerprint: Option<&String>,
    embeddings: &Matrix,
) -> Result<Contract> {
    let wrong = |found: &str| damaged(path, "the contract of its embeddings", found);
    let contract: Contract = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
    if fingerprint.map(String::as_str) != Some(contract.fingerprint().as_str()) {
        return Err(wrong("a contract of another fingerprint"));
    }
    if contract.dim as usize != embeddings.n_cols() {
        return Err(wrong(&format!("one for rows of {} values", contract.dim)));
    }
    Ok(contract)
}

fn damaged(path: &Path, expected: &str, found: &str) -> Error {
    Error::data(path, expected, found, "save it with safetensors.numpy.save_file")
}
