// SPDX-License-Identifier: MIT OR Apache-2.0

//! Predictions on a slide as files: pixels, polygons and columns are those of the table.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;

use eosin::crates::prediction::Colours;
use eosin::crates::tile::read_image;
use eosin_testkit::demo::DemoConfig;
use serde_json::Value;

use crate::common::{Bench, eosin, root, text};

/// A slide with a name that would leave the folder, run, and be markup, in the command and out.
const NAME: &str = "=cmd <script>..";

struct Place {
    bench: Bench,
    head: PathBuf,
    slide: PathBuf,
}

impl Place {
    /// A head on the demo's tiles, and the slide that they are of.
    fn new() -> Self {
        let bench = Bench::new();
        bench.write_run("");
        let trained = bench.train(&["--no-augment", "--backbone", "colour-statistics"]);
        assert!(trained.status.success(), "{}", text(&trained));
        let slide = bench.path(&format!("{NAME}.svs"));
        std::fs::copy(root().join("tests/fixtures/cmu-1-small-region.svs"), &slide).unwrap();
        Self { head: bench.head("logistic", "colour-statistics"), bench, slide }
    }

    fn predict(&self, input: &Path, out: &str, arguments: &[&str]) -> Output {
        let config = DemoConfig::read(&root().join("configs/demo/tiles-tiny.toml")).unwrap();
        let tiling = config.tiling().unwrap();
        let mut command = eosin();
        command.arg("predict").arg(input).arg("--head").arg(&self.head);
        command.args(["--tile-um", &tiling.tile_um.get().to_string()]);
        command.args(["--tile-px", &tiling.tile_px.to_string()]);
        for field in ["mpp_policy", "reader", "tile_px", "tile_um"] {
            command.args(["--accept", field]);
        }
        command.arg("--store").arg(self.bench.path("out/store"));
        command.arg("--out").arg(self.bench.path(out)).args(arguments);
        command.arg("--configs").arg(self.bench.path("configs")).output().unwrap()
    }

    fn predicted(&self, input: &Path, out: &str, arguments: &[&str]) {
        let output = self.predict(input, out, arguments);
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Files below a folder with what they hold.
    fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.bench.path(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.insert(entry.path(), std::fs::read(entry.path()).unwrap());
                }
            }
        }
        files
    }

    /// The only file with this ending.
    fn file(&self, folder: &str, ending: &str) -> Vec<u8> {
        let of_ending = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
        let mut found: Vec<_> =
            self.files(folder).into_iter().filter(|(path, _)| of_ending(path)).collect();
        found.retain(|(path, _)| !path.ends_with("slides.csv") && !path.ends_with("patients.csv"));
        assert_eq!(found.len(), 1, "{:?}", found.iter().map(|f| &f.0).collect::<Vec<_>>());
        found.remove(0).1
    }
}

/// A tile of the table: x, y, side, probability of the second class, call.
type Row = (i64, i64, i64, f64, String);

fn rows(csv: &[u8]) -> Vec<Row> {
    let text = std::str::from_utf8(csv).unwrap();
    assert!(text.starts_with("tile,slide,x,y,size_level0_px,prob_none,prob_micro"), "{text}");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| cells[i].parse::<i64>().unwrap();
        (number(2), number(3), number(4), cells[6].parse().unwrap(), cells[7].to_string())
    };
    text.lines().skip(1).map(row).collect()
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn pixels_polygons_and_columns_are_those_of_the_table() {
    let place = Place::new();
    let before: Vec<_> = place.files("").into_keys().collect();
    let opaque = ["--set", "heatmap.opacity=1", "--merge", "0.5"];
    place.predicted(&place.slide, "preds", &opaque);
    let table = rows(&place.file("preds", ".csv"));
    assert!(table.len() > 100, "{} tiles", table.len());

    // Nothing was written anywhere else but into the folder and the store.
    for path in place.files("").into_keys().filter(|path| !before.contains(path)) {
        let within = ["preds", "out"].iter().any(|f| path.starts_with(place.bench.path(f)));
        assert!(within, "{}", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.contains(['<', '=']) && !name.ends_with("partial"), "{name}");
    }

    // The slide of 2,220 × 2,967 px is drawn at a half, from 24, 44 of the picture on. Tiles overlap
    // by nearly a half, so that single ones are seen only where the table has one alone.
    let mut colours = BTreeSet::new();
    let picture = read_image(written(&place, "preds", ".heatmap.png")).unwrap();
    for &(x, y, side, _, _) in &table {
        let (at_x, at_y) = (x + side / 2, y + side / 2);
        let over: Vec<&Row> = table
            .iter()
            .filter(|r| (r.0 - 2..r.0 + r.2 + 2).contains(&at_x))
            .filter(|r| (r.1 - 2..r.1 + r.2 + 2).contains(&at_y))
            .collect();
        let mean = over.iter().map(|r| r.3).sum::<f64>() / over.len() as f64;
        let pixel = picture.pixel((24 + at_x / 2) as u32, (44 + at_y / 2) as u32);
        let colour = Colours::Viridis.at(mean);
        let is_near = (0..3).all(|k| (f64::from(pixel[k]) - colour[k]).abs() < 2.0);
        assert!(is_near, "{x}, {y}: {pixel:?} for {mean}, {colour:?}");
        colours.insert(pixel);
    }
    assert!(colours.len() > 20, "{} colours", colours.len());

    let shapes: Value =
        serde_json::from_slice(&unpacked(&place.file("preds", ".geojson.gz"))).unwrap();
    let features = shapes["features"].as_array().unwrap();
    let of_type = |kind: &str| {
        let is = |f: &&Value| f["properties"]["objectType"] == kind;
        features.iter().filter(is).collect::<Vec<_>>()
    };
    let tiles = of_type("detection");
    assert_eq!(tiles.len(), table.len());
    for (tile, row) in tiles.iter().zip(&table) {
        assert_eq!(tile["geometry"]["coordinates"][0][0], serde_json::json!([row.0, row.1]));
        let p = tile["properties"]["measurements"]["prob_microcalcification"].as_f64().unwrap();
        assert!((p - row.3).abs() < 1e-6);
        assert_eq!(tile["properties"]["classification"]["name"], row.4);
    }
    let regions = of_type("annotation");
    let n_merged: u64 = regions
        .iter()
        .map(|region| region["properties"]["measurements"]["tiles"].as_u64().unwrap())
        .sum();
    assert_eq!(n_merged as usize, table.iter().filter(|row| row.3 >= 0.5).count());

    // Aggregates are the table's.
    let slides = std::fs::read_to_string(place.bench.path("preds/slides.csv")).unwrap();
    let share = table.iter().filter(|row| row.4 == "microcalcification").count() as f64
        / table.len() as f64;
    assert!(slides.contains(&format!(",{share:.6},")), "{share} in {slides}");
    assert!(slides.contains("'=cmd <script>.."), "{slides}");

    // The same again from the store: the same bytes.
    place.predicted(&place.slide, "again", &opaque);
    let bytes = |folder: &str| place.files(folder).into_values().collect::<Vec<_>>();
    assert!(bytes("preds") == bytes("again"), "another run, other bytes");
    // A table that ends in .gz is the packed one.
    place.predicted(&place.slide, "a.csv", &[]);
    place.predicted(&place.slide, "a.csv.gz", &[]);
    let plain = std::fs::read(place.bench.path("a.csv")).unwrap();
    assert_eq!(unpacked(&std::fs::read(place.bench.path("a.csv.gz")).unwrap()), plain);
    assert_eq!(rows(&plain), table);
}

fn written(place: &Place, folder: &str, ending: &str) -> PathBuf {
    let of_ending = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
    place.files(folder).into_keys().find(of_ending).unwrap()
}

#[test]
fn wsinfer_gets_its_folders() {
    let place = Place::new();
    place.predicted(&place.slide, "ws", &["--layout", "wsinfer"]);
    let csv = std::fs::read_to_string(written(&place, "ws/model-outputs-csv", ".csv")).unwrap();
    let header = "minx,miny,width,height,prob_none,prob_microcalcification\n";
    assert!(csv.starts_with(header), "{csv}");
    let json = std::fs::read(written(&place, "ws/model-outputs-geojson", ".json")).unwrap();
    let shapes: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(shapes["features"].as_array().unwrap().len(), csv.lines().count() - 1);
}

#[test]
fn tile_images_have_no_slide_to_be_drawn_on() {
    let place = Place::new();
    let manifest = place.bench.path("tiles/manifest.csv");
    let refused = |out: &str, arguments: &[&str], expected: &str| {
        for dry_run in [&[][..], &["--dry-run"]] {
            let output = place.predict(&manifest, out, &[arguments, dry_run].concat());
            assert_eq!(output.status.code(), Some(2), "{arguments:?} {}", text(&output));
            assert!(text(&output).contains(expected), "{}", text(&output));
        }
    };
    refused("p", &["--format", "heatmap"], "a slide to draw on");
    refused("p", &["--merge", "0.5"], "--format");
    refused("a.csv", &["--format", "csv"], "a folder");
    refused("p", &["--format", "csv,csv"], "once");
    let unknown = place.predict(&manifest, "p", &["--format", "heatmaps"]);
    assert_eq!(unknown.status.code(), Some(5), "{}", text(&unknown));
    assert!(text(&unknown).contains("did you mean `heatmap`?"), "{}", text(&unknown));
    let none = place.predict(&manifest, "p", &["--set", "csv.colour=1"]);
    assert_eq!(none.status.code(), Some(3), "{}", text(&none));
    assert!(text(&none).contains("expected no option"), "{}", text(&none));
    assert!(!place.bench.path("p").exists());

    place.predicted(&manifest, "p", &[]);
    let names: Vec<_> = place.files("p").into_keys().collect();
    assert!(names.iter().all(|path| path.extension().is_some_and(|e| e == "csv")), "{names:?}");
    assert!(names.iter().any(|path| path.ends_with("slides.csv")));
}
