// SPDX-License-Identifier: MIT OR Apache-2.0

//! What of a source is to be embedded, what is there already, and what is replaced.
//!
//! A tile is there where a set has its rows under its id and its file's digest. Rows that were
//! made from a file that holds something else now are replaced, by path; a file that cannot be read
//! makes nothing stale.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use eosin_core::{Error, Fingerprint, Result, TileMeta};
use eosin_store::{ParquetStore, RowKey, Superseded, TileKey};

/// The work that is left on a source, by position of its tiles.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EmbedPlan {
    /// Tiles to embed, in the batches that every run of this source has.
    pub batches: Vec<Vec<usize>>,
    /// Tiles that are there.
    pub n_kept: usize,
    /// The digest under which tiles that cannot be read are there, by tile id.
    pub kept_as: BTreeMap<String, String>,
    /// Rows that go when those of a tile are committed.
    pub superseded: Superseded,
    /// Rows of changed files whose successors are there already.
    pub outdated: BTreeSet<RowKey>,
    /// Rows that are replaced, outdated ones among them.
    pub n_replaced: usize,
    n_views: u16,
}

/// What is planned on.
pub struct Planned<'a> {
    /// All tiles of the source.
    pub tiles: &'a [TileMeta],
    /// Ids of the tiles that are wanted; all where absent.
    pub only: Option<&'a BTreeSet<String>>,
    /// Rows per tile.
    pub n_views: u16,
    /// Tiles per forward pass.
    pub batch_size: usize,
    /// Every row of the set with its file.
    pub committed: &'a BTreeMap<RowKey, Arc<str>>,
}

/// Rows up to which replacing needs no leave, and the share beyond that which does.
const FREELY_REPLACED: usize = 19;
const LARGEST_SHARE: f64 = 0.1;

/// Commits that replace rows are at most about so many, since each writes anew what is left of the
/// shards that it takes rows from.
const REPLACING_COMMITS: usize = 16;

/// The subject of the error that asks for leave to replace rows.
const REFUSED: &str = "rows that would be replaced";

impl EmbedPlan {
    /// Finds what is left to do.
    pub fn new(on: &Planned) -> Self {
        let rows = Committed::of(on);
        let mut plan = Self { n_views: on.n_views, ..Self::default() };
        let wanted: Vec<usize> = (0..on.tiles.len()).filter(|&i| on.wants(i)).collect();
        let mut last_of_source: HashMap<&str, RowKey> = HashMap::new();
        let mut coming: HashMap<(&str, &str), &TileMeta> = HashMap::new();
        for chunk in wanted.chunks(on.batch_size.max(1)) {
            let mut batch = Vec::new();
            for &i in chunk {
                let tile = &on.tiles[i];
                if rows.has(&TileKey::of(tile), on.n_views) && !tile.source_digest.is_empty() {
                    plan.n_kept += 1;
                } else if let Some(digest) = rows.digest_of_unreadable(tile, on.n_views) {
                    plan.n_kept += 1;
                    plan.kept_as.insert(tile.tile_id.clone(), digest.to_string());
                } else {
                    if !tile.source_digest.is_empty() {
                        last_of_source.insert(&tile.source, RowKey::of(tile, on.n_views - 1));
                        coming.insert((&tile.source, &tile.tile_id), tile);
                    }
                    batch.push(i);
                }
            }
            if !batch.is_empty() {
                plan.batches.push(batch);
            }
        }
        for (source, old) in rows.outdated(on, &wanted) {
            plan.n_replaced += old.len();
            let Some(last) = last_of_source.get(source) else {
                plan.outdated.extend(old);
                continue;
            };
            for row in old {
                // Rows of tiles that are no more go with the last of the source.
                let successor = match coming.get(&(source, row.tile_id.as_str())) {
                    Some(tile) => RowKey::of(tile, row.view.min(on.n_views - 1)),
                    None => last.clone(),
                };
                plan.superseded.entry(successor).or_default().push(row);
            }
        }
        // A tile of which some views are there gets all of them anew, once.
        for tile in coming.values() {
            for row in (0..on.n_views).map(|view| RowKey::of(tile, view)) {
                if on.committed.contains_key(&row) {
                    plan.superseded.entry(row.clone()).or_default().push(row);
                }
            }
        }
        plan
    }

    /// Refuses to replace a large share of what a set has of the source, unless it is allowed.
    pub fn check_replaced(&self, set: &Fingerprint, allowed: bool) -> Result<()> {
        let n_rows = self.n_kept * usize::from(self.n_views) + self.n_replaced;
        let is_quick = |row: &RowKey| row.source_digest.contains(':');
        let of_another_kind = self
            .superseded
            .iter()
            .any(|(new, old)| old.iter().any(|o| is_quick(o) != is_quick(new)));
        let why = if of_another_kind {
            ", or were told with --verify where this is without it, or the other way round"
        } else {
            ""
        };
        check_share(set, self.n_replaced, n_rows, allowed, why)
    }

    /// Rows after which work is committed, where `usual` is what is lost at most by a kill.
    pub fn commit_rows(&self, usual: usize) -> usize {
        if self.superseded.is_empty() {
            return usual;
        }
        let n_todo: usize = self.batches.iter().map(Vec::len).sum();
        usual.max((n_todo * usize::from(self.n_views)).div_ceil(REPLACING_COMMITS))
    }

    /// Rows that were replaced where these tiles could not be read.
    pub fn n_replaced_without(&self, skipped: &BTreeSet<&str>) -> usize {
        let stayed =
            self.superseded.iter().filter(|(new, _)| skipped.contains(new.tile_id.as_str()));
        let stayed = stayed.map(|(new, old)| old.iter().filter(|old| *old != new).count());
        self.n_replaced - stayed.sum::<usize>()
    }

    /// Drops rows of changed files whose successors are committed.
    pub fn drop_outdated(&self, store: &ParquetStore, set: &Fingerprint) -> Result<()> {
        if !self.outdated.is_empty() {
            store.remove_rows(set, &self.outdated)?;
        }
        Ok(())
    }
}

/// Refuses to replace more than a tenth of `n_rows` rows, and more than a few, unless it is
/// allowed; `why` is what else may be the reason.
pub fn check_share(
    set: &Fingerprint,
    n_replaced: usize,
    n_rows: usize,
    allowed: bool,
    why: &str,
) -> Result<()> {
    let few = n_replaced <= FREELY_REPLACED || n_replaced as f64 <= LARGEST_SHARE * n_rows as f64;
    if few || allowed {
        return Ok(());
    }
    let percent = 100.0 * LARGEST_SHARE;
    Err(Error::input(
        REFUSED,
        format!("at most {percent:.0} % of the rows that set {set} has of this source"),
        format!("{n_replaced} of {n_rows}, whose files have changed since{why}"),
        "if they were meant to change, give --replace: each row goes when the one that comes for it \
         is committed; else put the old files back (a slide counts as changed when its time has, as \
         by a copy)",
    ))
}

/// Whether an error asks for leave to replace rows, which no caller may take for a tile's or a
/// backbone's own fault.
pub fn asks_to_replace(error: &Error) -> bool {
    matches!(error, Error::Input { subject, .. } if subject == REFUSED)
}

impl Planned<'_> {
    fn wants(&self, i: usize) -> bool {
        self.only.is_none_or(|only| only.contains(&self.tiles[i].tile_id))
    }
}

/// A set's rows, by what a plan asks of them.
struct Committed<'a> {
    rows: &'a BTreeMap<RowKey, Arc<str>>,
    /// Rows by file, of the files of the source.
    by_source: HashMap<&'a str, Vec<&'a RowKey>>,
    /// Digests by tile id, of tiles that cannot be read.
    digests: HashMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Committed<'a> {
    fn of(on: &Planned<'a>) -> Self {
        let mut by_source: HashMap<&str, Vec<&RowKey>> = on
            .tiles
            .iter()
            .filter(|tile| !tile.source.is_empty())
            .map(|tile| (tile.source.as_str(), Vec::new()))
            .collect();
        let unreadable = on.tiles.iter().filter(|tile| tile.source_digest.is_empty());
        let mut digests: HashMap<&str, BTreeSet<&str>> =
            unreadable.map(|tile| (tile.tile_id.as_str(), BTreeSet::new())).collect();
        for (row, source) in on.committed {
            if let Some(rows) = by_source.get_mut(&**source) {
                rows.push(row);
            }
            if let Some(digests) = digests.get_mut(row.tile_id.as_str()) {
                digests.insert(&row.source_digest);
            }
        }
        Self { rows: on.committed, by_source, digests }
    }

    /// Whether all views of a tile are there.
    fn has(&self, tile: &TileKey, n_views: u16) -> bool {
        (0..n_views).all(|view| self.rows.contains_key(&tile.row(view)))
    }

    /// The digest under which a tile that cannot be read is there: that of its own path, or the only
    /// one of its id, as where a folder was moved; a file that still is at its old path is another's.
    fn digest_of_unreadable(&self, tile: &TileMeta, n_views: u16) -> Option<&'a str> {
        if !tile.source_digest.is_empty() {
            return None;
        }
        let own = self.by_source.get(tile.source.as_str()).into_iter().flatten();
        let own: BTreeSet<&'a str> = own
            .filter(|row| row.tile_id == tile.tile_id)
            .map(|row| row.source_digest.as_str())
            .collect();
        let any = self.digests.get(tile.tile_id.as_str())?;
        let found = if own.is_empty() { any } else { &own };
        let digest = if found.len() == 1 { found.first().copied() } else { None }?;
        let key = TileKey::new(&tile.tile_id, digest);
        let is_anothers = || {
            let source = self.rows.get(&key.row(0));
            own.is_empty() && source.is_some_and(|source| Path::new(&**source).exists())
        };
        (self.has(&key, n_views) && !is_anothers()).then_some(digest)
    }

    /// Rows of files that hold something else now, by file.
    fn outdated(&self, on: &Planned<'a>, wanted: &[usize]) -> BTreeMap<&'a str, Vec<RowKey>> {
        let left_out: HashSet<&str> = match on.only {
            None => HashSet::new(),
            Some(_) => (0..on.tiles.len())
                .filter(|&i| !on.wants(i))
                .map(|i| on.tiles[i].tile_id.as_str())
                .collect(),
        };
        let mut digests: HashMap<&'a str, &'a str> = HashMap::new();
        for &i in wanted {
            let tile = &on.tiles[i];
            if !tile.source_digest.is_empty() && !tile.source.is_empty() {
                digests.insert(&tile.source, &tile.source_digest);
            }
        }
        let mut outdated = BTreeMap::new();
        for (source, digest) in digests {
            let old: Vec<RowKey> = self.by_source[source]
                .iter()
                .filter(|row| row.source_digest != digest)
                .filter(|row| !left_out.contains(row.tile_id.as_str()))
                .map(|row| (*row).clone())
                .collect();
            if !old.is_empty() {
                outdated.insert(source, old);
            }
        }
        outdated
    }
}

#[cfg(test)]
mod tests;
