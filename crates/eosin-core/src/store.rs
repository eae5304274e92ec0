// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Contract, EmbeddingBatch, Error, Fingerprint, Matrix, Result, RowKey, Superseded, TileKey,
    TileMeta, rows_of_tiles,
};

/// What a store tells of one of its sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetSummary {
    /// The set's contract.
    pub contract: Contract,
    /// Its fingerprint, which names the set.
    pub fingerprint: Fingerprint,
    /// Rows that are committed.
    pub n_rows: u64,
    /// Shards that hold them.
    pub n_shards: u64,
    /// Bytes of those shards.
    pub n_bytes: u64,
    /// The version of the log that was read.
    pub version: u64,
}

/// Keeps embeddings, one set per contract.
///
/// The caller names sets by contract or fingerprint.
/// The implementer shows a reader a committed state or nothing, never a part of a commit, and
/// returns rows in the order in which they were committed. Where a row was committed more than
/// once, as after two runs at once, the latest counts.
///
/// The methods with a default read a scan; a store that finds rows faster overrides them. A store
/// that can take rows away overrides the last two.
///
/// ```
/// use eosin_core::{Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Fingerprint, Result, SetSummary};
/// struct Empty;
/// impl EmbeddingStore for Empty {
///     fn sets(&self) -> Result<Vec<SetSummary>> { Ok(Vec::new()) }
///     fn scan(&self, _set: &Fingerprint, _visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>) -> Result<()> { Ok(()) }
///     fn writer(&self, _contract: &Contract) -> Result<Box<dyn EmbeddingWriter>> {
///         Err(eosin_core::Error::unsupported("writing", &[], "use another store"))
///     }
/// }
/// ```
pub trait EmbeddingStore: Send + Sync {
    /// Every set with at least one commit, ordered by fingerprint.
    fn sets(&self) -> Result<Vec<SetSummary>>;
    /// Streams a set's rows in bounded batches; an unknown set is an error that lists the known.
    fn scan(
        &self,
        set: &Fingerprint,
        visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>,
    ) -> Result<()>;
    /// A writer to the set of this contract, which is made at the first commit.
    fn writer(&self, contract: &Contract) -> Result<Box<dyn EmbeddingWriter>>;

    /// Where it is, for messages.
    fn place(&self) -> PathBuf {
        PathBuf::from("the store")
    }

    /// Every committed row, with the file that it was read from; none of a set that is not there.
    fn committed(&self, set: &Fingerprint) -> Result<BTreeMap<RowKey, Arc<str>>> {
        let mut rows = BTreeMap::new();
        if !self.sets()?.iter().any(|known| known.fingerprint == *set) {
            return Ok(rows);
        }
        self.scan(set, &mut |batch| {
            for (meta, &view) in batch.metas.iter().zip(&batch.views) {
                rows.insert(RowKey::of(meta, view), meta.source.as_str().into());
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// All rows of a set, in the order of their first commit.
    fn read_all(&self, set: &Fingerprint) -> Result<EmbeddingBatch> {
        Ok(collect(self, set, |_| true)?.latest())
    }

    /// The rows of the given tiles in the order asked for, the views of a tile together and in
    /// order; a tile that is not in the set is an error that names it.
    fn read_tiles(&self, set: &Fingerprint, tiles: &[TileKey]) -> Result<EmbeddingBatch> {
        let wanted: HashSet<(&str, &str)> =
            tiles.iter().map(|tile| (tile.tile_id.as_str(), tile.source_digest.as_str())).collect();
        let is_wanted = |meta: &TileMeta| {
            wanted.contains(&(meta.tile_id.as_str(), meta.source_digest.as_str()))
        };
        let found = collect(self, set, is_wanted)?;
        let rows = rows_of_tiles(set, &found.metas, &found.views, tiles)?;
        Ok(found.select(&rows))
    }

    /// A writer whose commits also remove what their rows supersede: a row of `superseded` goes in
    /// the very commit that adds the row it is listed under, and what is never appended removes
    /// nothing.
    fn superseding_writer(
        &self,
        contract: &Contract,
        superseded: Superseded,
    ) -> Result<Box<dyn EmbeddingWriter>> {
        if superseded.is_empty() { self.writer(contract) } else { Err(cannot_remove()) }
    }

    /// Drops rows, in one commit, and returns how many there were.
    fn remove_rows(&self, _set: &Fingerprint, keys: &BTreeSet<RowKey>) -> Result<u64> {
        if keys.is_empty() { Ok(0) } else { Err(cannot_remove()) }
    }
}

fn cannot_remove() -> Error {
    Error::unsupported(
        "taking rows away from this store",
        &[],
        "embed into another store, where the files have changed since they were embedded",
    )
}

/// The rows of a scan whose tiles are wanted.
fn collect<S: EmbeddingStore + ?Sized>(
    store: &S,
    set: &Fingerprint,
    wanted: impl Fn(&TileMeta) -> bool,
) -> Result<EmbeddingBatch> {
    let (mut metas, mut views, mut all) = (Vec::new(), Vec::new(), Matrix::default());
    let mut contract = None;
    store.scan(set, &mut |batch| {
        contract = contract.take().or(batch.contract.clone());
        let keep: Vec<usize> =
            (0..batch.metas.len()).filter(|&i| wanted(&batch.metas[i])).collect();
        let batch = if keep.len() == batch.metas.len() { batch } else { batch.select(&keep) };
        all.append(&batch.embeddings)?;
        metas.extend(batch.metas);
        views.extend(batch.views);
        Ok(())
    })?;
    Ok(EmbeddingBatch { contract, ..EmbeddingBatch::new(set.clone(), metas, views, all)? })
}

/// Adds rows to one set.
pub trait EmbeddingWriter: Send {
    /// Takes a batch of the writer's contract; nothing is visible before `commit`.
    fn append(&mut self, batch: EmbeddingBatch) -> Result<()>;
    /// Makes all appended rows visible at once and returns the log's new version.
    fn commit(&mut self) -> Result<u64>;
}
