// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Backbone, Matrix, RgbImage, Tile, TileBatch, TileMeta};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{must, on_another_thread};

const N_TILES: usize = 5;

/// Batches may be rounded differently, by so much of the largest value of a row.
const TOLERANCE: f32 = 1e-3;

/// Checks a backbone on five tiles of its own input size.
///
/// # Panics
///
/// When a duty of [`Backbone`] is broken.
pub fn backbone(backbone: &dyn Backbone) {
    let info = backbone.info();
    assert!(!info.name.is_empty(), "info: expected a name, found an empty string");
    assert!(!info.weights_sha256.is_empty(), "info: expected the origin of the weights");
    assert!(info.dim > 0, "info: expected a length of the embedding above 0");
    assert!(info.input_px > 0, "info: expected an input side above 0");
    assert!(
        info.std.iter().all(|s| *s > 0.0 && s.is_finite()),
        "info: expected standard deviations above 0, found {:?}",
        info.std
    );

    let tiles = tiles(info.input_px);
    let all = embed(backbone, &tiles, "a batch of five");
    no_two_tiles_alike(&all);
    assert!(
        bits(&all) == bits(&embed(backbone, &tiles, "a batch of five")),
        "determinism: expected the same bytes for the same batch, found others"
    );

    let reversed: Vec<Tile> = tiles.iter().rev().cloned().collect();
    let backwards = embed(backbone, &reversed, "the batch reversed");
    for i in 0..N_TILES {
        assert_close(all.row(i), backwards.row(N_TILES - 1 - i), "row order", i);
    }
    for size in [1, 2] {
        let mut joined = Matrix::default();
        for part in tiles.chunks(size) {
            must("row width", joined.append(&embed(backbone, part, "a part of the batch")));
        }
        for i in 0..N_TILES {
            assert_close(all.row(i), joined.row(i), "batch-size invariance", i);
        }
    }

    let renamed: Vec<Tile> = tiles.iter().map(renamed).collect();
    assert!(
        bits(&all) == bits(&embed(backbone, &renamed, "the batch under other names")),
        "pixels alone: expected the same bytes under other tile names, found others"
    );
    on_another_thread(|| {
        let found = embed(backbone, &tiles, "a batch on another thread");
        for i in 0..N_TILES {
            assert_close(all.row(i), found.row(i), "any thread", i);
        }
    });
    let none = embed(backbone, &[], "an empty batch");
    assert!(none.n_rows() == 0, "an empty batch: expected no rows, found {}", none.n_rows());
}

fn embed(backbone: &dyn Backbone, tiles: &[Tile], what: &str) -> Matrix {
    let mut batch = TileBatch::new(backbone.info().input_px);
    for tile in tiles {
        must("tiles of the input size", batch.push(tile.clone()));
    }
    let found = must(what, backbone.embed(&batch));
    let dim = backbone.info().dim as usize;
    assert!(
        found.n_rows() == tiles.len() && (found.n_cols() == dim || tiles.is_empty()),
        "{what}: expected {} × {dim}, found {} × {}",
        tiles.len(),
        found.n_rows(),
        found.n_cols()
    );
    assert!(
        found.first_bad_row().is_none(),
        "{what}: expected finite values, found NaN or infinity in row {:?}",
        found.first_bad_row()
    );
    found
}

fn no_two_tiles_alike(all: &Matrix) {
    for i in 0..N_TILES {
        for j in 0..i {
            assert!(
                !close(all.row(i), all.row(j)),
                "different tiles: expected different rows, found rows {j} and {i} alike"
            );
        }
    }
}

fn assert_close(a: &[f32], b: &[f32], duty: &str, row: usize) {
    assert!(
        close(a, b),
        "{duty}: expected row {row} within {TOLERANCE} of its largest value, found a largest \
         difference of {:e}",
        largest_difference(a, b)
    );
}

fn close(a: &[f32], b: &[f32]) -> bool {
    let scale = a.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    largest_difference(a, b) <= TOLERANCE * scale
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |m, (x, y)| m.max((x - y).abs()))
}

fn bits(m: &Matrix) -> Vec<u32> {
    m.values().iter().map(|v| v.to_bits()).collect()
}

/// Tiles of clearly different colour and texture, so that rows cannot be mistaken.
fn tiles(px: u32) -> Vec<Tile> {
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    (0..N_TILES)
        .map(|t| {
            let colour: [u8; 3] = rng.random();
            let period = 3 + 4 * t as u32;
            let mut image = RgbImage::filled(px, px, colour);
            for (at, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
                let (x, y) = (at as u32 % px, at as u32 / px);
                if (x / period + y / period).is_multiple_of(2) {
                    pixel.copy_from_slice(&[255 - colour[0], colour[2], 40 * t as u8]);
                }
                for v in pixel {
                    *v = v.saturating_add(rng.random_range(0..24));
                }
            }
            Tile { meta: meta(&format!("tile-{t}"), px), image }
        })
        .collect()
}

fn meta(tile_id: &str, px: u32) -> TileMeta {
    TileMeta {
        tile_id: tile_id.into(),
        slide: "slide".into(),
        group: "group".into(),
        centre: None,
        scanner: None,
        x: 0,
        y: 0,
        size_level0_px: px,
        requested_mpp: None,
        effective_mpp: None,
        tissue_fraction: 1.0,
        source: String::new(),
        source_digest: "synthetic".into(),
    }
}

fn renamed(tile: &Tile) -> Tile {
    let meta = TileMeta {
        tile_id: format!("other-{}", tile.meta.tile_id),
        slide: "another".into(),
        x: 4096,
        ..tile.meta.clone()
    };
    Tile { meta, image: tile.image.clone() }
}
