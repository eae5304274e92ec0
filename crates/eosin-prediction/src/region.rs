// SPDX-License-Identifier: MIT OR Apache-2.0

//! The union of tiles as polygons: a sweep from the top over the rows in which no tile begins or
//! ends, whose boundaries are then walked.

mod outline;
mod sweep;

use eosin_core::TileMeta;

use crate::rectangle::{Rectangle, close_gaps};

/// Corners of a closed outline; the first is not repeated. Outer ones run clockwise on the screen,
/// those of holes the other way.
pub type Ring = Vec<[i64; 2]>;

/// Tiles that touch each other along an edge, or overlap.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedTiles {
    /// The outer outline, then those of holes, in level-0 pixels.
    pub rings: Vec<Ring>,
    /// Its area without the holes, in square level-0 pixels.
    pub area_px: f64,
    /// Number of tiles.
    pub n_tiles: usize,
    /// The mean of the tiles' values.
    pub mean: f64,
}

/// The regions that tiles make, from the top; each tile comes with its value. The outlines are
/// exactly those of the union, also of tiles that overlap or lie on no grid; tiles that meet in a
/// corner alone are of two regions.
///
/// Memory grows with tiles and the corners of their union.
pub fn merge_tiles<'a>(tiles: impl IntoIterator<Item = (&'a TileMeta, f64)>) -> Vec<MergedTiles> {
    merge(rectangles(tiles))
}

/// As [`merge_tiles`], with gaps of one pixel closed, which rounding leaves in a grid.
pub(crate) fn merge_grid<'a>(
    tiles: impl IntoIterator<Item = (&'a TileMeta, f64)>,
) -> Vec<MergedTiles> {
    let (mut rectangles, values) = rectangles(tiles);
    close_gaps(&mut rectangles);
    merge((rectangles, values))
}

fn rectangles<'a>(
    tiles: impl IntoIterator<Item = (&'a TileMeta, f64)>,
) -> (Vec<Rectangle>, Vec<f64>) {
    tiles.into_iter().filter_map(|(meta, value)| Some((Rectangle::of(meta)?, value))).unzip()
}

fn merge((rectangles, values): (Vec<Rectangle>, Vec<f64>)) -> Vec<MergedTiles> {
    let swept = sweep::sweep(&rectangles);
    let none = MergedTiles { rings: Vec::new(), area_px: 0.0, n_tiles: 0, mean: 0.0 };
    let mut regions = vec![none; swept.n_components];
    for (value, &component) in values.iter().zip(&swept.of_rectangle) {
        regions[component].n_tiles += 1;
        regions[component].mean += value;
    }
    for (component, ring) in outline::rings(&swept.edges) {
        let area = signed_area(&ring);
        let region = &mut regions[component];
        region.area_px += area;
        // The outer outline stands first.
        let at = if area > 0.0 { 0 } else { region.rings.len() };
        region.rings.insert(at, ring);
    }
    for region in &mut regions {
        region.mean /= region.n_tiles as f64;
    }
    regions
}

/// The shoelace formula; positive for outer outlines.
fn signed_area(ring: &Ring) -> f64 {
    let next = ring.iter().cycle().skip(1);
    let twice: i128 = ring
        .iter()
        .zip(next)
        .map(|(a, b)| i128::from(a[0]) * i128::from(b[1]) - i128::from(b[0]) * i128::from(a[1]))
        .sum();
    twice as f64 / 2.0
}

#[cfg(test)]
mod tests;
