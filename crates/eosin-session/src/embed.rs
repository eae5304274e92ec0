// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tiles into a set of the store, those alone that it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use eosin_core::{
    Backbone, BackboneInfo, Contract, Error, Fingerprint, Progress, Result, RgbImage, Tile,
    TileMeta, TileSource,
};
use eosin_store::{ParquetStore, TileKey};
use eosin_tile::resample::{self, Filter};
use eosin_tile::views::ViewBank;
use serde::{Deserialize, Serialize};

use crate::embed_pipeline::{EmbedPipeline, Embedded, Prepared, caught};
use crate::embed_plan::{EmbedPlan, Planned};
use crate::embed_stats::{Clock, EmbedStats};
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
    /// Whether more than a tenth of the rows that the set has of the source may be replaced, where
    /// its files have changed; without leave that is an error that says how many.
    pub replace: bool,
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
    /// Those of them whose files cannot be read now.
    pub n_unreadable: usize,
    /// Rows of changed files that were replaced.
    pub n_replaced: usize,
    /// The digest under which a tile's rows are, by tile id, where the source does not tell it.
    pub kept_as: BTreeMap<String, String>,
    /// Tiles that could not be read.
    pub skipped: Vec<Skipped>,
    /// Where the time went.
    pub stats: EmbedStats,
}

impl EmbedOutcome {
    /// The key of a source's tile in the set: by its id and what its file holds.
    pub fn key(&self, tile: &TileMeta) -> TileKey {
        let digest = self.kept_as.get(&tile.tile_id).unwrap_or(&tile.source_digest);
        TileKey::new(&tile.tile_id, digest)
    }
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

/// Embeds what the store does not have yet and commits it batch by batch.
///
/// Reading, the engine and writing each have a thread of their own; where one fails or panics, all
/// end, and what was committed stays. A tile whose reading panics is left out as one that cannot be
/// read.
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
    let started = Instant::now();
    options.views.map_or(Ok(()), ViewBank::validate)?;
    let contract = contract(backbone.info(), source, geometry, options.views);
    let fingerprint = contract.fingerprint();
    let filter = filter(backbone.info())?;
    let todo = plan(source, store, &fingerprint, options)?;
    todo.check_replaced(&fingerprint, options.replace)?;
    todo.drop_outdated(store, &fingerprint)?;
    let n_views = options.views.map_or(1, ViewBank::n_stored);
    let n_todo: usize = todo.batches.iter().map(Vec::len).sum();
    progress.start(&format!("embed {}", backbone.info().name), (n_todo * n_views) as u64);
    let input_px = backbone.info().input_px;
    let clocks = [Clock::default(), Clock::default()];
    let prepare = |index: usize| {
        let clocks = [&clocks[0], &clocks[1]];
        let prepared = || prepare(source, index, input_px, filter, options.views, clocks);
        caught(prepared).unwrap_or_else(|panic| {
            let tile = source.tiles()[index].tile_id.clone();
            Err(Skipped { tile, reason: format!("reading it panicked: {panic}") })
        })
    };
    let pipeline = EmbedPipeline {
        batches: &todo.batches,
        prepare: &prepare,
        backbone,
        set: &fingerprint,
        batch_size: options.batch_size,
        commit_rows: todo.commit_rows(PASSES_PER_COMMIT * options.batch_size),
        progress,
    };
    let mut writer = store.superseding_writer(&contract, todo.superseded.clone())?;
    let Embedded { read, engine, write, skipped } = pipeline.run(writer.as_mut())?;
    progress.finish();
    let [decode, resample] = clocks.map(|clock| clock.seconds());
    let n_new = n_todo - skipped.len();
    let stats = EmbedStats {
        seconds: started.elapsed().as_secs_f64(),
        n_rows: n_new * n_views,
        decode_core_seconds: decode,
        resample_core_seconds: resample,
        read,
        engine,
        write,
        flops_per_row: backbone.flops(),
    };
    let tiles = skipped.iter().map(|s| s.tile.as_str()).collect();
    let n_replaced = todo.n_replaced_without(&tiles);
    Ok(EmbedOutcome {
        fingerprint,
        n_new,
        n_kept: todo.n_kept,
        n_unreadable: todo.kept_as.len(),
        n_replaced,
        kept_as: todo.kept_as,
        skipped,
        stats,
    })
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

/// What is left to embed of a source in a set, by its tiles' files and what is committed.
pub fn plan(
    source: &dyn TileSource,
    store: &ParquetStore,
    set: &Fingerprint,
    options: &EmbedOptions,
) -> Result<EmbedPlan> {
    Ok(EmbedPlan::new(&Planned {
        tiles: source.tiles(),
        only: options.only,
        n_views: options.views.map_or(1, ViewBank::n_stored) as u16,
        batch_size: options.batch_size,
        committed: &store.committed(set)?,
    }))
}

fn prepare(
    source: &dyn TileSource,
    index: usize,
    input_px: u32,
    filter: Filter,
    views: Option<&ViewBank>,
    [decoding, resampling]: [&Clock; 2],
) -> Prepared {
    let skipped = |error: Error| Skipped {
        tile: source.tiles()[index].tile_id.clone(),
        reason: error.to_string(),
    };
    let tile = decoding.time(|| source.read(index)).map_err(skipped)?;
    let fit = |image: &RgbImage| {
        let image = resample::resize(image, input_px, input_px, filter);
        Tile { meta: tile.meta.clone(), image }
    };
    resampling.time(|| match views {
        None => Ok(vec![fit(&tile.image)]),
        Some(bank) => Ok(bank.stored_views().map(|view| fit(&bank.apply(&tile, view))).collect()),
    })
}

fn filter(info: &BackboneInfo) -> Result<Filter> {
    info.resampling.parse()
}
