// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{RgbImage, TileMeta};
use eosin_report::overlay::{GeoJsonWriter, HeatMap, HeatOptions, PredictedTile, encode_png};
use serde_json::Value;

fn meta(x: i64, y: i64, size: u32) -> TileMeta {
    TileMeta {
        tile_id: format!("s\"lide:{x}:{y}:{size}"),
        slide: "slide".into(),
        group: "p".into(),
        centre: None,
        scanner: None,
        x,
        y,
        size_level0_px: size,
        requested_mpp: None,
        effective_mpp: None,
        tissue_fraction: 1.0,
        source: String::new(),
        source_digest: "d".into(),
    }
}

#[test]
fn geojson_is_what_qupath_reads() {
    let classes = ["none".to_string(), "micro \"calc\"".to_string()];
    let mut bytes = Vec::new();
    let mut writer = GeoJsonWriter::new(&mut bytes, &classes).unwrap();
    for (i, p) in [0.25, 0.75].into_iter().enumerate() {
        let meta = meta(100 * i as i64, 50, 100);
        let tile = PredictedTile { meta: &meta, probabilities: &[1.0 - p, p], class: i };
        writer.write(tile).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), 2);
    insta::assert_snapshot!("geojson", String::from_utf8(bytes.clone()).unwrap());
    let parsed: Value = serde_json::from_slice(&bytes).unwrap();
    let second = &parsed["features"][1];
    assert_eq!(second["properties"]["measurements"]["prob_micro \"calc\""], 0.75);
    let ring = second["geometry"]["coordinates"][0].as_array().unwrap();
    assert_eq!((ring.len(), &ring[0]), (5, &ring[4]));
}

#[test]
fn geojson_refuses_foreign_predictions() {
    let classes = ["a".to_string(), "b".to_string()];
    let meta = meta(0, 0, 10);
    for (probabilities, class) in [(&[1.0][..], 0), (&[0.5, f64::NAN], 0), (&[0.5, 0.5], 2)] {
        let mut writer = GeoJsonWriter::new(Vec::new(), &classes).unwrap();
        assert!(writer.write(PredictedTile { meta: &meta, probabilities, class }).is_err());
    }
}

#[test]
fn heat_map_colours_tiles_and_leaves_the_rest() {
    let options = HeatOptions { downsample: 10.0, opacity: 1.0, range: (0.0, 1.0) };
    let mut map = HeatMap::new(RgbImage::filled(10, 10, [200; 3]), options).unwrap();
    map.add(&meta(0, 0, 50), 0.0);
    map.add(&meta(50, 50, 50), 1.0);
    // The mean of two tiles on the same place is half way, and what lies outside does no harm.
    map.add(&meta(50, 0, 50), 0.0);
    map.add(&meta(50, 0, 50), 1.0);
    map.add(&meta(-1000, 90, 50), 0.5);
    map.add(&meta(0, 50, 50), f64::NAN);
    let image = map.draw();
    assert_eq!(image.pixel(0, 0), [68, 1, 84]);
    assert_eq!(image.pixel(9, 9), [253, 231, 37]);
    assert_eq!(image.pixel(7, 2), [38, 144, 137]);
    assert_eq!(image.pixel(0, 9), [200; 3]);

    let png = encode_png(&image).unwrap();
    assert_eq!(png, encode_png(&image).unwrap());
    let back = image::load_from_memory(&png).unwrap().to_rgb8();
    assert_eq!(back.as_raw().as_slice(), image.data());
}

#[test]
fn heat_map_options_are_checked() {
    let refused = |downsample, opacity, range| {
        let options = HeatOptions { downsample, opacity, range };
        HeatMap::new(RgbImage::filled(2, 2, [0; 3]), options).is_err()
    };
    assert!(refused(0.0, 0.5, (0.0, 1.0)));
    assert!(refused(1.0, 1.5, (0.0, 1.0)));
    assert!(refused(1.0, 0.5, (1.0, 1.0)));
    assert!(refused(f64::NAN, 0.5, (0.0, 1.0)));
    assert!(!refused(1.0, 0.5, (0.0, 1.0)));
}
