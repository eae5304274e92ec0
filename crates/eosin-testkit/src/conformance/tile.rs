// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashSet;

use eosin_core::{Tile, TileSource};

use super::{must, on_another_thread};

/// At most so many tiles are read, evenly over the source.
const READ_AT_MOST: usize = 48;

/// Checks a source that has at least two sound tiles.
///
/// # Panics
///
/// When a duty of [`TileSource`] is broken.
pub fn tile_source(source: &dyn TileSource) {
    assert!(!source.kind().is_empty(), "kind: expected a name, found an empty string");
    assert!(
        !source.reader_version().is_empty(),
        "reader version: expected a version, found an empty string"
    );
    plan_is_sound(source);
    reading_keeps_index_and_pixels(source);
}

fn plan_is_sound(source: &dyn TileSource) {
    let tiles = source.tiles();
    assert!(tiles.len() >= 2, "plan: expected at least two tiles to test, found {}", tiles.len());
    assert!(tiles == source.tiles(), "plan: expected the same tiles at every call");
    let mut ids = HashSet::new();
    for meta in tiles {
        let id = &meta.tile_id;
        assert!(ids.insert(id), "tile ids: expected each once, found {id} twice");
        assert!(!id.is_empty(), "tile ids: expected a name, found an empty string");
        assert!(!meta.slide.is_empty(), "tile {id}: expected a slide, found an empty string");
        assert!(!meta.group.is_empty(), "tile {id}: expected a group, found an empty string");
        assert!(
            !meta.source_digest.is_empty(),
            "tile {id}: expected a digest of its file, found an empty string"
        );
        assert!(
            (0.0..=1.0).contains(&meta.tissue_fraction),
            "tile {id}: expected a tissue fraction from 0 to 1, found {}",
            meta.tissue_fraction
        );
    }
}

fn reading_keeps_index_and_pixels(source: &dyn TileSource) {
    let n = source.tiles().len();
    let stride = n.div_ceil(READ_AT_MOST);
    let indices: Vec<usize> = (0..n).step_by(stride).collect();
    let forward: Vec<Tile> = indices.iter().map(|&i| read(source, i)).collect();
    for (&i, tile) in indices.iter().zip(&forward) {
        assert!(
            tile.meta == source.tiles()[i],
            "read({i}): expected the tile planned there, {}, found {}",
            source.tiles()[i].tile_id,
            tile.meta.tile_id
        );
        let (w, h) = (tile.image.width(), tile.image.height());
        assert!(w > 0 && h > 0, "read({i}): expected pixels, found {w} × {h}");
    }
    // Backwards, so that a cache or a cursor that leans on the order is found out.
    for (&i, tile) in indices.iter().zip(&forward).rev() {
        assert!(
            read(source, i).image == tile.image,
            "read({i}): expected the same pixels in any order of reading, found others"
        );
    }
    on_another_thread(|| {
        for (&i, tile) in indices.iter().zip(&forward).skip(1) {
            assert!(
                read(source, i).image == tile.image,
                "read({i}): expected the same pixels on any thread, found others"
            );
        }
    });
}

fn read(source: &dyn TileSource, index: usize) -> Tile {
    must(&format!("read({index})"), source.read(index))
}
