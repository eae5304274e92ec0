// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use eosin::crates::core::{Tile, TileSource, TileUm};
use eosin::crates::tile::{PipelineOptions, SlideSource, TilingOptions, for_each_tile};

use crate::Options;
use crate::peer::Peer;
use crate::table::{Figures, Measurement, Series};

const PX: u32 = 224;

/// Tiles after which memory is looked at.
const LOOK_AFTER: usize = 256;

/// A grid of 224 px over a JPEG pyramid of 256 px pieces that real tissue fills, in raster order:
/// once cut at the slide's own resolution and once resampled by 1.1.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    let side = if options.quick { 4_000 } else { 20_000 };
    let scratch = tempfile::tempdir()?;
    let slide = scratch.path().join("slide.tiff");
    let tissue = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/cmu-1-small-region.svs");
    let mut figures = Figures::default();
    for threads in [1, 2] {
        let mut peer = Peer::start(&options.python, &options.peer, threads)?;
        if !slide.exists() {
            peer.ask(&serde_json::json!({"make": slide, "side": side, "tissue": tissue}))?;
        }
        for (name, scale) in [("cut", 1.0), ("resampled by 1.1", 1.1)] {
            let case = format!("{PX} px {name}, {side} × {side} JPEG pyramid");
            for repeat in 0..=options.repeats {
                let ours = read_all(&slide, scale, threads)?;
                let request = serde_json::json!({"slide": slide, "px": PX, "scale": scale});
                let answers = peer.ask(&request)?;
                let version = env!("CARGO_PKG_VERSION").to_string();
                let mut taken =
                    vec![("eosin".to_string(), version, ours.seconds, ours.n_tiles, ours.anon_mb)];
                for answer in answers {
                    let [n_tiles, mb, means @ ..] = answer.check.as_slice() else {
                        anyhow::bail!("{} did not count its tiles", answer.system)
                    };
                    check_equal(&ours.means, means, &answer.system)?;
                    ensure!(
                        (n_tiles - ours.n_tiles).abs() < 0.5,
                        "{} read {n_tiles} tiles",
                        answer.system
                    );
                    taken.push((answer.system, answer.version, answer.seconds, *n_tiles, *mb));
                }
                // The first round fills the page cache.
                for (system, version, seconds, n_tiles, mb) in taken {
                    if repeat == 0 {
                        continue;
                    }
                    let series = |unit: &str, higher_is_better, case: String| Series {
                        case,
                        threads,
                        system: system.clone(),
                        version: version.clone(),
                        unit: unit.into(),
                        higher_is_better,
                    };
                    figures.add(series("tiles/s", true, case.clone()), n_tiles / seconds);
                    figures.add(series("MB", false, format!("memory of {case}")), mb);
                }
            }
        }
    }
    Ok(figures.into_measurements())
}

struct Reading {
    seconds: f64,
    n_tiles: f64,
    /// Mean intensity of the first tiles, to compare with the peers'.
    means: Vec<f64>,
    /// Anonymous memory at its largest; mapped file pages are the system's to drop.
    anon_mb: f64,
}

fn read_all(slide: &Path, scale: f64, threads: usize) -> Result<Reading> {
    let tile_um = TileUm::new(f64::from(PX) * 0.5 * scale)?;
    let started = Instant::now();
    let source = SlideSource::open(slide, &TilingOptions::new(tile_um, PX))?;
    let indices: Vec<usize> = (0..source.tiles().len()).collect();
    let (mut means, mut anon_mb) = (Vec::new(), 0.0_f64);
    let pipeline = PipelineOptions { threads, ..PipelineOptions::default() };
    let sum = |tile: Tile| Ok(tile.image.data().iter().map(|&v| u64::from(v)).sum::<u64>());
    for_each_tile(&source, &indices, pipeline, sum, |i, sum| {
        means.push(sum? as f64 / f64::from(PX * PX * 3));
        if i % LOOK_AFTER == LOOK_AFTER - 1 {
            anon_mb = anon_mb.max(anonymous_mb());
        }
        Ok(())
    })?;
    let seconds = started.elapsed().as_secs_f64();
    anon_mb = anon_mb.max(anonymous_mb());
    Ok(Reading { seconds, n_tiles: indices.len() as f64, means, anon_mb })
}

/// Not a number where the system does not tell.
fn anonymous_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kb| kb.parse().ok());
    kb.map_or(f64::NAN, |kb: f64| kb / 1024.0)
}

fn check_equal(ours: &[f64], theirs: &[f64], system: &str) -> Result<()> {
    let difference = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    ensure!(!theirs.is_empty() && difference < 1.0, "{system} read other pixels: {difference}");
    Ok(())
}
