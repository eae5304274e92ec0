// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use eosin::crates::core::{Backbone, NoProgress, TileBatch, TileSource, TileUm};
use eosin::crates::store::{ParquetStore, TileKey};
use eosin::crates::tile::{SlideSource, TilingOptions};
use eosin::{EmbedOptions, EmbedStats, Geometry};

use crate::Options;
use crate::networks::{Network, PX, batches, load};
use crate::peer::Peer;
use crate::table::{Figures, Measurement, Series};

const BATCH: usize = 32;
const THREADS: usize = 2;
/// Readers of the peer, as many as the cores.
const WORKERS: usize = 2;

/// Sides of the slides, so that a run takes about ten seconds.
const SIDES: [(&str, usize); 5] =
    [("lite0", 8_000), ("resnet50", 4_000), ("vit-s", 4_000), ("vit-b", 2_000), ("vit-l", 1_200)];

/// Tiles per second from a JPEG slide to a committed store, against the engine alone on the same
/// tiles and against a pipeline of Python libraries.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    // The reader's threads are not the pool's, so the process's own pool is used.
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;
    let scratch = tempfile::tempdir()?;
    let tissue = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/cmu-1-small-region.svs");
    let default = ["lite0".to_string(), "vit-s".to_string()];
    let keys = if options.models.is_empty() { &default } else { options.models.as_slice() };
    let mut figures = Figures::default();
    for network in Network::chosen(keys, options.large)? {
        let side = SIDES.iter().find(|(key, _)| *key == network.key).map_or(4_000, |(_, s)| *s);
        let side = if options.quick { side / 2 } else { side };
        let slide = scratch.path().join(format!("{side}.tiff"));
        let mut peer = Peer::start(&options.python, &options.peer, THREADS)?;
        if !slide.exists() {
            peer.ask(&serde_json::json!({"make": slide, "side": side, "tissue": tissue}))?;
        }
        let weights = network.write_weights(scratch.path())?;
        let card = network.card()?;
        let backbone = load(&card, "native", &weights)?;
        let tiles = decoded(&slide)?;
        let request = serde_json::json!({
            "slide": slide, "px": PX, "batch": BATCH, "workers": WORKERS,
            "out": scratch.path().join("out.h5"), "weights": weights, "timm": network.timm,
            "arguments": serde_json::from_str::<serde_json::Value>(network.arguments)?,
            "onnx": weights.with_extension("onnx"), "mean": card.mean, "std": card.std,
            "torch": true,
        });
        let case = format!("{} on a {side} × {side} JPEG pyramid to a store", network.name);
        let version = env!("CARGO_PKG_VERSION");
        for repeat in 0..=options.repeats {
            let ours =
                to_store(&slide, backbone.as_ref(), &scratch.path().join(repeat.to_string()))?;
            let alone = alone(backbone.as_ref(), &tiles)?;
            let answers = peer.ask(&request)?;
            // The first round fills the page cache and checks that all read the same tiles.
            if repeat == 0 {
                eprintln!("{case}: {}", waits(&ours.stats));
                for answer in &answers {
                    let [n_rows, rows @ ..] = answer.check.as_slice() else { continue };
                    ensure!(
                        *n_rows as usize == ours.n_rows,
                        "{} read {n_rows} tiles",
                        answer.system
                    );
                    check_equal(&ours.first, rows)?;
                }
                continue;
            }
            let mut add = |system: &str, version: &str, seconds: f64| {
                let series = Series {
                    case: case.clone(),
                    threads: THREADS,
                    system: system.into(),
                    version: version.into(),
                    unit: "tiles/s".into(),
                    higher_is_better: true,
                };
                figures.add(series, ours.n_rows as f64 / seconds);
            };
            add("eosin", version, ours.seconds);
            add("eosin-engine-alone", version, alone);
            for answer in &answers {
                add(&answer.system, &answer.version, answer.seconds);
            }
        }
    }
    Ok(figures.into_measurements())
}

struct Run {
    seconds: f64,
    n_rows: usize,
    /// The first embeddings, to compare with the peer's.
    first: Vec<f32>,
    stats: EmbedStats,
}

fn tiling() -> Result<TilingOptions> {
    Ok(TilingOptions::new(TileUm::new(f64::from(PX) * 0.5)?, PX))
}

fn to_store(slide: &Path, backbone: &dyn Backbone, folder: &Path) -> Result<Run> {
    let started = Instant::now();
    let tiling = tiling()?;
    let source = SlideSource::open(slide, &tiling)?;
    let geometry = Geometry {
        tile_um: Some(tiling.tile_um.get()),
        tile_px: tiling.tile_px,
        mpp_policy: tiling.mpp_policy(),
    };
    let store = ParquetStore::open(folder)?;
    let options = EmbedOptions { batch_size: BATCH, views: None, only: None, replace: false };
    let outcome = eosin::embed(&source, &geometry, backbone, &store, &options, &NoProgress)?;
    let seconds = started.elapsed().as_secs_f64();
    let ids: Vec<TileKey> = source.tiles().iter().take(4).map(TileKey::of).collect();
    let first = store.read_tiles(&outcome.fingerprint, &ids)?.embeddings.values().to_vec();
    let n_rows = store.committed(&outcome.fingerprint)?.len();
    ensure!(n_rows == source.tiles().len(), "{n_rows} of {} tiles", source.tiles().len());
    Ok(Run { seconds, n_rows, first, stats: outcome.stats })
}

/// Every tile of the slide, in batches.
fn decoded(slide: &Path) -> Result<Vec<TileBatch>> {
    let source = SlideSource::open(slide, &tiling()?)?;
    let mut pixels = Vec::new();
    for i in 0..source.tiles().len() {
        pixels.extend_from_slice(source.read(i)?.image.data());
    }
    batches(&pixels, BATCH)
}

fn alone(backbone: &dyn Backbone, tiles: &[TileBatch]) -> Result<f64> {
    let started = Instant::now();
    for batch in tiles {
        backbone.embed(batch)?;
    }
    Ok(started.elapsed().as_secs_f64())
}

fn waits(stats: &EmbedStats) -> String {
    format!(
        "read {:.2} s and waited {:.2}, engine {:.2} and waited {:.2}, wrote {:.2} and waited \
         {:.2}; core seconds: {:.2} decoding, {:.2} resampling",
        stats.read.work,
        stats.read.waiting,
        stats.engine.work,
        stats.engine.waiting,
        stats.write.work,
        stats.write.waiting,
        stats.decode_core_seconds,
        stats.resample_core_seconds
    )
}

/// The JPEG decoders differ by some units, so embeddings are near, not equal.
fn check_equal(ours: &[f32], theirs: &[f64]) -> Result<()> {
    let ours: Vec<f64> = ours.iter().map(|&v| f64::from(v)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(&ours, theirs) / (dot(&ours, &ours) * dot(theirs, theirs)).sqrt();
    ensure!(
        ours.len() == theirs.len() && cosine > 0.99,
        "the peer embedded something else: {cosine}"
    );
    Ok(())
}
