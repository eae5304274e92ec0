// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use eosin_core::{EmbeddingBatch, EmbeddingStore, Error, Fingerprint, Matrix, Result, TileMeta};

/// What names a row within a set.
///
/// Tiles of one name that were read from files of different content are different tiles; the same
/// content at another path is the same tile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The tile.
    pub tile_id: String,
    /// The digest of the file that it was read from.
    pub source_digest: String,
    /// Which view of it.
    pub view: u16,
}

/// What names a tile within a set, with all its views.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileKey {
    /// The tile.
    pub tile_id: String,
    /// The digest of the file that it was read from.
    pub source_digest: String,
}

impl RowKey {
    /// The key of a view of a tile.
    pub fn new(tile_id: impl Into<String>, source_digest: impl Into<String>, view: u16) -> Self {
        Self { tile_id: tile_id.into(), source_digest: source_digest.into(), view }
    }

    /// The key of a view of the tile that `meta` tells of.
    pub fn of(meta: &TileMeta, view: u16) -> Self {
        Self::new(&meta.tile_id, &meta.source_digest, view)
    }
}

impl TileKey {
    /// The key of a tile.
    pub fn new(tile_id: impl Into<String>, source_digest: impl Into<String>) -> Self {
        Self { tile_id: tile_id.into(), source_digest: source_digest.into() }
    }

    /// The key of the tile that `meta` tells of.
    pub fn of(meta: &TileMeta) -> Self {
        Self::new(&meta.tile_id, &meta.source_digest)
    }

    /// The key of one of its rows.
    pub fn row(&self, view: u16) -> RowKey {
        RowKey::new(&self.tile_id, &self.source_digest, view)
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
    fn read_tiles(&self, set: &Fingerprint, tiles: &[TileKey]) -> Result<EmbeddingBatch> {
        let wanted: HashSet<Borrowed> = tiles.iter().map(borrowed).collect();
        let found = collect(self, set, |meta| wanted.contains(&borrowed_of(meta)))?;
        let rows = rows_of_tiles(set, &found.metas, &found.views, tiles)?;
        select(&found, &rows)
    }
}

impl<S: EmbeddingStore + ?Sized> StoreExt for S {}

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
    Ok(EmbeddingBatch { contract, ..EmbeddingBatch::new(set.clone(), metas, views, all)? })
}

/// The batch without rows that a later one supersedes, each successor in its first row's place.
pub(crate) fn latest(batch: EmbeddingBatch) -> Result<EmbeddingBatch> {
    let rows = latest_rows(&batch.metas, &batch.views);
    if rows.len() == batch.metas.len() { Ok(batch) } else { select(&batch, &rows) }
}

/// For every tile and view its latest row, in the order of their first rows.
pub(crate) fn latest_rows(metas: &[TileMeta], views: &[u16]) -> Vec<usize> {
    let mut places: HashMap<(Borrowed, u16), usize> = HashMap::with_capacity(metas.len());
    let mut rows = Vec::with_capacity(metas.len());
    for (row, (meta, &view)) in metas.iter().zip(views).enumerate() {
        match places.entry((borrowed_of(meta), view)) {
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
    tiles: &[TileKey],
) -> Result<Vec<usize>> {
    let mut rows_of: HashMap<Borrowed, BTreeMap<u16, usize>> =
        tiles.iter().map(|tile| (borrowed(tile), BTreeMap::new())).collect();
    for (row, (meta, &view)) in metas.iter().zip(views).enumerate() {
        if let Some(rows) = rows_of.get_mut(&borrowed_of(meta)) {
            rows.insert(view, row);
        }
    }
    let missing: Vec<&TileKey> =
        tiles.iter().filter(|tile| rows_of[&borrowed(tile)].is_empty()).collect();
    if !missing.is_empty() {
        return Err(missing_tiles(set, metas, &missing));
    }
    Ok(tiles.iter().flat_map(|tile| rows_of[&borrowed(tile)].values().copied()).collect())
}

/// A tile's key without a copy of it: its id and the digest of its source.
type Borrowed<'a> = (&'a str, &'a str);

fn borrowed(tile: &TileKey) -> Borrowed<'_> {
    (&tile.tile_id, &tile.source_digest)
}

fn borrowed_of(meta: &TileMeta) -> Borrowed<'_> {
    (&meta.tile_id, &meta.source_digest)
}

fn select(batch: &EmbeddingBatch, rows: &[usize]) -> Result<EmbeddingBatch> {
    let selected = EmbeddingBatch::new(
        batch.fingerprint.clone(),
        rows.iter().map(|&r| batch.metas[r].clone()).collect(),
        rows.iter().map(|&r| batch.views[r]).collect(),
        batch.embeddings.select(rows),
    )?;
    Ok(EmbeddingBatch { contract: batch.contract.clone(), ..selected })
}

/// Says of tiles that are there under the same name whether only their file is another.
fn missing_tiles(set: &Fingerprint, metas: &[TileMeta], missing: &[&TileKey]) -> Error {
    let shown: Vec<&str> = missing.iter().take(3).map(|tile| tile.tile_id.as_str()).collect();
    let more = missing.len() - shown.len();
    let others = missing.iter().any(|tile| metas.iter().any(|meta| meta.tile_id == tile.tile_id));
    let found = match more {
        _ if others => format!("{}, but of files with other content", shown.join(", ")),
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
