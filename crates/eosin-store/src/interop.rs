// SPDX-License-Identifier: MIT OR Apache-2.0

//! Embeddings from and for other tools.

#[cfg(feature = "hdf5")]
mod h5_export;
#[cfg(feature = "hdf5")]
mod h5_import;
#[cfg(feature = "hdf5")]
mod h5ad;
mod matrix;
mod npy;
mod npz;
mod safetensors;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use eosin_core::{
    Contract, EmbeddingBatch, EmbeddingStore, Error, Fingerprint, Matrix, Result, TileMeta,
};

#[cfg(feature = "hdf5")]
pub use h5_export::{H5Layout, export_h5};
#[cfg(feature = "hdf5")]
pub use h5_import::import_h5;
#[cfg(feature = "hdf5")]
pub use h5ad::export_h5ad;
pub use npy::{export_npy, import_npy, read_npy};
pub use npz::import_npz;
pub use safetensors::{export_safetensors, import_safetensors};

use crate::read::RowKey;

/// What an imported contract says of what the file did not tell.
pub const UNKNOWN: &str = "unknown";

/// Embeddings that another tool made, with what is known of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The contract; fields that the file does not tell are [`UNKNOWN`] or zero.
    pub contract: Contract,
    /// What the file tells of each tile.
    pub metas: Vec<TileMeta>,
    /// Which view of its tile each row is; 0 where the file does not say.
    pub views: Vec<u16>,
    /// N × dim.
    pub embeddings: Matrix,
}

impl Imported {
    /// The rows as a batch for a writer of the contract.
    pub fn into_batch(self) -> Result<EmbeddingBatch> {
        EmbeddingBatch::new(self.contract.fingerprint(), self.metas, self.views, self.embeddings)
    }
}

/// The contract of rows of which only their backbone's name and length are known.
///
/// `origin` is the tool and its file format. It is part of the contract, so that imports of two
/// tools are never taken for one set although both know little.
pub fn imported_contract(origin: &str, backbone: &str, dim: u32) -> Contract {
    Contract {
        version: Contract::VERSION,
        backbone: backbone.into(),
        weights_sha256: UNKNOWN.into(),
        architecture: BTreeMap::from([("imported from".into(), origin.into())]),
        input_px: 0,
        // A mean of 0 and a deviation of 0 cannot be meant: they stand for what is not known.
        mean: [0.0; 3],
        std: [0.0; 3],
        resampling: UNKNOWN.into(),
        pooling: UNKNOWN.into(),
        dim,
        precision: UNKNOWN.into(),
        tile_um: None,
        tile_px: 0,
        mpp_policy: UNKNOWN.into(),
        reader: UNKNOWN.into(),
        view: "identity".into(),
    }
}

/// The file that rows are imported from, and what it holds: what parts them from rows of another
/// file of its name.
struct Origin {
    source: String,
    digest: String,
}

impl Origin {
    /// Reads the whole file; `part` names the array, where the file has several.
    fn of(path: &Path, part: Option<&str>) -> Result<Self> {
        let failed = |e| Error::io("read", path, e);
        let whole = std::fs::canonicalize(path).map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(matrix::open_regular(path)?.0).map_err(failed)?;
        let mut source = whole.to_string_lossy().into_owned();
        if let Some(part) = part {
            hasher.update(part.as_bytes());
            source = format!("{source}#{part}");
        }
        Ok(Self { source, digest: hasher.finalize().to_hex()[..32].to_string() })
    }
}

/// A tile of which only its name, slide and file are known.
fn bare_meta(tile_id: String, slide: &str, origin: &Origin) -> TileMeta {
    TileMeta {
        tile_id,
        slide: slide.into(),
        group: slide.into(),
        centre: None,
        scanner: None,
        x: 0,
        y: 0,
        size_level0_px: 0,
        requested_mpp: None,
        effective_mpp: None,
        tissue_fraction: 1.0,
        source: origin.source.clone(),
        source_digest: origin.digest.clone(),
    }
}

/// What is exported of a set: every tile and view once, and of those that are there twice the
/// latest row.
struct ExportedRows {
    contract: Contract,
    /// Rows in the order of a scan: whether each is exported.
    wanted: Vec<bool>,
    n_rows: usize,
}

/// Finds the rows of a set, which must exist.
fn exported_rows(store: &dyn EmbeddingStore, set: &Fingerprint) -> Result<ExportedRows> {
    let (mut last, mut n) = (HashMap::new(), 0);
    // A scan of a set that is not there answers with those that there are.
    store.scan(set, &mut |batch| {
        for (meta, &view) in batch.metas.iter().zip(&batch.views) {
            last.insert(RowKey::of(meta, view), n);
            n += 1;
        }
        Ok(())
    })?;
    let mut wanted = vec![false; n];
    for &row in last.values() {
        wanted[row] = true;
    }
    let known = store.sets()?.into_iter().find(|s| s.fingerprint == *set);
    let contract = known.map(|s| s.contract).ok_or_else(|| {
        Error::input("fingerprint", "a set of the store", set.to_string(), "look it up")
    })?;
    Ok(ExportedRows { contract, wanted, n_rows: last.len() })
}

/// Writes a set's values as little-endian `f32` in the order of a scan, and its tiles as one JSON
/// object a line.
fn write_rows(
    store: &dyn EmbeddingStore,
    set: &Fingerprint,
    rows: &ExportedRows,
    values: &mut dyn Write,
    tiles: &mut dyn Write,
) -> Result<()> {
    let failed = |e| Error::io("write", "the export", e);
    let (mut seen, n_rows) = (0, rows.wanted.len());
    store.scan(set, &mut |batch| {
        for (i, (meta, view)) in batch.metas.iter().zip(&batch.views).enumerate() {
            if rows.wanted.get(seen + i) != Some(&true) {
                continue;
            }
            values.write_all(bytemuck::cast_slice(batch.embeddings.row(i))).map_err(failed)?;
            let line = serde_json::json!({ "tile": meta, "view": view });
            writeln!(tiles, "{line}").map_err(failed)?;
        }
        seen += batch.metas.len();
        Ok(())
    })?;
    values.flush().and_then(|()| tiles.flush()).map_err(failed)?;
    if seen == n_rows {
        return Ok(());
    }
    Err(Error::input(
        format!("set {set}"),
        format!("{n_rows} rows, as when the export began"),
        format!("{seen}"),
        "export again when the writers are done",
    ))
}
