// SPDX-License-Identifier: MIT OR Apache-2.0

//! Embeddings from and for other tools.

#[cfg(feature = "hdf5")]
mod h5_export;
#[cfg(feature = "hdf5")]
mod h5_import;
#[cfg(feature = "hdf5")]
mod h5ad;
mod npy;
mod npz;
mod safetensors;

use std::collections::BTreeMap;
use std::io::Write;

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

/// A tile of which only its name and slide are known.
fn bare_meta(tile_id: String, slide: &str, source_digest: &str) -> TileMeta {
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
        source_digest: source_digest.into(),
    }
}

/// Rows and length of a set, which must exist.
fn shape_of(store: &dyn EmbeddingStore, set: &Fingerprint) -> Result<(usize, usize, Contract)> {
    let sets = store.sets()?;
    match sets.into_iter().find(|s| s.fingerprint == *set) {
        Some(s) => Ok((s.n_rows as usize, s.contract.dim as usize, s.contract)),
        // A scan's answer lists the sets that there are.
        None => store.scan(set, &mut |_| Ok(())).and_then(|()| {
            Err(Error::input("fingerprint", "a set of the store", set.to_string(), "look it up"))
        }),
    }
}

/// Writes a set's values as little-endian `f32` in the order of a scan, and its tiles as one JSON
/// object a line.
fn write_rows(
    store: &dyn EmbeddingStore,
    set: &Fingerprint,
    n_rows: usize,
    values: &mut dyn Write,
    tiles: &mut dyn Write,
) -> Result<()> {
    let failed = |e| Error::io("write", "the export", e);
    let mut seen = 0;
    store.scan(set, &mut |batch| {
        seen += batch.metas.len();
        values.write_all(bytemuck::cast_slice(batch.embeddings.values())).map_err(failed)?;
        for (meta, view) in batch.metas.iter().zip(&batch.views) {
            let line = serde_json::json!({ "tile": meta, "view": view });
            writeln!(tiles, "{line}").map_err(failed)?;
        }
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
