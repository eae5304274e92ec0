// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::time::Instant;

use eosin_annotation::{ClassMap, LabelBy, LabelRules, TileLabels, label_tiles};
use eosin_core::Rectangle;
use serde::Deserialize;

use crate::geometry::rectangle;
use crate::{golden, golden_json, read, read_text};

#[derive(Deserialize)]
struct Golden {
    order: Vec<String>,
    tiles: Vec<Tile>,
}

#[derive(Deserialize)]
struct Tile {
    r#box: [f64; 4],
    shares: BTreeMap<String, f64>,
    half: Option<String>,
    third: Option<String>,
    centre: String,
}

/// What is expected of a tile.
type Expected = fn(&Tile) -> Option<&str>;

fn rules(golden: &Golden, by: LabelBy) -> LabelRules {
    let priority = golden.order.clone();
    LabelRules { by, classes: ClassMap::Same, priority, outside: Some("outside".into()) }
}

fn names(labels: &TileLabels) -> Vec<Option<&str>> {
    labels.labels.iter().map(|l| l.map(|l| labels.classes[l as usize].as_str())).collect()
}

#[test]
fn labels_of_tiles_on_200_random_polygons_are_those_of_shapely() {
    let golden_labels: Golden = golden_json("labels.json");
    let set = read(golden("random.geojson")).unwrap();
    assert_eq!(set.annotations().len(), 200);
    let tiles: Vec<Rectangle> = golden_labels.tiles.iter().map(|t| rectangle(t.r#box)).collect();
    let cases: [(LabelBy, Expected); 3] = [
        (LabelBy::Share(0.5), |tile| tile.half.as_deref()),
        (LabelBy::Share(0.34), |tile| tile.third.as_deref()),
        (LabelBy::Centre, |tile| Some(&tile.centre)),
    ];
    for (by, expected) in cases {
        let labels = label_tiles(&set, &tiles, &rules(&golden_labels, by)).unwrap();
        let expected: Vec<Option<&str>> = golden_labels.tiles.iter().map(expected).collect();
        assert_eq!(names(&labels), expected, "{by:?}");
    }
    // Shares themselves: a class gets the tile at its share and not above it.
    for tile in &golden_labels.tiles {
        for (class, share) in tile.shares.iter().filter(|(_, share)| **share > 1e-3) {
            let is_largest = tile.shares.values().all(|other| other <= share);
            let label = |threshold: f64| {
                let rules = rules(&golden_labels, LabelBy::Share(threshold));
                let labels = label_tiles(&set, &[rectangle(tile.r#box)], &rules).unwrap();
                names(&labels)[0].map(str::to_string)
            };
            if is_largest && *share < 1.0 - 1e-6 {
                assert_eq!(label(share - 1e-7).as_ref(), Some(class));
                assert_eq!(label(share + 1e-7), None);
            }
        }
    }
}

fn squares(parts: &[(&str, [f64; 4])]) -> String {
    let feature = |(class, [x0, y0, x1, y1]): &(&str, [f64; 4])| {
        format!(
            r#"{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[[{x0},{y0}],[{x1},{y0}],[{x1},{y1}],[{x0},{y1}],[{x0},{y0}]]]}},"properties":{{"classification":{{"name":"{class}"}}}}}}"#
        )
    };
    format!("[{}]", parts.iter().map(feature).collect::<Vec<_>>().join(","))
}

/// The class of the tile of 10 px at the origin.
fn label_of(parts: &[(&str, [f64; 4])], rules: &LabelRules) -> Option<String> {
    let set = read_text("a.geojson", &squares(parts)).unwrap();
    let labels = label_tiles(&set, &[Rectangle::new(0.0, 0.0, 10.0, 10.0)], rules).unwrap();
    names(&labels)[0].map(str::to_string)
}

#[test]
fn half_of_a_tile_suffices_and_the_same_area_twice_is_no_more() {
    let rules = LabelRules::default();
    assert_eq!(label_of(&[("a", [0.0, 0.0, 5.0, 10.0])], &rules).as_deref(), Some("a"));
    assert_eq!(label_of(&[("a", [0.0, 0.0, 4.9, 10.0])], &rules), None);
    let twice = [("a", [0.0, 0.0, 4.0, 10.0]), ("a", [0.0, 0.0, 4.0, 10.0])];
    assert_eq!(label_of(&twice, &rules), None);
    let of_two = [("a", [0.0, 0.0, 4.0, 10.0]), ("a", [3.0, 0.0, 6.0, 10.0])];
    assert_eq!(label_of(&of_two, &rules).as_deref(), Some("a"));
}

#[test]
fn priority_decides_where_classes_overlap_or_are_equal() {
    let overlapping = [("a", [0.0, 0.0, 10.0, 10.0]), ("b", [0.0, 0.0, 6.0, 10.0])];
    let first = |class: &str| LabelRules { priority: vec![class.into()], ..LabelRules::default() };
    assert_eq!(label_of(&overlapping, &first("a")).as_deref(), Some("a"));
    assert_eq!(label_of(&overlapping, &first("b")).as_deref(), Some("b"));
    let equal = [("a", [0.0, 0.0, 5.0, 10.0]), ("b", [5.0, 0.0, 10.0, 10.0])];
    assert_eq!(label_of(&equal, &first("a")).as_deref(), Some("a"));
    assert_eq!(label_of(&equal, &first("b")).as_deref(), Some("b"));
    let centre = LabelRules { by: LabelBy::Centre, ..first("b") };
    assert_eq!(label_of(&overlapping, &centre).as_deref(), Some("b"));
}

#[test]
fn what_is_drawn_around_without_a_class_goes_last() {
    let around = r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10]]]},"properties":{}}"#;
    let text = squares(&[("z", [0.0, 0.0, 6.0, 10.0])]).replacen('[', &format!("[{around},"), 1);
    let set = read_text("a.geojson", &text).unwrap();
    let tile = [Rectangle::new(0.0, 0.0, 10.0, 10.0)];
    let labels = label_tiles(&set, &tile, &LabelRules::default()).unwrap();
    assert_eq!(labels.classes, ["z", "(unclassified)"]);
    assert_eq!(names(&labels), [Some("z")]);
}

#[test]
fn the_outside_is_a_class_or_none() {
    let part = [("a", [0.0, 0.0, 3.0, 10.0])];
    let outside = LabelRules { outside: Some("normal".into()), ..LabelRules::default() };
    assert_eq!(label_of(&part, &outside).as_deref(), Some("normal"));
    assert_eq!(label_of(&part, &LabelRules::default()), None);
    // It may be a class that is annotated as well: then both count together.
    let two = [("a", [0.0, 0.0, 6.0, 10.0]), ("normal", [0.0, 0.0, 3.0, 10.0])];
    let before = LabelRules { priority: vec!["normal".into()], ..outside };
    assert_eq!(label_of(&two, &before).as_deref(), Some("normal"));
}

#[test]
fn a_map_joins_classes_and_passes_some_over() {
    let map = |pairs: &[(&str, Option<&str>)]| LabelRules {
        classes: ClassMap::Named(
            pairs.iter().map(|(from, to)| ((*from).into(), to.map(str::to_string))).collect(),
        ),
        ..LabelRules::default()
    };
    let parts = [("in situ", [0.0, 0.0, 3.0, 10.0]), ("invasive", [3.0, 0.0, 6.0, 10.0])];
    let joined = map(&[("in situ", Some("tumour")), ("invasive", Some("tumour"))]);
    assert_eq!(label_of(&parts, &joined).as_deref(), Some("tumour"));
    let passed = map(&[("in situ", None), ("invasive", Some("tumour"))]);
    assert_eq!(label_of(&parts, &passed), None);

    let set = read_text("a.geojson", &squares(&parts)).unwrap();
    let tile = [Rectangle::new(0.0, 0.0, 10.0, 10.0)];
    let error = label_tiles(&set, &tile, &map(&[("invasive", Some("tumour"))])).unwrap_err();
    let text = format!("{error} hint: {}", error.hint());
    for part in ["in situ (1)", "invasive (1)", "a.geojson", "map each of in situ"] {
        assert!(text.contains(part), "{text}");
    }
    let typo = LabelRules { priority: vec!["invasiv".into()], ..LabelRules::default() };
    let error = label_tiles(&set, &tile, &typo).unwrap_err();
    assert_eq!(error.hint(), "did you mean `invasive`?");
    let share = LabelRules { by: LabelBy::Share(0.0), ..LabelRules::default() };
    assert!(label_tiles(&set, &tile, &share).is_err());
}

#[test]
fn points_alone_label_no_tile() {
    let text =
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{}}"#;
    let set = read_text("a.geojson", text).unwrap();
    let tile = [Rectangle::new(0.0, 0.0, 10.0, 10.0)];
    let error = label_tiles(&set, &tile, &LabelRules::default()).unwrap_err();
    assert!(error.to_string().contains("none of an area"), "{error}");
}

#[test]
fn rows_of_edges_give_what_all_edges_give() {
    // One outline of 4,000 corners, of which tiles see rows; cut into four, in which they are few.
    let wave = |i: usize| {
        let t = i as f64 / 4000.0 * std::f64::consts::TAU;
        let r = 900.0 + 80.0 * (t * 57.0).sin() + 20.0 * (t * 311.0).cos();
        [1000.0 + r * t.cos(), 1000.0 + r * t.sin()]
    };
    let corners: Vec<String> = (0..=4000).map(|i| format!("{:?}", wave(i % 4000))).collect();
    let text = format!(
        r#"{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[{}]]}},"properties":{{"classification":{{"name":"a"}}}}}}"#,
        corners.join(",")
    );
    let set = read_text("a.geojson", &text).unwrap();
    let tiles: Vec<Rectangle> = (0..1600)
        .map(|i| Rectangle::new(f64::from(i % 40) * 50.0, f64::from(i / 40) * 50.0, 50.0, 50.0))
        .collect();
    let shape = &set.annotations()[0].shape;
    for share in [0.1, 0.5, 0.9] {
        let rules = LabelRules { by: LabelBy::Share(share), ..LabelRules::default() };
        let labels = label_tiles(&set, &tiles, &rules).unwrap();
        for (tile, label) in tiles.iter().zip(&labels.labels) {
            let covered = eosin_annotation::geometry::area_within(shape, *tile).unwrap() / 2500.0;
            assert!((covered - share).abs() < 1e-7 || label.is_some() == (covered > share));
        }
    }
    let rules = LabelRules { by: LabelBy::Centre, ..LabelRules::default() };
    let labels = label_tiles(&set, &tiles, &rules).unwrap();
    for (tile, label) in tiles.iter().zip(&labels.labels) {
        let holds = eosin_annotation::geometry::contains(shape, tile.centre());
        assert_eq!(label.is_some(), holds);
    }
}

#[test]
fn a_hundred_thousand_shapes_label_a_hundred_thousand_tiles_in_seconds() {
    let n = 317;
    let feature = |i: u32| {
        let (x, y) = (f64::from(i % n) * 300.0, f64::from(i / n) * 300.0);
        let class = if i.is_multiple_of(3) { "a" } else { "b" };
        let corner = |k: u32| {
            let t = f64::from(k % 20) / 20.0 * std::f64::consts::TAU;
            format!("[{:.2},{:.2}]", x + 180.0 * t.cos(), y + 180.0 * t.sin())
        };
        let ring = (0..=20).map(corner).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[{ring}]]}},"properties":{{"classification":{{"name":"{class}"}}}}}}"#
        )
    };
    let text = format!("[{}]", (0..100_000).map(feature).collect::<Vec<_>>().join(","));
    let set = read_text("a.geojson", &text).unwrap();
    let tiles: Vec<Rectangle> = (0..100_000)
        .map(|i| Rectangle::new(f64::from(i % n) * 300.0, f64::from(i / n) * 300.0, 300.0, 300.0))
        .collect();
    let started = Instant::now();
    let labels = label_tiles(&set, &tiles, &LabelRules::default()).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    println!("100,000 shapes, 100,000 tiles: {seconds:.2} s");
    assert!(labels.n_without() < 100_000);
    // Without an index it would be 10¹⁰ pairs.
    assert!(seconds < 60.0, "{seconds}");
}
