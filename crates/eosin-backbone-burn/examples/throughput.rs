// SPDX-License-Identifier: MIT OR Apache-2.0

//! Prints tiles per second: `throughput CARD ENGINE BATCH…`, where CARD is a built-in name or a
//! file, with random weights where the card names none.

use std::path::Path;
use std::time::Instant;

use eosin_backbone::{EngineOptions, LoadOptions, builtin_card, read_card};
use eosin_backbone_burn::load;
use eosin_core::{Result, RgbImage, Tile, TileBatch, TileMeta, WeightsSource};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [card, engine, batches @ ..] = arguments.as_slice() else {
        eprintln!("usage: throughput CARD ENGINE BATCH…");
        return Ok(());
    };
    let is_file = Path::new(card).extension().is_some();
    let mut card = if is_file { read_card(Path::new(card))? } else { builtin_card(card)? };
    if let WeightsSource::File { file: None, .. } | WeightsSource::Hub { .. } = card.weights {
        card.weights = WeightsSource::Random { seed: 1 };
    }
    let engine = EngineOptions { engine: engine.clone(), device: None };
    let backbone = load(&card, &LoadOptions { engine, ..LoadOptions::default() })?;
    for n_tiles in batches.iter().filter_map(|b| b.parse().ok()) {
        let batch = blank_batch(card.input_px, n_tiles)?;
        backbone.embed(&batch)?;
        // The best of some repeats: anything else on the machine only slows.
        let (start, mut best) = (Instant::now(), f64::INFINITY);
        while start.elapsed().as_secs_f64() < 5.0 {
            let one = Instant::now();
            backbone.embed(&batch)?;
            best = best.min(one.elapsed().as_secs_f64());
        }
        let rate = n_tiles as f64 / best;
        println!("{} {} batch {n_tiles}: {rate:.1} tiles/s", card.name, backbone.info().engine);
    }
    Ok(())
}

fn blank_batch(px: u32, n_tiles: usize) -> Result<TileBatch> {
    let mut batch = TileBatch::new(px);
    for number in 0..n_tiles {
        let meta = TileMeta::named(number.to_string(), px);
        let data = (0..px * px * 3).map(|i| (i * 7 + number as u32 * 31) as u8).collect();
        batch.push(Tile { meta, image: RgbImage::new(px, px, data)? })?;
    }
    Ok(batch)
}
