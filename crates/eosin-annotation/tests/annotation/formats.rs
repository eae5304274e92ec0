// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_annotation::{geometry, recognise};
use eosin_core::{Annotation, Shape};
use eosin_testkit::conformance;
use serde::Deserialize;

use crate::{close_to, formats, golden, golden_json, read, read_text};

#[derive(Deserialize)]
struct Expected {
    id: String,
    class: Option<String>,
    kind: String,
    image: Option<String>,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    ellipse: bool,
    area: Option<f64>,
    centre: Option<[f64; 2]>,
    points: Option<Vec<[f64; 2]>>,
}

/// The files of `tests/golden/annotation` with the formats they are in.
const FILES: [(&str, &str); 7] = [
    ("qupath.geojson", "geojson"),
    ("qupath-0.2.geojson.gz", "geojson"),
    ("qupath-one.geojson", "geojson"),
    ("asap.xml", "asap"),
    ("imagescope.xml", "imagescope"),
    ("coco.json", "coco"),
    ("MIDOG.json", "midog"),
];

/// The file that has to be unpacked first.
const PACKED: &str = "qupath-0.2.geojson.gz";

#[test]
fn every_format_has_what_its_files_were_written_with() {
    let golden_files: BTreeMap<String, Vec<Expected>> = golden_json("formats.json");
    assert_eq!(golden_files.len(), FILES.len());
    for (file, format) in FILES {
        let set = read(golden(file)).unwrap();
        assert_eq!(set.format(), format);
        let expected = &golden_files[file];
        assert_eq!(set.annotations().len(), expected.len(), "{file}");
        for (found, expected) in set.annotations().iter().zip(expected) {
            check(file, found, expected);
        }
    }
}

#[track_caller]
fn check(file: &str, found: &Annotation, expected: &Expected) {
    let name = format!("{} of {file}", found.id);
    assert_eq!(found.id, expected.id, "{name}");
    assert_eq!(found.class, expected.class, "{name}");
    assert_eq!(found.kind.name(), expected.kind, "{name}");
    assert_eq!(found.image, expected.image, "{name}");
    assert_eq!(found.is_locked, expected.locked, "{name}");
    if let Some(points) = &expected.points {
        assert_eq!(found.shape, Shape::Points(points.clone()), "{name}");
        return;
    }
    let (area, centre) = (expected.area.unwrap(), expected.centre.unwrap());
    // An ellipse's outline is at most 0.05 px inside.
    let tolerance = if expected.ellipse { 0.05 * 970.0 } else { 1e-9 * area };
    close_to(geometry::area(&found.shape).unwrap(), area, tolerance);
    let own = geometry::centre(&found.shape).unwrap().unwrap();
    close_to(own[0], centre[0], 1e-4);
    close_to(own[1], centre[1], 1e-4);
}

#[test]
fn formats_are_told_by_content_and_no_file_is_of_two() {
    for (file, format) in FILES {
        let found = recognise(&golden(file), &formats()).unwrap().unwrap();
        assert_eq!(found.kind(), format, "{file}");
    }
    // Named differently, all but MIDOG, which its text tells.
    for (file, format) in FILES.into_iter().filter(|(file, _)| *file != PACKED) {
        let text = std::fs::read_to_string(golden(file)).unwrap();
        assert_eq!(read_text("annotations", &text).unwrap().format(), format, "{file}");
    }
}

#[test]
fn every_format_passes_the_suite() {
    for (file, format) in FILES.into_iter().filter(|(file, _)| *file != PACKED) {
        let bytes = std::fs::read(golden(file)).unwrap();
        let formats = formats();
        conformance::annotation_format(&**formats.get(format).unwrap(), file, &bytes);
    }
}

#[test]
fn what_is_no_area_and_no_point_is_counted() {
    let left_out = |file: &str| {
        let set = read(golden(file)).unwrap();
        set.left_out().iter().map(|(what, n)| format!("{what} {n}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(left_out("qupath.geojson"), "LineString 1");
    assert_eq!(left_out("asap.xml"), "Measurement 1");
    assert_eq!(left_out("imagescope.xml"), "region of Type 3 1");
    let text = r#"[{"type":"Feature","geometry":null,"properties":{}},
        {"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[0,0]]]}},
        {"type":"Feature","geometry":{"type":"Polygon","coordinates":[]}},
        {"type":"Feature","geometry":{"type":"MultiPoint","coordinates":[]}}]"#;
    let set = read_text("a.geojson", text).unwrap();
    assert!(set.annotations().is_empty());
    assert_eq!(set.left_out()["feature without geometry"], 1);
    assert_eq!(set.left_out()["outline of fewer than three corners"], 3);
}

#[test]
fn keys_may_stand_in_any_order_and_geometries_alone() {
    let ring = "[[0,0],[4,0,7.5],[4,4],[0,4],[0,0]]";
    for text in [
        format!(
            r#"{{"properties":{{}},"geometry":{{"coordinates":[{ring}],"type":"Polygon"}},"type":"Feature"}}"#
        ),
        format!(
            r#"{{"features":[{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[{ring}]}},"properties":null}}],"type":"FeatureCollection","crs":{{"a":[1]}}}}"#
        ),
        format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#),
        format!(
            r#"{{"type":"GeometryCollection","geometries":[{{"type":"Polygon","coordinates":[{ring}]}}]}}"#
        ),
        format!("\u{feff}{{\"type\":\"MultiPolygon\",\"coordinates\":[[{ring}]]}}"),
    ] {
        let set = read_text("a.geojson", &text).unwrap();
        assert_eq!(set.annotations().len(), 1, "{text}");
        close_to(geometry::area(&set.annotations()[0].shape).unwrap(), 16.0, 1e-12);
    }
}

#[test]
fn objects_are_at_the_centres() {
    let set = read(golden("qupath.geojson")).unwrap();
    let objects = set.objects().unwrap();
    let of = |id: &str| objects.iter().find(|object| object.id == id).unwrap();
    assert_eq!(objects.len(), 7);
    assert_eq!(format!("{:?}", of("p").centre), "[33.5, 44.25]");
    assert_eq!(format!("{:?}", of("ps:2").centre), "[3.0, 4.5]");
    assert_eq!(of("ps:2").class.as_deref(), Some("Mitosis"));
    close_to(of("c").centre[0], 850.0, 1e-9);

    let midog = read(golden("MIDOG.json")).unwrap().of_slide("data/001.tiff").unwrap();
    let centres: Vec<[f64; 2]> = midog.objects().unwrap().iter().map(|o| o.centre).collect();
    assert_eq!(centres, [[145.0, 155.0], [2025.0, 2925.0]]);
}

#[test]
fn annotations_of_one_image_are_told_by_its_name() {
    let set = read(golden("coco.json")).unwrap();
    assert_eq!(set.clone().of_slide("/data/other.tif").unwrap().annotations().len(), 1);
    let error = set.of_slide("third.svs").unwrap_err().to_string();
    assert!(error.contains("third") && error.contains("other.svs"), "{error}");
    // A file that names no image is of every slide.
    let set = read(golden("asap.xml")).unwrap();
    assert_eq!(set.of_slide("any.svs").unwrap().annotations().len(), 5);
}
