// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every writer on a slide of four tiles, with names that would leave the folder.

use std::io::Read;
use std::path::{Path, PathBuf};

use eosin_core::{
    Mpp, Options, PredictedTile, Prediction, PredictionWriter, Registry, Result, RgbImage,
    SlidePredictions, SlideThumbnail, TileMeta,
};
use serde_json::Value;
use tempfile::TempDir;

/// Four tiles of 100 px in a row on a slide of 400 × 100 px.
struct Sample {
    metas: Vec<TileMeta>,
    rows: Vec<[f64; 2]>,
    called: Vec<Option<u32>>,
    sets: Vec<Vec<u32>>,
    classes: Vec<String>,
    thumbnail: SlideThumbnail,
    name: String,
}

impl Sample {
    fn new(name: &str, positive: [f64; 4]) -> Self {
        let tile = |i: i64| TileMeta { x: 100 * i, ..TileMeta::named(format!("{name}:{i}"), 100) };
        Self {
            metas: (0..4).map(tile).collect(),
            rows: positive.iter().map(|p| [1.0 - p, *p]).collect(),
            called: positive.iter().map(|p| Some(u32::from(*p >= 0.5))).collect(),
            sets: vec![vec![0], vec![1], vec![1], vec![0]],
            classes: vec!["none".into(), "=tumour <b>".into()],
            thumbnail: SlideThumbnail {
                image: RgbImage::filled(400, 100, [220, 170, 200]),
                downsample: 1.0,
            },
            name: name.into(),
        }
    }

    fn predictions(&self) -> SlidePredictions<'_> {
        let tile = |i: usize| PredictedTile {
            meta: &self.metas[i],
            prediction: Some(Prediction {
                probabilities: &self.rows[i],
                called: self.called[i],
                set: Some(&self.sets[i]),
            }),
            attention: None,
        };
        SlidePredictions {
            slide: &self.name,
            patient: "p",
            path: Path::new("slide.svs"),
            size: Some((400, 100)),
            mpp: Mpp::new(0.5).ok(),
            thumbnail: Some(&self.thumbnail),
            classes: &self.classes,
            tiles: (0..4).map(tile).collect(),
            call: None,
        }
    }

    fn write(&self, kind: &str, options: &Options) -> (TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let written = writer(kind, options).unwrap().write(&self.predictions(), &out).unwrap();
        for path in &written {
            assert!(path.starts_with(&out) && path.is_file(), "{}", path.display());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "left the folder");
        (folder, written)
    }
}

fn writer(kind: &str, options: &Options) -> Result<std::sync::Arc<dyn PredictionWriter>> {
    let mut registry = Registry::default();
    eosin_prediction::register(&mut registry);
    registry.writers.get(kind)?.make(options)
}

fn option(key: &str, value: impl serde::Serialize) -> Options {
    Options::default().with(key, value).unwrap()
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    let packed = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text
}

fn picture(sample: &Sample, options: &Options) -> image::RgbImage {
    let (_folder, written) = sample.write("heatmap", options);
    image::open(&written[0]).unwrap().to_rgb8()
}

/// The middle of tile `i` on the picture, which begins at 24, 44; a slide of 400 px is not enlarged.
fn middle(picture: &image::RgbImage, i: u32) -> [u8; 3] {
    picture.get_pixel(24 + 100 * i + 52, 44 + 50).0
}

#[test]
fn names_never_leave_the_folder() {
    for name in ["../x", "=cmd", "<script>", "a/../../b", "/abs", ".", ""] {
        let sample = Sample::new(name, [0.1, 0.9, 0.6, 0.2]);
        for kind in ["csv", "heatmap", "geojson", "wsinfer"] {
            sample.write(kind, &Options::default());
        }
    }
}

#[test]
fn every_writer_keeps_its_duties() {
    for kind in ["csv", "heatmap", "geojson", "wsinfer"] {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(kind, &Options::default()).unwrap();
        assert_eq!(writer.kind(), kind);
        eosin_testkit::conformance::prediction_writer(&*writer, folder.path());
    }
}

#[test]
fn the_table_guards_what_a_spreadsheet_would_run() {
    let sample = Sample::new("=cmd", [0.1, 0.9, 0.6, 0.2]);
    let (_folder, written) = sample.write("csv", &Options::default());
    insta::assert_snapshot!("table", std::fs::read_to_string(&written[0]).unwrap());
}

#[test]
fn pixels_of_the_heat_map_are_the_probabilities() {
    let mut sample = Sample::new("s", [0.0, 1.0, 0.4, 0.2]);
    let opaque = option("opacity", 1.0);
    let plain = picture(&sample, &opaque);
    assert_eq!(middle(&plain, 0), [68, 1, 84]);
    assert_eq!(middle(&plain, 1), [253, 231, 37]);
    assert_eq!(middle(&plain, 2), [42, 120, 142]);
    assert_eq!(middle(&plain, 3), [65, 68, 135]);
    // Other probabilities, other pixels; and the same, the same file.
    assert_eq!(picture(&sample, &opaque), plain);
    sample.rows[0] = [0.0, 1.0];
    assert_eq!(middle(&picture(&sample, &opaque), 0), [253, 231, 37]);
    // Below the threshold the slide stays.
    let clear = picture(&sample, &opaque.clone().with("threshold", 0.3).unwrap());
    assert_eq!(middle(&clear, 3), [220, 170, 200]);
    assert_eq!(middle(&clear, 2), [42, 120, 142]);
    let other = picture(&sample, &opaque.with("colours", "cividis").unwrap());
    assert_eq!(middle(&other, 0), [254, 232, 56]);
}

#[test]
fn unsure_tiles_have_colours_of_their_own() {
    let mut sample = Sample::new("s", [0.5; 4]);
    sample.called[0] = None;
    sample.sets[1] = vec![0, 1];
    sample.sets[2] = vec![];
    let picture = picture(&sample, &option("opacity", 1.0));
    let of_tile = |i: u32, colour: [u8; 3]| {
        let area = (0..100).flat_map(|y| (0..100).map(move |x| (24 + 100 * i + x, 44 + y)));
        area.filter(|&(x, y)| picture.get_pixel(x, y).0 == colour).count()
    };
    // Three quarters are the colour, a quarter its hatching.
    let (grey, purple) = ([128; 3], [204, 121, 167]);
    assert!((7000..8000).contains(&of_tile(0, grey)), "{}", of_tile(0, grey));
    assert!((7000..8000).contains(&of_tile(1, purple)), "{}", of_tile(1, purple));
    assert!((7000..8000).contains(&of_tile(2, purple)));
    assert_eq!((of_tile(3, grey), of_tile(3, purple)), (0, 0));
}

#[test]
fn a_scale_bar_stands_where_the_resolution_is_known() {
    let sample = Sample::new("s", [0.5; 4]);
    let folder = tempfile::tempdir().unwrap();
    let drawn = |mpp: Option<Mpp>| {
        let predictions = SlidePredictions { mpp, ..sample.predictions() };
        let written = writer("heatmap", &Options::default()).unwrap();
        let written = written.write(&predictions, folder.path()).unwrap();
        image::open(&written[0]).unwrap().to_rgb8()
    };
    // A quarter of 400 px of 0.5 µm are 50 µm: 100 px of ink.
    let known = drawn(Mpp::new(0.5).ok());
    let ink = |image: &image::RgbImage| (0..100).all(|x| image.get_pixel(24 + x, 165).0 == [25; 3]);
    assert!(ink(&known));
    assert!(!ink(&drawn(None)));
}

#[test]
fn qupath_gets_tiles_and_regions() {
    let sample = Sample::new("s\"lide", [0.1, 0.9, 0.6, 0.2]);
    let (_folder, written) = sample.write("geojson", &option("merge", 0.5));
    let text = unpacked(&written[0]);
    insta::assert_snapshot!("geojson", text);
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["features"].as_array().unwrap().len(), 5);
    let region = &parsed["features"][0]["properties"];
    assert_eq!(region["objectType"], "annotation");
    assert_eq!(region["measurements"]["area µm^2"], 5000.0);
    assert_eq!(region["measurements"]["mean prob_=tumour <b>"], 0.75);
    // Without a threshold there are tiles alone.
    let (_folder, written) = sample.write("geojson", &Options::default());
    assert!(!unpacked(&written[0]).contains("annotation"));
}

#[test]
fn wsinfer_gets_its_folders_and_columns() {
    let sample = Sample::new("s", [0.25, 0.875, 0.5, 0.125]);
    let (_folder, written) = sample.write("wsinfer", &Options::default());
    assert!(written[0].ends_with("model-outputs-csv/s.csv"), "{written:?}");
    assert!(written[1].ends_with("model-outputs-geojson/s.json"));
    let table = std::fs::read_to_string(&written[0]).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows[0], "minx,miny,width,height,prob_none,prob_=tumour <b>");
    assert_eq!(rows[2], "100,0,100,100,0.125,0.875");
    let parsed: Value =
        serde_json::from_str(&std::fs::read_to_string(&written[1]).unwrap()).unwrap();
    let tile = &parsed["features"][1];
    assert_eq!(tile["properties"]["objectType"], "tile");
    assert_eq!(tile["properties"]["measurements"]["prob_none"], 0.125);
    assert_eq!(tile["geometry"]["coordinates"][0][2], serde_json::json!([200, 100]));
}

#[test]
fn heads_of_slides_show_attention() {
    let sample = Sample::new("s", [0.0; 4]);
    let mut predictions = sample.predictions();
    for (tile, attention) in predictions.tiles.iter_mut().zip([0.7, 0.1, 0.1, 0.1]) {
        (tile.prediction, tile.attention) = (None, Some(attention));
    }
    let call = Prediction { probabilities: &[0.2, 0.8], called: Some(1), set: None };
    predictions.call = Some(call);
    let folder = tempfile::tempdir().unwrap();
    let opaque = writer("heatmap", &option("opacity", 1.0)).unwrap();
    let written = opaque.write(&predictions, folder.path()).unwrap();
    assert!(written[0].ends_with("s.attention.png"));
    let picture = image::open(&written[0]).unwrap().to_rgb8();
    assert_eq!(middle(&picture, 0), [253, 231, 37]);
    assert_ne!(middle(&picture, 1), middle(&picture, 0));
    let table = writer("csv", &Options::default()).unwrap();
    let written = table.write(&predictions, folder.path()).unwrap();
    let text = std::fs::read_to_string(&written[0]).unwrap();
    assert!(text.starts_with("tile,slide,x,y,size_level0_px,attention\n"), "{text}");
    let refused = writer("wsinfer", &Options::default()).unwrap();
    assert!(refused.write(&predictions, folder.path()).is_err());
}

#[test]
fn foreign_predictions_and_impossible_options_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for change in [
        |sample: &mut Sample| sample.rows[1][0] = f64::NAN,
        |sample: &mut Sample| sample.called[1] = Some(2),
        |sample: &mut Sample| sample.sets[1] = vec![7],
        // Two tiles in one place: nobody said where they lie.
        |sample: &mut Sample| sample.metas[1].x = 0,
    ] {
        let mut sample = Sample::new("s", [0.5; 4]);
        change(&mut sample);
        for kind in ["heatmap", "geojson", "wsinfer"] {
            let made = writer(kind, &Options::default()).unwrap();
            assert!(made.write(&sample.predictions(), folder.path()).is_err(), "{kind}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    for (kind, options) in [
        ("heatmap", option("opacity", 1.5)),
        ("heatmap", option("px", 100_000)),
        ("heatmap", option("smoothing", -1.0)),
        ("heatmap", option("colours", "jet")),
        ("geojson", option("merge", 2.0)),
        ("csv", option("merge", 0.5)),
    ] {
        assert!(writer(kind, &options).is_err(), "{kind} {options:?}");
    }
}
