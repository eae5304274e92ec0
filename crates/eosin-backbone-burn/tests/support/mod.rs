// SPDX-License-Identifier: MIT OR Apache-2.0

pub mod checkpoint;

use std::path::{Path, PathBuf};

use eosin_backbone::{EngineOptions, LoadOptions, builtin_card, read_card};
use eosin_backbone_burn::{ENGINES, load};
use eosin_core::{
    Backbone, Card, Error, Matrix, RgbImage, Tile, TileBatch, TileMeta, WeightsSource,
};

/// The tile of `tests/golden/backbone/tiles.py`.
pub fn synthetic_tile(number: i64, px: i64) -> RgbImage {
    let mut data = Vec::new();
    for y in 0..px {
        for x in 0..px {
            for c in 0..3 {
                let half = px / 2;
                let value = if number % 2 == 0 {
                    (x * (3 + number) + y * (5 + 2 * c)) ^ ((x * y * (number + 1)) >> (4 + c))
                } else {
                    (128 + (((x - half) * (y - half) * (c + 1) * number) >> 7)).clamp(0, 255)
                };
                data.push((value & 255) as u8);
            }
        }
    }
    RgbImage::new(px as u32, px as u32, data).unwrap()
}

/// A batch of the given synthetic tiles.
pub fn batch(numbers: impl IntoIterator<Item = i64>, px: u32) -> TileBatch {
    let mut batch = TileBatch::new(px);
    for number in numbers {
        batch.push(tile(number, synthetic_tile(number, i64::from(px)))).unwrap();
    }
    batch
}

pub fn tile(number: i64, image: RgbImage) -> Tile {
    Tile { meta: TileMeta::named(format!("t{number}"), image.width()), image }
}

pub fn backbone(card: &str, engine: &str) -> Box<dyn Backbone> {
    load(&builtin_card(card).unwrap(), &options(engine)).unwrap()
}

/// The built-in card of this name, or one made for tests, with random weights.
pub fn random_card(name: &str, seed: u64) -> Card {
    let test_card = root().join(format!("tests/golden/backbone/cards/{name}.toml"));
    let card = if test_card.exists() { read_card(&test_card) } else { builtin_card(name) };
    Card { weights: WeightsSource::Random { seed }, ..card.unwrap() }
}

/// The network on an engine; none where `native` lacks its family.
pub fn network_on(card: &Card, engine: &str) -> Option<Box<dyn Backbone>> {
    match load(card, &options(engine)) {
        Err(Error::Unsupported { .. }) if engine == "native" => None,
        network => Some(network.unwrap()),
    }
}

pub fn options(engine: &str) -> LoadOptions {
    let engine = EngineOptions { engine: engine.into(), device: None };
    LoadOptions { engine, ..LoadOptions::default() }
}

/// The engines of this build that need no device, and those that `EOSIN_TEST_ENGINES` names,
/// separated by commas.
pub fn engines() -> Vec<&'static str> {
    let mut engines = vec!["native"];
    engines.extend(cfg!(feature = "flex").then_some("flex"));
    let named = std::env::var("EOSIN_TEST_ENGINES").unwrap_or_default();
    engines.extend(ENGINES.into_iter().filter(|engine| named.split(',').any(|n| n == *engine)));
    engines
}

/// The file of a card of the program.
pub fn card_file(name: &str) -> PathBuf {
    root().join(format!("crates/eosin-backbone/cards/{name}.toml"))
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Cosine similarity of two vectors.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// ‖a − b‖ / ‖b‖.
pub fn relative_norm(a: &[f32], b: &[f32]) -> f64 {
    let square = |v: f32| f64::from(v).powi(2);
    let difference: f64 = a.iter().zip(b).map(|(&x, &y)| square(x - y)).sum();
    (difference / b.iter().map(|&v| square(v)).sum::<f64>()).sqrt()
}

/// max |a − b| / max |b|.
pub fn relative_max(a: &[f32], b: &[f32]) -> f64 {
    let largest =
        |values: &mut dyn Iterator<Item = f32>| values.fold(0.0_f32, |m, v| m.max(v.abs()));
    let difference = largest(&mut a.iter().zip(b).map(|(&x, &y)| x - y));
    f64::from(difference) / f64::from(largest(&mut b.iter().copied()))
}

/// The largest relative norm of the difference of two matrices' rows.
pub fn worst_row(a: &Matrix, b: &Matrix) -> f64 {
    assert_eq!((a.n_rows(), a.n_cols()), (b.n_rows(), b.n_cols()));
    a.rows().zip(b.rows()).map(|(a, b)| relative_norm(a, b)).fold(0.0, f64::max)
}

/// Rows of a golden JSON file in `tests/golden/backbone`.
pub fn golden(file: &str) -> Vec<Vec<f32>> {
    rows_of(&root().join("tests/golden/backbone").join(file))
}

/// Rows of the golden file that `eosin doctor` compares with.
pub fn golden_of_the_embedded() -> Vec<Vec<f32>> {
    rows_of(&root().join("crates/eosin-backbone/assets/efficientnet-lite0.golden.json"))
}

fn rows_of(path: &Path) -> Vec<Vec<f32>> {
    let text = std::fs::read_to_string(path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(value["embeddings"].clone()).unwrap()
}
