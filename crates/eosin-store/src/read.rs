// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use eosin_core::{EmbeddingBatch, EmbeddingStore, Error, Fingerprint, Matrix, Result, TileMeta};

/// What names a row within a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The tile.
    pub tile_id: String,
    /// Which view of it.
    pub view: u16,
}

impl RowKey {
    /// The key of a view of a tile.
    pub fn new(tile_id: impl Into<String>, view: u16) -> Self {
        Self { tile_id: tile_id.into(), view }
    }
}

/// Conveniences for reading any store.
///
/// Where a row was committed more than once, as after two runs at once, the latest counts.
/// [`crate::ParquetStore`] has faster methods of the same names.
pub trait StoreExt: EmbeddingStore {
    /// All rows of a set, in the order of their first commit.
    fn read_all(&self, set: &Fingerprint) -> Result<EmbeddingBatch> {
        latest(collect(self, set, |_| true)?)
    }

    /// The rows of the given tiles in the order asked for, the views of a tile together and in
    /// order; a tile that is not in the set is an error that names it.
    fn read_tiles(&self, set: &Fingerprint, tile_ids: &[&str]) -> Result<EmbeddingBatch> {
        let wanted: HashSet<&str> = tile_ids.iter().copied().collect();
        let found = collect(self, set, |id| wanted.contains(id))?;
        let rows = rows_of_tiles(set, &found.metas, &found.views, tile_ids)?;
        select(&found, &rows)
    }
}

impl<S: EmbeddingStore + ?Sized> StoreExt for S {}

fn collect<S: EmbeddingStore + ?Sized>(
    store: &S,
    set: &Fingerprint,
    wanted: impl Fn(&str) -> bool,
) -> Result<EmbeddingBatch> {
    let (mut metas, mut views, mut all) = (Vec::new(), Vec::new(), Matrix::default());
    store.scan(set, &mut |batch| {
        let keep: Vec<usize> =
            (0..batch.metas.len()).filter(|&i| wanted(&batch.metas[i].tile_id)).collect();
        if keep.len() == batch.metas.len() {
            all.append(&batch.embeddings)?;
            metas.extend(batch.metas);
            views.extend(batch.views);
        } else {
            all.append(&batch.embeddings.select(&keep))?;
            metas.extend(keep.iter().map(|&i| batch.metas[i].clone()));
            views.extend(keep.iter().map(|&i| batch.views[i]));
        }
        Ok(())
    })?;
    EmbeddingBatch::new(set.clone(), metas, views, all)
}

/// The batch without rows that a later one supersedes, each successor in its first row's place.
pub(crate) fn latest(batch: EmbeddingBatch) -> Result<EmbeddingBatch> {
    let rows = latest_rows(&batch.metas, &batch.views);
    if rows.len() == batch.metas.len() { Ok(batch) } else { select(&batch, &rows) }
}

/// For every tile and view its latest row, in the order of their first rows.
pub(crate) fn latest_rows(metas: &[TileMeta], views: &[u16]) -> Vec<usize> {
    let mut places: HashMap<(&str, u16), usize> = HashMap::with_capacity(metas.len());
    let mut rows = Vec::with_capacity(metas.len());
    for (row, (meta, &view)) in metas.iter().zip(views).enumerate() {
        match places.entry((&meta.tile_id, view)) {
            Entry::Occupied(place) => rows[*place.get()] = row,
            Entry::Vacant(place) => {
                place.insert(rows.len());
                rows.push(row);
            }
        }
    }
    rows
}

/// For the tiles asked for, in order, the latest row of each of their views.
pub(crate) fn rows_of_tiles(
    set: &Fingerprint,
    metas: &[TileMeta],
    views: &[u16],
    tile_ids: &[&str],
) -> Result<Vec<usize>> {
    let mut rows_of: HashMap<&str, BTreeMap<u16, usize>> =
        tile_ids.iter().map(|id| (*id, BTreeMap::new())).collect();
    for (row, (meta, &view)) in metas.iter().zip(views).enumerate() {
        if let Some(rows) = rows_of.get_mut(meta.tile_id.as_str()) {
            rows.insert(view, row);
        }
    }
    let missing: Vec<&str> = tile_ids.iter().copied().filter(|id| rows_of[id].is_empty()).collect();
    if !missing.is_empty() {
        return Err(missing_tiles(set, &missing));
    }
    Ok(tile_ids.iter().flat_map(|id| rows_of[id].values().copied()).collect())
}

fn select(batch: &EmbeddingBatch, rows: &[usize]) -> Result<EmbeddingBatch> {
    EmbeddingBatch::new(
        batch.fingerprint.clone(),
        rows.iter().map(|&r| batch.metas[r].clone()).collect(),
        rows.iter().map(|&r| batch.views[r]).collect(),
        batch.embeddings.select(rows),
    )
}

fn missing_tiles(set: &Fingerprint, missing: &[&str]) -> Error {
    let shown: Vec<&str> = missing.iter().take(3).copied().collect();
    let more = missing.len() - shown.len();
    let found = match more {
        0 => format!("no {}", shown.join(", ")),
        more => format!("no {} and {more} more", shown.join(", ")),
    };
    Error::input(
        format!("tiles of set {set}"),
        "tiles that are in the set",
        found,
        "embed them first, or leave them out",
    )
}
