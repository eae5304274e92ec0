// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::TileMeta;

use super::{MergedTiles, merge_tiles, signed_area};

fn tile((x, y, side): (i64, i64, u32)) -> TileMeta {
    TileMeta { x, y, ..TileMeta::named(format!("{x},{y}"), side) }
}

fn of(places: &[(i64, i64, u32)]) -> Vec<MergedTiles> {
    let metas: Vec<TileMeta> = places.iter().copied().map(tile).collect();
    merge_tiles(metas.iter().zip(1..).map(|(meta, i)| (meta, f64::from(i))))
}

/// Cells of a picture of text that are marked, 10 px each.
fn drawn(rows: &[&str]) -> Vec<(i64, i64, u32)> {
    let cells = rows.iter().enumerate().flat_map(|(y, row)| {
        row.chars().enumerate().filter(|(_, c)| *c == '#').map(move |(x, _)| (x, y))
    });
    cells.map(|(x, y)| (10 * x as i64, 10 * y as i64, 10)).collect()
}

#[test]
fn a_tile_is_its_own_outline() {
    let [region] = of(&[(3, 4, 5)]).try_into().unwrap();
    assert_eq!(region.rings, [[[3, 4], [8, 4], [8, 9], [3, 9]]]);
    assert_eq!((region.area_px, region.n_tiles, region.mean), (25.0, 1, 1.0));
}

#[test]
fn tiles_that_meet_in_a_corner_are_two_regions() {
    let regions = of(&drawn(&["#.", ".#"]));
    assert_eq!(regions.iter().map(|r| r.area_px).collect::<Vec<_>>(), [100.0, 100.0]);
    assert_eq!(regions.iter().map(|r| r.mean).collect::<Vec<_>>(), [1.0, 2.0]);
}

#[test]
fn holes_are_outlines_of_their_own() {
    let [region] = of(&drawn(&["###", "#.#", "###"])).try_into().unwrap();
    assert_eq!((region.rings.len(), region.area_px), (2, 800.0));
    assert!(signed_area(&region.rings[0]) > 0.0 && signed_area(&region.rings[1]) < 0.0);
    // Two holes that meet in a corner, and one that meets the outside in a corner.
    let [region] = of(&drawn(&["####", "#.##", "##.#", "####"])).try_into().unwrap();
    assert_eq!((region.rings.len(), region.area_px), (3, 1400.0));
    let [region] = of(&drawn(&["##.", "#.#", "###"])).try_into().unwrap();
    assert_eq!((region.rings.len(), region.area_px), (2, 700.0));
    for ring in &region.rings {
        let mut corners = ring.clone();
        corners.sort_unstable();
        corners.dedup();
        assert_eq!(corners.len(), ring.len(), "touches itself: {ring:?}");
    }
}

#[test]
fn overlapping_tiles_count_their_common_area_once() {
    let [region] = of(&[(0, 0, 10), (5, 5, 10), (0, 0, 10)]).try_into().unwrap();
    assert_eq!((region.area_px, region.n_tiles, region.mean), (175.0, 3, 2.0));
    assert_eq!(region.rings[0].len(), 8);
}

#[test]
fn what_has_no_area_and_what_lies_beyond_all_numbers_is_no_region() {
    assert!(of(&[]).is_empty());
    assert!(of(&[(0, 0, 0), (i64::MAX, 0, 10)]).is_empty());
    assert_eq!(of(&[(i64::MIN, i64::MIN, 10)]).len(), 1);
}

/// `tests/golden/make_union.py` made these with shapely: random tiles, on grids and off them.
#[test]
fn areas_and_holes_are_those_of_shapely() {
    let golden = include_str!("../../tests/golden/union.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(golden).unwrap();
    assert!(cases.len() >= 100);
    for case in cases {
        let number = |value: &serde_json::Value| value.as_i64().unwrap();
        let square = |t: &serde_json::Value| (number(&t[0]), number(&t[1]), number(&t[2]) as u32);
        let squares: Vec<_> = case["tiles"].as_array().unwrap().iter().map(square).collect();
        let mut ours: Vec<(i64, i64)> = of(&squares)
            .iter()
            .map(|region| (region.area_px as i64, region.rings.len() as i64))
            .collect();
        ours.sort_unstable();
        let theirs = case["parts"].as_array().unwrap().iter();
        let theirs: Vec<_> = theirs.map(|p| (number(&p[0]), number(&p[1]))).collect();
        assert_eq!(ours, theirs, "{squares:?}");
    }
}
