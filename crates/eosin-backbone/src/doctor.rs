// SPDX-License-Identifier: MIT OR Apache-2.0

use std::time::Instant;

use eosin_core::{Backbone, Card, Error, Matrix, Result, RgbImage, Tile, TileBatch, TileMeta};

/// How one engine did with one backbone.
#[derive(Debug)]
pub struct EngineCheck {
    /// Name of the engine.
    pub engine: String,
    /// What was found, or why the engine does not run; the error's hint says what to do.
    pub outcome: Result<EngineReport>,
}

/// An engine's figures on the golden tiles.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineReport {
    /// Engine and device.
    pub device: String,
    /// What the embeddings were compared with: the golden vectors, or the first engine that ran.
    pub reference: String,
    /// Smallest cosine over the tiles.
    pub cosine: f64,
    /// Largest difference over the largest value of the reference.
    pub max_difference: f64,
    /// Tiles embedded per second, in a batch of eight.
    pub tiles_per_second: f64,
    /// Bytes by which the process grew in main memory; none where the system does not tell.
    pub memory: Option<u64>,
    /// Whether the embeddings agree: cosine at least 0.999 and difference at most 0.01, which
    /// half-precision engines reach and a wrong layer does not.
    pub agrees: bool,
}

/// Number of golden tiles.
pub(crate) const N_TILES: i64 = 4;
/// Embeddings of the golden tiles by onnxruntime, made by `tests/golden/backbone/efficientnet_lite0.py`.
const EFFICIENTNET_LITE0: &str = include_str!("../assets/efficientnet-lite0.golden.json");

/// Runs the golden tiles through a card's backbone on the engines named and compares.
///
/// The embedded backbone is compared with golden vectors, a card in another precision than f32
/// with f32, and any other with the first engine that runs it. `open` opens the card on an engine
/// by its name, and in f32 on engine `auto`, where that is what it is compared with.
pub fn doctor_with(
    card: &Card,
    engines: &[&str],
    open: impl Fn(&Card, &str) -> Result<Box<dyn Backbone>>,
) -> Vec<EngineCheck> {
    let mut reference = golden(card).or_else(|| {
        let exact = Card { precision: "f32".into(), ..card.clone() };
        let backbone = (card.precision != "f32").then(|| open(&exact, "auto").ok())??;
        let rows = backbone.embed(&golden_tiles(card.input_px, N_TILES).ok()?).ok()?;
        Some((format!("f32 on {}", backbone.info().engine), rows))
    });
    let check = |engine: &&str| {
        let before = resident_bytes();
        let opened = open(card, engine);
        let outcome = opened.and_then(|b| check(card, b.as_ref(), before, &mut reference));
        EngineCheck { engine: (*engine).to_string(), outcome }
    };
    engines.iter().map(check).collect()
}

type Reference = Option<(String, Matrix)>;

fn golden(card: &Card) -> Reference {
    #[derive(serde::Deserialize)]
    struct Golden {
        origin: String,
        embeddings: Vec<Vec<f32>>,
    }
    if card.name != "efficientnet-lite0" {
        return None;
    }
    let golden: Golden = serde_json::from_str(EFFICIENTNET_LITE0).ok()?;
    let origin = golden.origin.split(',').next().unwrap_or_default();
    Some((format!("golden vectors of {origin}"), Matrix::from_rows(&golden.embeddings).ok()?))
}

fn check(
    card: &Card,
    backbone: &dyn Backbone,
    before: Option<u64>,
    reference: &mut Reference,
) -> Result<EngineReport> {
    let found = backbone.embed(&golden_tiles(card.input_px, N_TILES)?)?;
    if let Some(row) = found.first_bad_row() {
        return Err(Error::data(
            &card.name,
            "finite embeddings",
            format!("NaN or infinity in the embedding of golden tile {row}"),
            "try another engine; if that is sound, this engine or its driver is not",
        ));
    }
    let batch = golden_tiles(card.input_px, 8)?;
    let start = Instant::now();
    backbone.embed(&batch)?;
    let tiles_per_second = 8.0 / start.elapsed().as_secs_f64().max(1e-9);
    let memory = resident_bytes().zip(before).map(|(now, before)| now.saturating_sub(before));
    let device = backbone.info().engine.clone();
    let (name, expected) = reference.get_or_insert_with(|| (device.clone(), found.clone()));
    let rows = || found.rows().zip(expected.rows());
    let cosine = rows().map(|(a, b)| cosine(a, b)).fold(1.0, f64::min);
    let max_difference = rows().map(|(a, b)| relative_difference(a, b)).fold(0.0, f64::max);
    Ok(EngineReport {
        device,
        reference: name.clone(),
        cosine,
        max_difference,
        tiles_per_second,
        memory,
        agrees: cosine >= 0.999 && max_difference <= 0.01,
    })
}

/// The tiles of `tests/golden/backbone/tiles.py`: textures and smooth fields in turn.
pub(crate) fn golden_tiles(px: u32, n_tiles: i64) -> Result<TileBatch> {
    let mut batch = TileBatch::new(px);
    let side = i64::from(px);
    for number in 0..n_tiles {
        let mut data = Vec::with_capacity((side * side * 3) as usize);
        for (y, x) in (0..side * side).map(|i| (i / side, i % side)) {
            for c in 0..3 {
                let value = if number % 2 == 0 {
                    (x * (3 + number) + y * (5 + 2 * c)) ^ ((x * y * (number + 1)) >> (4 + c))
                } else {
                    let product = (x - side / 2) * (y - side / 2) * (c + 1) * number;
                    (128 + (product >> 7)).clamp(0, 255)
                };
                data.push((value & 255) as u8);
            }
        }
        let meta = TileMeta::named(format!("golden-{number}"), px);
        batch.push(Tile { meta, image: RgbImage::new(px, px, data)? })?;
    }
    Ok(batch)
}

/// The process's part of main memory, where Linux tells it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
}

fn relative_difference(a: &[f32], b: &[f32]) -> f64 {
    let largest = b.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let difference = a.iter().zip(b).fold(0.0_f32, |m, (x, y)| m.max((x - y).abs()));
    f64::from(difference / largest)
}
