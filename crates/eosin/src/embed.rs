// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use crossbeam_channel::bounded;
use eosin_core::{
    Backbone, BackboneInfo, Contract, EmbeddingBatch, EmbeddingStore, Error, Fingerprint, Progress,
    Result, RgbImage, Tile, TileBatch, TileSource,
};
use eosin_store::{ParquetStore, RowKey};
use eosin_tile::resample::{self, Filter};
use eosin_tile::views::ViewBank;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::input::Geometry;

/// How tiles are embedded.
#[derive(Clone, Debug)]
pub struct EmbedOptions<'a> {
    /// Tiles per forward pass.
    pub batch_size: usize,
    /// Image views to embed instead of the tile itself.
    pub views: Option<&'a ViewBank>,
    /// Tile ids to embed; all where absent.
    pub only: Option<&'a BTreeSet<String>>,
}

/// What embedding a source did.
#[derive(Clone, Debug)]
pub struct EmbedOutcome {
    /// The set that holds the embeddings.
    pub fingerprint: Fingerprint,
    /// Tiles that were embedded now.
    pub n_new: usize,
    /// Tiles that were there already.
    pub n_kept: usize,
    /// Tiles that could not be read.
    pub skipped: Vec<Skipped>,
}

/// A tile that was left out, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Skipped {
    /// Its tile id.
    pub tile: String,
    /// Why it could not be read.
    pub reason: String,
}

/// Forward passes after whose rows work is committed: a kill loses little more than these.
const PASSES_PER_COMMIT: usize = 4;

/// Batches that wait decoded while the engine computes.
const QUEUE: usize = 2;

/// One tile's images, ready for the backbone, or why there are none.
type Prepared = Result<Vec<Tile>, Skipped>;

/// Embeds what the store does not have yet and commits it batch by batch.
///
/// Batches are cut by position in the source, so an interrupted run continues with the same
/// batches and the store ends with the same bytes.
pub fn embed(
    source: &dyn TileSource,
    geometry: &Geometry,
    backbone: &dyn Backbone,
    store: &ParquetStore,
    options: &EmbedOptions,
    progress: &dyn Progress,
) -> Result<EmbedOutcome> {
    let contract = contract(backbone.info(), source, geometry, options.views);
    let fingerprint = contract.fingerprint();
    let filter = filter(backbone.info())?;
    let todo = plan(source, store, &fingerprint, options)?;
    let n_views = options.views.map_or(1, |bank| usize::from(bank.n_views));
    let n_todo: usize = todo.batches.iter().map(Vec::len).sum();
    progress.start(&format!("embed {}", backbone.info().name), (n_todo * n_views) as u64);
    let (sender, receiver) = bounded::<Vec<Prepared>>(QUEUE);
    let input_px = backbone.info().input_px;
    let prepare = |index: usize| prepare(source, index, input_px, filter, options.views);
    let skipped = std::thread::scope(|scope| {
        scope.spawn(move || {
            for batch in &todo.batches {
                let prepared = batch.par_iter().map(|&i| prepare(i)).collect();
                // The receiver is gone only after an error, which it reports itself.
                if sender.send(prepared).is_err() {
                    return;
                }
            }
        });
        consume(&receiver, backbone, store, &contract, options.batch_size, progress)
    })?;
    progress.finish();
    Ok(EmbedOutcome { fingerprint, n_new: n_todo - skipped.len(), n_kept: todo.n_kept, skipped })
}

/// The contract under which `backbone` embeds the tiles of `source`.
pub fn contract(
    info: &BackboneInfo,
    source: &dyn TileSource,
    geometry: &Geometry,
    views: Option<&ViewBank>,
) -> Contract {
    Contract {
        version: Contract::VERSION,
        backbone: info.name.clone(),
        weights_sha256: info.weights_sha256.clone(),
        architecture: info.architecture.clone(),
        input_px: info.input_px,
        mean: info.mean,
        std: info.std,
        resampling: format!("{} antialias", info.resampling),
        pooling: info.pooling.clone(),
        dim: info.dim,
        precision: info.precision.clone(),
        tile_um: geometry.tile_um,
        tile_px: geometry.tile_px,
        mpp_policy: geometry.mpp_policy.clone(),
        reader: format!("{} {}", source.kind(), source.reader_version()),
        view: views.map_or_else(|| "identity".into(), ViewBank::describe),
    }
}

struct Plan {
    batches: Vec<Vec<usize>>,
    n_kept: usize,
}

fn plan(
    source: &dyn TileSource,
    store: &ParquetStore,
    set: &Fingerprint,
    options: &EmbedOptions,
) -> Result<Plan> {
    let tiles = source.tiles();
    let committed = store.committed(set)?;
    let n_views = options.views.map_or(1, |bank| bank.n_views);
    let (mut stale, mut n_kept) = (BTreeSet::new(), 0);
    let wanted: Vec<usize> = (0..tiles.len())
        .filter(|&i| options.only.is_none_or(|only| only.contains(&tiles[i].tile_id)))
        .collect();
    let mut batches = Vec::new();
    for chunk in wanted.chunks(options.batch_size.max(1)) {
        let mut batch = Vec::new();
        for &i in chunk {
            let tile = &tiles[i];
            let keys: Vec<RowKey> =
                (0..n_views).map(|view| RowKey::new(tile.tile_id.as_str(), view)).collect();
            if keys.iter().all(|key| committed.get(key) == Some(&tile.source_digest)) {
                n_kept += 1;
                continue;
            }
            stale.extend(keys.into_iter().filter(|key| committed.contains_key(key)));
            batch.push(i);
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
    }
    if !stale.is_empty() {
        tracing::info!(n_rows = stale.len(), "rows whose files have changed are made again");
        store.remove_rows(set, &stale)?;
    }
    Ok(Plan { batches, n_kept })
}

fn prepare(
    source: &dyn TileSource,
    index: usize,
    input_px: u32,
    filter: Filter,
    views: Option<&ViewBank>,
) -> Prepared {
    let skipped = |error: Error| Skipped {
        tile: source.tiles()[index].tile_id.clone(),
        reason: error.to_string(),
    };
    let tile = source.read(index).map_err(skipped)?;
    let fit = |image: &RgbImage| {
        let image = resample::resize(image, input_px, input_px, filter);
        Tile { meta: tile.meta.clone(), image }
    };
    match views {
        None => Ok(vec![fit(&tile.image)]),
        // View 0 would be the tile itself, which has a set of its own.
        Some(bank) => Ok((1..=bank.n_views).map(|view| fit(&bank.apply(&tile, view))).collect()),
    }
}

fn consume(
    receiver: &crossbeam_channel::Receiver<Vec<Prepared>>,
    backbone: &dyn Backbone,
    store: &ParquetStore,
    contract: &Contract,
    batch_size: usize,
    progress: &dyn Progress,
) -> Result<Vec<Skipped>> {
    let mut writer = store.writer(contract)?;
    let fingerprint = contract.fingerprint();
    let (mut skipped, mut uncommitted) = (Vec::new(), 0);
    for prepared in receiver {
        let mut images = Vec::new();
        let mut views = Vec::new();
        for tile in prepared {
            match tile {
                Ok(tiles) => {
                    views.extend(0..tiles.len() as u16);
                    images.extend(tiles);
                }
                Err(reason) => {
                    tracing::warn!(tile = reason.tile, reason = reason.reason, "tile skipped");
                    skipped.push(reason);
                }
            }
        }
        let n_rows = images.len();
        let mut images = images.into_iter();
        for views in views.chunks(batch_size.max(1)) {
            let mut batch = TileBatch::new(backbone.info().input_px);
            for tile in images.by_ref().take(views.len()) {
                batch.push(tile)?;
            }
            let embeddings = backbone.embed(&batch)?;
            progress.advance(views.len() as u64);
            let metas = batch.metas().to_vec();
            let rows = EmbeddingBatch::new(fingerprint.clone(), metas, views.to_vec(), embeddings)?;
            writer.append(rows)?;
        }
        uncommitted += n_rows;
        if uncommitted >= PASSES_PER_COMMIT * batch_size {
            writer.commit()?;
            uncommitted = 0;
        }
    }
    if uncommitted > 0 {
        writer.commit()?;
    }
    Ok(skipped)
}

fn filter(info: &BackboneInfo) -> Result<Filter> {
    info.resampling.parse()
}
