// SPDX-License-Identifier: MIT OR Apache-2.0

use std::time::Instant;

use anyhow::{Result, ensure};
use eosin::crates::backbone::{self, Card, EngineOptions, LoadOptions};
use eosin::crates::core::{Backbone, RgbImage, Tile, TileBatch, TileMeta};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Options;
use crate::peer::Peer;
use crate::table::{Figures, Measurement, Series};

const BACKBONE: &str = "efficientnet-lite0";
const PX: u32 = 224;

/// Images per second of every engine of this build and of onnxruntime, on the same weights.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    let n_tiles = if options.quick { 16 } else { 64 };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let pixels: Vec<u8> = (0..n_tiles * (PX * PX * 3) as usize).map(|_| rng.random()).collect();
    let scratch = tempfile::tempdir()?;
    let tiles = scratch.path().join("tiles.u8");
    std::fs::write(&tiles, &pixels)?;
    let weights = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/eosin-backbone/assets/efficientnet-lite0.f16.safetensors"
    );
    let card = Card::builtin(BACKBONE)?;
    let mut figures = Figures::default();
    for threads in [1, 2] {
        let mut peer = Peer::start(&options.python, &options.peer, threads)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let engines = ["native", "flex"].map(|engine| {
            let engine = EngineOptions { engine: engine.into(), device: 0 };
            backbone::load(&card, &LoadOptions { engine, ..LoadOptions::default() })
        });
        for batch in if options.quick { vec![8] } else { vec![1, 8, 32] } {
            let batches = batches(&pixels, batch)?;
            let case = format!("{BACKBONE} {PX} px, batch {batch}");
            for repeat in 0..=options.repeats {
                let request =
                    serde_json::json!({"weights": weights, "tiles": tiles, "batch": batch});
                let mut taken = Vec::new();
                for (name, engine) in ["eosin", "eosin-flex"].iter().zip(&engines) {
                    let engine = engine.as_ref().map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
                    let (seconds, first) = pool.install(|| embed(engine.as_ref(), &batches))?;
                    let version = env!("CARGO_PKG_VERSION").to_string();
                    taken.push(((*name).to_string(), version, seconds, first));
                }
                for answer in peer.ask(&request)? {
                    taken.push((answer.system, answer.version, answer.seconds, answer.check));
                }
                // The first round warms caches and checks that all computed the same.
                if repeat == 0 {
                    for other in &taken[1..] {
                        check_equal(&taken[0].3, &other.3, &other.0)?;
                    }
                    continue;
                }
                for (system, version, seconds, _) in taken {
                    let series = Series {
                        case: case.clone(),
                        threads,
                        system,
                        version,
                        unit: "tiles/s".into(),
                        higher_is_better: true,
                    };
                    figures.add(series, n_tiles as f64 / seconds);
                }
            }
        }
    }
    Ok(figures.into_measurements())
}

fn embed(backbone: &dyn Backbone, batches: &[TileBatch]) -> Result<(f64, Vec<f64>)> {
    let started = Instant::now();
    let mut first = Vec::new();
    for batch in batches {
        let rows = backbone.embed(batch)?;
        if first.is_empty() {
            first = rows.row(0).iter().map(|&v| f64::from(v)).collect();
        }
    }
    Ok((started.elapsed().as_secs_f64(), first))
}

fn batches(pixels: &[u8], size: usize) -> Result<Vec<TileBatch>> {
    let tiles: Vec<&[u8]> = pixels.chunks((PX * PX * 3) as usize).collect();
    tiles
        .chunks(size)
        .map(|chunk| {
            let mut batch = TileBatch::new(PX);
            for tile in chunk {
                batch.push(Tile {
                    meta: blank_meta(),
                    image: RgbImage::new(PX, PX, tile.to_vec())?,
                })?;
            }
            Ok(batch)
        })
        .collect()
}

fn blank_meta() -> TileMeta {
    TileMeta {
        tile_id: String::new(),
        slide: String::new(),
        group: String::new(),
        centre: None,
        scanner: None,
        x: 0,
        y: 0,
        size_level0_px: PX,
        requested_mpp: None,
        effective_mpp: None,
        tissue_fraction: 1.0,
        source_digest: String::new(),
    }
}

fn check_equal(ours: &[f64], theirs: &[f64], system: &str) -> Result<()> {
    let largest = ours.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let difference =
        ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest;
    eprintln!("{system}: largest difference {difference:.1e} of the largest value");
    ensure!(ours.len() == theirs.len() && difference < 1e-3, "{system} computed something else");
    Ok(())
}
