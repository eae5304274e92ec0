// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a selection compares, and on what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use eosin_core::{
    BackboneInfo, EmbeddingStore, Error, Fingerprint, Matrix, ProxyTask, Result, TileMeta,
};
use eosin_store::TileKey;

use super::{LeftOut, ProxyKind};
use eosin_session::config::HoldOut;
use eosin_session::dataset::TaskRows;

/// A backbone that is compared.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What is known of it: its name, costs, licence and training sources.
    pub info: BackboneInfo,
    /// A control is ranked and never selected.
    pub control: bool,
}

/// One backbone's embeddings of a task's tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateSet {
    /// The set in the task's store.
    pub set: Fingerprint,
    /// The set of the tiles' views with their number, where there is one.
    pub bank: Option<(Fingerprint, usize)>,
}

/// A task on which backbones are compared. It needs a store with their embeddings, no tiles.
#[derive(Clone)]
pub struct SelectTask<'a> {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub description: String,
    /// Where its slides come from, to be compared with what backbones were trained on.
    pub source: Option<String>,
    /// What is asked of the rows.
    pub kind: Arc<dyn ProxyKind>,
    /// The rows to compare on, all of the training part.
    pub rows: TaskRows,
    /// What the file of each row's tile holds, told by its digest, in the order of `rows`; the only
    /// tile of its id in a set where it is empty or left out.
    pub digests: Vec<String>,
    /// Where the embeddings are.
    pub store: &'a dyn EmbeddingStore,
    /// The set of each candidate by name.
    pub sets: BTreeMap<String, CandidateSet>,
}

/// All that a selection is made from.
#[derive(Clone, Default)]
pub struct SelectInput<'a> {
    /// The backbones.
    pub candidates: Vec<Candidate>,
    /// The task that the backbone is wanted for; its rows decide among the shortlisted.
    pub target: Option<SelectTask<'a>>,
    /// Tasks by which backbones are shortlisted, or that are shown beside.
    pub proxies: Vec<SelectTask<'a>>,
    /// The backbone that one would take without selection; it joins the shortlist.
    pub default_backbone: Option<String>,
    /// Backbones that are known to be missing, with reasons.
    pub left_out: Vec<LeftOut>,
}

/// A probe with all that its scores depend on beside the rows.
#[derive(Clone)]
pub struct Probe {
    /// The probe.
    pub task: Arc<dyn ProxyTask>,
    /// Its kind and options, part of the cache's keys.
    pub key: String,
}

/// How backbones are compared.
#[derive(Clone)]
pub struct SelectOptions {
    /// Probes; the first decides.
    pub probes: Vec<Probe>,
    /// Folds of every repeat, fewer where the groups do not allow as many.
    pub folds: usize,
    /// Repeats with other folds, fewer where there are no more different ones.
    pub repeats: usize,
    /// Folds within each fold's training part in which the choice is made again, so that its gain
    /// is measured on folds that had no say; 0 measures none.
    pub nested: usize,
    /// What a fold of the target holds out.
    pub hold_out: HoldOut,
    /// Differences below this are taken for none.
    pub rope: f64,
    /// Level of intervals.
    pub level: f64,
    /// Resamples of patients for the robustness index.
    pub replicates: usize,
    /// Seed of folds, draws and resamples.
    pub seed: u64,
    /// Backbones that the proxies leave for the target.
    pub shortlist: usize,
    /// Dimensions of the control that tells better from larger; 0 leaves it out.
    pub pca: usize,
    /// Whether scores without training are shown.
    pub training_free: bool,
}

impl SelectTask<'_> {
    /// The keys of the rows' tiles.
    pub fn keys(&self) -> Vec<TileKey> {
        let digest = |i| self.digests.get(i).map_or("", String::as_str);
        let ids = self.rows.tile_ids.iter().enumerate();
        ids.map(|(i, id)| TileKey::new(id, digest(i))).collect()
    }
}

/// A set's embeddings of the given tiles in that order, the `n_views` views of a tile together,
/// with what the store knows of each tile. Of rows that are there twice the latest counts.
///
/// A key without a digest stands for the only tile of its id; where the set has several, it is an
/// error.
pub fn gather(
    store: &dyn EmbeddingStore,
    set: &Fingerprint,
    tiles: &[TileKey],
    n_views: usize,
) -> Result<(Matrix, Vec<TileMeta>)> {
    let places: HashMap<&str, usize> =
        tiles.iter().enumerate().map(|(i, tile)| (tile.tile_id.as_str(), i)).collect();
    let (mut values, mut dim) = (Vec::new(), 0);
    let mut metas: Vec<Option<TileMeta>> = vec![None; tiles.len()];
    let mut n_found = 0;
    let mut seen = vec![false; tiles.len() * n_views];
    store.scan(set, &mut |batch| {
        if dim == 0 {
            dim = batch.embeddings.n_cols();
            values = vec![0.0_f32; tiles.len() * n_views * dim];
        }
        for (i, meta) in batch.metas.iter().enumerate() {
            let Some(&place) = places.get(meta.tile_id.as_str()) else { continue };
            let wanted = &tiles[place].source_digest;
            if usize::from(batch.views[i]) >= n_views
                || (!wanted.is_empty() && *wanted != meta.source_digest)
            {
                continue;
            }
            if let Some(other) = &metas[place]
                && other.source_digest != meta.source_digest
            {
                return Err(several(set, other, meta));
            }
            let row = place * n_views + usize::from(batch.views[i]);
            n_found += usize::from(!std::mem::replace(&mut seen[row], true));
            values[row * dim..(row + 1) * dim].copy_from_slice(batch.embeddings.row(i));
            metas[place] = Some(meta.clone());
        }
        Ok(())
    })?;
    let metas: Vec<TileMeta> = metas.into_iter().flatten().collect();
    if n_found != seen.len() || metas.len() != tiles.len() {
        return Err(Error::input(
            format!("set {set}"),
            format!("{n_views} views of each of {} tiles", tiles.len()),
            format!("{n_found} rows of them"),
            "embed the missing tiles first",
        ));
    }
    Ok((Matrix::new(seen.len(), dim, values)?, metas))
}

fn several(set: &Fingerprint, one: &TileMeta, other: &TileMeta) -> Error {
    Error::input(
        format!("tile {} of set {set}", one.tile_id),
        "one file of this name, or the digest of the one that is meant",
        format!("{} and {}", one.source, other.source),
        "give the task the digests of its tiles' files",
    )
}
