// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use eosin_core::{EmbeddingStore, Error, Fingerprint, Matrix, Result, TileMeta};
use serde::Deserialize;

use super::matrix::{ValueType, matrix_extent, open_regular, read_matrix};
use super::{Imported, Origin, bare_meta, exported_rows, imported_contract, write_rows};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longer headers are no array of numbers.
const MAX_HEADER: usize = 1 << 16;

/// Reads a two-dimensional `.npy` array of `f2`, `f4` or `f8` in C order.
pub fn read_npy(path: &Path) -> Result<Matrix> {
    let (file, file_bytes) = open_regular(path)?;
    read_array(path, &mut BufReader::new(file), file_bytes)
}

/// As [`read_npy`], from any input of `file_bytes` bytes.
pub(super) fn read_array(path: &Path, input: &mut impl Read, file_bytes: u64) -> Result<Matrix> {
    let header = read_header(path, input)?;
    let (n_rows, n_cols) = (header.n_rows, header.n_cols);
    // Checked against the file before anything is allocated for it.
    let rest = file_bytes.checked_sub(header.bytes).ok_or_else(|| {
        damaged(path, "values after the header", &format!("{file_bytes} bytes in all"))
    })?;
    matrix_extent(path, [n_rows, n_cols], header.value_type.n_bytes(), rest)?;
    read_matrix(path, input, [n_rows, n_cols], header.value_type)
}

/// Imports an `.npy` array as rows of `backbone`.
///
/// Tiles are told by `<name>.tiles.jsonl` beside it, as [`export_npy`] writes it; without that
/// file they are numbered, and all belong to one slide that has the file's name.
pub fn import_npy(path: &Path, backbone: &str) -> Result<Imported> {
    let embeddings = read_npy(path)?;
    let (metas, views) = tiles_of(path, None, embeddings.n_rows())?;
    let contract = imported_contract("npy", backbone, embeddings.n_cols() as u32);
    Ok(Imported { contract, metas, views, embeddings })
}

/// The tiles and views beside an array, or numbers where there are none; `part` names the array
/// where its file has several.
pub(super) fn tiles_of(
    path: &Path,
    part: Option<&str>,
    n_rows: usize,
) -> Result<(Vec<TileMeta>, Vec<u16>)> {
    let tiles = tiles_path(path);
    let origin = Origin::of(path, part)?;
    let (metas, views) = if tiles.exists() {
        let (mut metas, views) = read_tiles(&tiles)?;
        for meta in &mut metas {
            // Tiles that say where they are from keep that, so that they are the same tiles here.
            if meta.source.is_empty() {
                meta.source.clone_from(&origin.source);
            }
            if meta.source_digest.is_empty() {
                meta.source_digest.clone_from(&origin.digest);
            }
        }
        (metas, views)
    } else {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("array");
        let meta = |i| bare_meta(format!("{stem}:{i}"), stem, &origin);
        ((0..n_rows).map(meta).collect(), vec![0; n_rows])
    };
    if metas.len() != n_rows {
        let expected = format!("{n_rows} tiles, one per row of the array");
        return Err(damaged(&tiles, &expected, &metas.len().to_string()));
    }
    Ok((metas, views))
}

/// Exports a set as an `.npy` array of `f32`, and its tiles as `<name>.tiles.jsonl` beside it.
pub fn export_npy(store: &dyn EmbeddingStore, set: &Fingerprint, path: &Path) -> Result<()> {
    let rows = exported_rows(store, set)?;
    let (n_rows, dim) = (rows.n_rows, rows.contract.dim as usize);
    let (mut out, mut tiles) = (create(path)?, create(&tiles_path(path))?);
    out.write_all(&header_bytes(n_rows, dim)).map_err(|e| Error::io("write", path, e))?;
    write_rows(store, set, &rows, &mut out, &mut tiles)
}

/// The file that tells the tiles of an exported array.
pub(super) fn tiles_path(path: &Path) -> PathBuf {
    path.with_extension("tiles.jsonl")
}

pub(super) fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).map_err(|e| Error::io("create", path, e))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

struct Header {
    value_type: ValueType,
    n_rows: u64,
    n_cols: u64,
    /// Of the file before the values.
    bytes: u64,
}

fn read_header(path: &Path, input: &mut impl Read) -> Result<Header> {
    let short = |e| Error::io("read", path, e);
    let mut start = [0; 8];
    input.read_exact(&mut start).map_err(short)?;
    if !start.starts_with(MAGIC) {
        return Err(damaged(path, "a file in NumPy's format", "another beginning"));
    }
    // Version 1 has a length of two bytes, later ones of four.
    let mut length = [0; 4];
    let n_length = if start[6] == 1 { 2 } else { 4 };
    input.read_exact(&mut length[..n_length]).map_err(short)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER {
        return Err(damaged(path, "a header below 64 KiB", &format!("{length} bytes")));
    }
    let mut text = vec![0; length];
    input.read_exact(&mut text).map_err(short)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let wanted = || damaged(path, "rows of f2, f4 or f8, little-endian, in C order", text.trim());
    let value_type = match value_of(&text, "descr").map(|d| d.trim_matches(['\'', '"'])) {
        Some("<f2") => ValueType::F16,
        Some("<f4") => ValueType::F32,
        Some("<f8") => ValueType::F64,
        _ => return Err(wanted()),
    };
    if value_of(&text, "fortran_order") != Some("False") {
        return Err(wanted());
    }
    let shape = text.split_once("'shape':").and_then(|(_, rest)| {
        let inside = rest.trim_start().strip_prefix('(')?.split_once(')')?.0;
        let sizes: Vec<u64> = inside
            .split(',')
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .map(|s| s.parse().ok())
            .collect::<Option<_>>()?;
        <[u64; 2]>::try_from(sizes).ok()
    });
    let [n_rows, n_cols] = shape.ok_or_else(wanted)?;
    let bytes = (8 + n_length + length) as u64;
    Ok(Header { value_type, n_rows, n_cols, bytes })
}

/// The simple value of a key of the header, which is a Python dictionary.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = text.split_once(&format!("'{key}':"))?.1;
    Some(rest.split([',', '}']).next()?.trim())
}

fn header_bytes(n_rows: usize, n_cols: usize) -> Vec<u8> {
    let dictionary =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_rows}, {n_cols}), }}");
    // Values begin at a multiple of 64 bytes, so that the file can be mapped.
    let length = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = [MAGIC.as_slice(), &[1, 0]].concat();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{dictionary:<width$}\n", width = length - 1).bytes());
    bytes
}

#[derive(Deserialize)]
struct TileLine {
    tile: TileMeta,
    #[serde(default)]
    view: u16,
}

fn read_tiles(path: &Path) -> Result<(Vec<TileMeta>, Vec<u16>)> {
    let (file, _) = open_regular(path)?;
    let (mut metas, mut views) = (Vec::new(), Vec::new());
    for (i, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| Error::io("read", path, e))?;
        let parsed: TileLine = serde_json::from_str(&line)
            .map_err(|e| damaged(path, "a tile in JSON", &format!("line {}: {e}", i + 1)))?;
        metas.push(parsed.tile);
        views.push(parsed.view);
    }
    Ok((metas, views))
}

pub(super) fn damaged(path: &Path, expected: &str, found: &str) -> Error {
    Error::data(path, expected, found, "save it with numpy.save(path, array.astype('float32'))")
}
