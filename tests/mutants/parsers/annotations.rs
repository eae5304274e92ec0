// SPDX-License-Identifier: MIT OR Apache-2.0

//! Annotations of every format, and what is asked of them.

use std::path::Path;

use eosin::crates::annotation::{
    LabelBy, LabelRules, ReadOptions, label_tiles, read_annotations, recognise,
};
use eosin::crates::core::{Rectangle, Result};
use eosin::default_registry;
use eosin_testkit::mutants::{Alphabet, MutantParser};

use super::fixtures::files;

const GEOJSON_WORDS: &[&[u8]] = &[
    b"\"type\":\"Feature\"",
    b"\"type\":\"FeatureCollection\"",
    b"\"features\":[",
    b"\"Polygon\"",
    b"\"MultiPolygon\"",
    b"\"MultiPoint\"",
    b"\"LineString\"",
    b"\"GeometryCollection\"",
    b"\"geometries\":[",
    b"\"geometry\":null",
    b"\"coordinates\":[[",
    b"]]",
    b"[0,0],",
    b"1e9",
    b"-1e9",
    b"1e-300",
    b"\"objectType\":\"cell\"",
    b"\"classification\":\"a\"",
    b"\"names\":[\"a\",\"b\"]",
    b"\"isLocked\":true",
];

const XML_WORDS: &[&[u8]] = &[
    b"<ASAP_Annotations>",
    b"<Annotations>",
    b"<Annotation Type=\"4\">",
    b"</Annotation>",
    b"<Coordinate Order=\"0\" X=\"1\" Y=\"2\"/>",
    b"<Region Type=\"2\" NegativeROA=\"1\">",
    b"</Region>",
    b"<Vertex X=\"1e9\" Y=\"-1e9\"/>",
    b"Type=\"Spline\"",
    b"Type=\"PointSet\"",
    b"GeoShape=\"Points\"",
    b"PartOfGroup=\"None\"",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"&b;",
    b"&#0;",
    b"<?xml",
    b"?>",
];

const COCO_WORDS: &[&[u8]] = &[
    b"\"images\":[",
    b"\"annotations\":[",
    b"\"categories\":[",
    b"\"bbox\":[0,0,1,1]",
    b"\"bbox\":null",
    b"\"segmentation\":[[0,0,1,0,1,1]]",
    b"\"segmentation\":{\"counts\":[1],\"size\":[1,1]}",
    b"\"image_id\":2",
    b"\"category_id\":\"x\"",
    b"\"id\":1",
    b"\"width\":0",
    b"\"file_name\":\"\"",
    b"1e9",
    b"-1",
];

/// QuPath's, packed or not.
pub fn annotation_geojson() -> MutantParser {
    let names = ["qupath.geojson", "qupath-one.geojson", "qupath-0.2.geojson.gz"];
    parser(&names, GEOJSON_WORDS, &["geojson"])
}

/// ASAP's and ImageScope's.
pub fn annotation_xml() -> MutantParser {
    parser(&["asap.xml", "imagescope.xml"], XML_WORDS, &["asap", "imagescope"])
}

/// COCO's and MIDOG's.
pub fn annotation_coco() -> MutantParser {
    parser(&["coco.json", "MIDOG.json"], COCO_WORDS, &["coco", "midog"])
}

fn parser(
    seeds: &[&str],
    words: &'static [&'static [u8]],
    formats: &'static [&'static str],
) -> MutantParser {
    let registry = default_registry();
    MutantParser {
        alphabet: Alphabet::Text,
        words,
        seeds: files("tests/golden/annotation", seeds),
        read: Box::new(move |path, _| {
            recognise(path, &registry.annotations)?;
            let read = |format: &&str| read_as(format, path, &registry);
            let outcomes: Vec<Result<()>> = formats.iter().map(read).collect();
            outcomes.into_iter().reduce(Result::or).unwrap_or(Ok(()))
        }),
    }
}

/// Reads a file and asks everything of what is found.
fn read_as(format: &str, path: &Path, registry: &eosin::Registry) -> Result<()> {
    let options = ReadOptions { format: Some(format.into()), ..ReadOptions::default() };
    let set = read_annotations(path, &registry.annotations, &options)?;
    set.counts()?;
    set.objects()?;
    let _ = set.require_inside(2220, 2967);
    let tile = |i: i32| Rectangle::new(f64::from(i) * 100.0 - 200.0, f64::from(i), 256.0, 256.0);
    let tiles: Vec<Rectangle> = (0..20).map(tile).collect();
    for by in [LabelBy::Share(0.3), LabelBy::Centre] {
        let _ = label_tiles(&set, &tiles, &LabelRules { by, ..LabelRules::default() });
    }
    let _ = set.of_slide("001.tiff");
    Ok(())
}
