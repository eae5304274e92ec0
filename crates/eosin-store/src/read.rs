// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, HashMap};

use eosin_core::{EmbeddingBatch, EmbeddingStore, Error, Fingerprint, Matrix, Result};

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
pub trait StoreExt: EmbeddingStore {
    /// All rows of a set, in the order of their first commit.
    fn read_all(&self, set: &Fingerprint) -> Result<EmbeddingBatch> {
        let mut all = Collected::default();
        self.scan(set, &mut |batch| all.add(batch, |_| true))?;
        all.into_batch(set)
    }

    /// The rows of the given tiles in the order asked for, the views of a tile together and in
    /// order; a tile that is not in the set is an error that names it.
    fn read_tiles(&self, set: &Fingerprint, tile_ids: &[&str]) -> Result<EmbeddingBatch> {
        let wanted: HashMap<&str, usize> =
            tile_ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        let mut all = Collected::default();
        self.scan(set, &mut |batch| all.add(batch, |id| wanted.contains_key(id)))?;
        let all = all.into_batch(set)?;
        let mut rows_of: HashMap<&str, Vec<usize>> = HashMap::new();
        for (row, meta) in all.metas.iter().enumerate() {
            rows_of.entry(&meta.tile_id).or_default().push(row);
        }
        let mut rows = Vec::with_capacity(all.metas.len());
        let mut missing = Vec::new();
        for id in tile_ids {
            match rows_of.get_mut(id) {
                Some(found) => {
                    found.sort_by_key(|&row| all.views[row]);
                    rows.extend_from_slice(found);
                }
                None => missing.push(*id),
            }
        }
        if !missing.is_empty() {
            return Err(missing_tiles(set, &missing));
        }
        EmbeddingBatch::new(
            set.clone(),
            rows.iter().map(|&r| all.metas[r].clone()).collect(),
            rows.iter().map(|&r| all.views[r]).collect(),
            all.embeddings.select(&rows),
        )
    }
}

impl<S: EmbeddingStore + ?Sized> StoreExt for S {}

/// Rows gathered by a scan, the latest of each key.
#[derive(Default)]
struct Collected {
    index: BTreeMap<RowKey, usize>,
    batch: Option<EmbeddingBatch>,
}

impl Collected {
    fn add(&mut self, new: EmbeddingBatch, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let batch = self.batch.get_or_insert_with(|| EmbeddingBatch {
            fingerprint: new.fingerprint.clone(),
            metas: Vec::new(),
            views: Vec::new(),
            embeddings: Matrix::default(),
        });
        let mut fresh = Vec::new();
        for (row, (meta, view)) in new.metas.into_iter().zip(new.views).enumerate() {
            if !wanted(&meta.tile_id) {
                continue;
            }
            let key = RowKey::new(meta.tile_id.clone(), view);
            let at = *self.index.entry(key).or_insert(batch.metas.len());
            if at < batch.metas.len() {
                // Rows of this batch that wait in `fresh` have no place in the matrix yet.
                let n_placed = batch.embeddings.n_rows();
                match at.checked_sub(n_placed) {
                    Some(waiting) => fresh[waiting] = row,
                    None => batch.embeddings.row_mut(at).copy_from_slice(new.embeddings.row(row)),
                }
                batch.metas[at] = meta;
            } else {
                batch.metas.push(meta);
                batch.views.push(view);
                fresh.push(row);
            }
        }
        batch.embeddings.append(&new.embeddings.select(&fresh))
    }

    fn into_batch(self, set: &Fingerprint) -> Result<EmbeddingBatch> {
        match self.batch {
            Some(batch) => Ok(batch),
            None => EmbeddingBatch::new(set.clone(), Vec::new(), Vec::new(), Matrix::default()),
        }
    }
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
