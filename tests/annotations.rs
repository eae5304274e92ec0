// SPDX-License-Identifier: MIT OR Apache-2.0

//! Annotations through the command: what a file holds, which classes tiles get from it, and every bad
//! input that concerns them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde::Deserialize;

use crate::common::{eosin, root, text};

fn golden(name: &str) -> PathBuf {
    root().join("tests/golden/annotation").join(name)
}

fn slide() -> PathBuf {
    root().join("tests/fixtures/cmu-1-small-region.svs")
}

fn inspect(file: &Path, arguments: &[&str]) -> Output {
    eosin().arg("inspect").arg(file).args(arguments).output().unwrap()
}

/// `inspect` on the slide of the clone, cut into 9 × 13 tiles of 224 px.
fn on_slide(file: &Path, arguments: &[&str]) -> Output {
    let mut command = eosin();
    command.arg("inspect").arg(file).arg("--slide").arg(slide());
    command.args(["--mpp", "0.5", "--tile-um", "112", "--tile-px", "224", "--min-tissue", "0"]);
    command.args(arguments).output().unwrap()
}

#[track_caller]
fn accepted(output: &Output, expected: &[&str]) {
    let text = text(output);
    assert!(output.status.success(), "{text}");
    for part in expected {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[track_caller]
fn refused(output: &Output, code: i32, expected: &[&str]) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in expected.iter().chain(&["error: ", "hint: "]) {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

/// Writes a text into a file of this name in a folder of its own.
fn written(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// A line of the answer as its words, so that columns may be as wide as they like.
fn line(output: &Output, begins: &str) -> String {
    let text = text(output);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = text.lines().map(words).find(|line| line.starts_with(begins));
    found.unwrap_or_else(|| panic!("no line {begins} in\n{text}"))
}

#[test]
fn inspect_says_what_each_format_holds() {
    let cases: [(&str, &[&str]); 7] = [
        (
            "qupath.geojson",
            &[
                "geojson",
                "Tumor, annotation",
                "area of 74170.0 px²",
                "Immune cells: CD3",
                "(unclassified), cell",
                "Mitosis, annotation",
                "2 points",
                "left out: LineString",
            ],
        ),
        ("qupath-0.2.geojson.gz", &["geojson", "Tumor, annotation", "Tumor, detection", "locked"]),
        ("qupath-one.geojson", &["geojson", "Other, annotation", "20000.0 px²"]),
        (
            "asap.xml",
            &["asap", "metastases, annotation", "normal, annotation", "mitoses, annotation"],
        ),
        ("imagescope.xml", &["imagescope", "Tumor, annotation", "necrosis, annotation", "vessel"]),
        ("coco.json", &["coco", "images", "gland, detection", "vessel, detection"]),
        ("MIDOG.json", &["midog", "mitotic figure, detection", "hard negative, detection"]),
    ];
    for (file, expected) in cases {
        let output = inspect(&golden(file), &[]);
        accepted(&output, expected);
        accepted(&output, &["annotations", "bounding box", "area", "objects"]);
    }
    let output = inspect(&golden("qupath.geojson"), &[]);
    assert_eq!(line(&output, "bounding box"), "bounding box 1.0, 2.0 to 900.0, 950.0");
    assert_eq!(line(&output, "objects"), "objects 7");
}

#[derive(Deserialize)]
struct Golden {
    tiles: Vec<Tile>,
}

#[derive(Deserialize)]
struct Tile {
    half: Option<String>,
    third: Option<String>,
    centre: String,
}

/// What is expected of a tile.
type Expected = fn(&Tile) -> Option<&str>;

#[test]
fn tiles_of_the_slide_get_the_classes_that_shapely_gives_them() {
    let bytes = std::fs::read(golden("labels.json")).unwrap();
    let Golden { tiles } = serde_json::from_slice(&bytes).unwrap();
    let cases: [(&[&str], Expected); 3] = [
        (&[], |tile| tile.half.as_deref()),
        (&["--min-share", "0.34"], |tile| tile.third.as_deref()),
        (&["--by-centre"], |tile| Some(&tile.centre)),
    ];
    let order = ["--priority", "Necrosis", "--priority", "Tumor", "--outside", "outside"];
    for (arguments, expected) in cases {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for tile in &tiles {
            *counts.entry(expected(tile).unwrap_or("without a class")).or_default() += 1;
        }
        let output = on_slide(&golden("random.geojson"), &[&order[..], arguments].concat());
        accepted(&output, &["annotations on a slide", "2220 × 2967 px"]);
        assert_eq!(line(&output, "tiles 117"), "tiles 117");
        for (class, n) in counts {
            let begins = if class == "without a class" { "tiles " } else { "tiles of " };
            let found = line(&output, &format!("{begins}{class}"));
            assert!(found.starts_with(&format!("{begins}{class} {n} (")), "{n}: {found}");
        }
    }
}

#[test]
fn classes_are_mapped_and_passed_over() {
    let asap = golden("asap.xml");
    let map = ["--map", "metastases=tumour", "--map", "normal=", "--outside", "normal"];
    let output = on_slide(&asap, &map);
    accepted(&output, &["tiles of tumour", "tiles of normal", "tiles without a class"]);
    assert!(!text(&output).contains("tiles of metastases"), "{}", text(&output));
    let output = on_slide(&asap, &["--map", "metastases=tumour"]);
    refused(&output, 3, &["normal (of all: metastases (2), normal (1))", "map each of normal"]);
    refused(&on_slide(&asap, &["--map", "metastases"]), 2, &["--map", "CLASS=CLASS"]);
    refused(&on_slide(&asap, &["--priority", "metastase"]), 2, &["did you mean `metastases`?"]);
}

#[test]
fn self_crossing_polygons_count_by_even_odd() {
    // A bow tie over four tiles, of which it covers two triangles of half a tile.
    let bow_tie = r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[448,448],[448,0],[0,448],[0,0]]]},"properties":{"classification":{"name":"Tumor"}}}"#;
    let (_folder, path) = written("bow.geojson", bow_tie);
    accepted(&inspect(&path, &[]), &["area of 100352.0 px²"]);
    let output = on_slide(&path, &["--min-share", "0.49"]);
    assert!(line(&output, "tiles of Tumor").starts_with("tiles of Tumor 4 ("), "{}", text(&output));
    let output = on_slide(&path, &["--min-share", "0.51"]);
    assert!(line(&output, "tiles of Tumor").starts_with("tiles of Tumor 0 ("), "{}", text(&output));
}

#[test]
fn annotations_of_another_slide_are_refused_with_the_figures() {
    let far = r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[2000,2900],[9000,2900],[9000,9000],[2000,9000],[2000,2900]]]},"properties":{"classification":{"name":"Tumor"}}}"#;
    let (_folder, path) = written("far.geojson", far);
    accepted(&inspect(&path, &[]), &["42700000.0 px²"]);
    let output = on_slide(&path, &[]);
    let figures = "bounding box from 2000.0, 2900.0 to 9000.0, 9000.0";
    let share = "100.0 % of their area outside";
    refused(&output, 3, &["far.geojson", "2220 × 2967 px", figures, share, "pixels of level 0"]);
    // Of a file of several images, those of the slide are taken.
    let output = on_slide(&golden("coco.json"), &[]);
    accepted(&output, &["tiles of gland"]);
    assert_eq!(line(&output, "annotations 2"), "annotations 2");
    refused(
        &on_slide(&golden("MIDOG.json"), &[]),
        3,
        &["cmu-1-small-region", "001.tiff, 002.tiff"],
    );
}

#[test]
fn damaged_files_and_other_formats_are_refused() {
    for file in ["random.geojson", "asap.xml", "imagescope.xml", "coco.json", "MIDOG.json"] {
        let bytes = std::fs::read(golden(file)).unwrap();
        let (_folder, path) = written(file, &bytes[..bytes.len() * 2 / 3]);
        refused(&inspect(&path, &[]), 3, &[file, "a whole file", "its end", "cut off"]);
    }
    let packed = std::fs::read(golden("qupath-0.2.geojson.gz")).unwrap();
    let (_folder, path) = written("short.geojson.gz", &packed[..packed.len() - 30]);
    refused(&inspect(&path, &[]), 3, &["short.geojson.gz"]);
    let (_folder, path) = written("table.geojson", "path,label\na.png,benign\n");
    let known = "geojson, asap, imagescope, midog, coco";
    refused(&inspect(&path, &[]), 3, &["table.geojson", known, "something else"]);
    refused(&inspect(&slide(), &["--format", "geojson"]), 3, &["svs", "GeoJSON"]);
    refused(&inspect(&golden("asap.xml"), &["--format", "asp"]), 5, &["did you mean `asap`?"]);
    let wrong = inspect(&golden("MIDOG.json"), &["--format", "coco"]);
    refused(&wrong, 3, &["[left, top, width, height]", "--format midog"]);
}

#[test]
fn masks_of_run_lengths_are_refused_by_name() {
    let text = std::fs::read_to_string(golden("coco.json")).unwrap();
    let rle = r#""segmentation": {"counts": "PbU", "size": [3, 4]}"#;
    let (_folder, path) = written("rle.json", text.replace("\"segmentation\": []", rle));
    refused(&inspect(&path, &[]), 5, &["run-length mask (RLE) of annotation 11", "polygons"]);
}

#[test]
fn options_of_tiles_need_a_slide() {
    let output = inspect(&golden("asap.xml"), &["--tile-um", "112"]);
    refused(&output, 2, &["options of tiles", "--slide"]);
    let output = inspect(&golden("asap.xml"), &["--outside", "normal"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let output = inspect(&golden("asap.xml"), &["--min-share", "2"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}
