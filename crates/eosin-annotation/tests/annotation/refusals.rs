// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_annotation::{ReadOptions, read_annotations};
use eosin_core::{AnnotationLimits, Error};

use crate::{formats, golden, read, read_text};

#[track_caller]
fn check(name: &str, text: &str, parts: &[&str]) {
    let error = read_text(name, text).unwrap_err();
    let text = format!("{error} hint: {}", error.hint());
    for part in parts.iter().chain([&name]) {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_file_that_ends_early_is_said_to() {
    for file in ["qupath.geojson", "asap.xml", "imagescope.xml", "coco.json", "MIDOG.json"] {
        let text = std::fs::read_to_string(golden(file)).unwrap();
        for share in [0.3, 0.6, 0.9] {
            let mut end = (text.len() as f64 * share) as usize;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            check(file, &text[..end], &["expected a whole file", "its end", "cut off"]);
        }
    }
    // Packed, the unpacking says so.
    let bytes = std::fs::read(golden("qupath-0.2.geojson.gz")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.geojson.gz");
    std::fs::write(&path, &bytes[..bytes.len() - 40]).unwrap();
    let error = read(&path).unwrap_err();
    assert!(error.to_string().contains("short.geojson.gz"), "{error}");
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
}

#[test]
fn what_is_no_format_lists_the_formats() {
    let known = "geojson, asap, imagescope, midog, coco";
    check("a.csv", "path,label\n", &[known, "something else", "--format"]);
    check("a.json", "{}", &[known]);
    check("empty.geojson", "", &[known]);
}

#[test]
fn a_format_that_was_named_is_taken() {
    let options = ReadOptions { format: Some("asap".into()), ..ReadOptions::default() };
    let error = read_annotations(golden("imagescope.xml"), &formats(), &options).unwrap_err();
    assert!(error.to_string().contains("ASAP_Annotations"), "{error}");
    let options = ReadOptions { format: Some("gejson".into()), ..ReadOptions::default() };
    let error = read_annotations(golden("asap.xml"), &formats(), &options).unwrap_err();
    assert_eq!(error.hint(), "did you mean `geojson`?");
}

#[test]
fn damaged_geojson_says_what_and_where() {
    let feature = |geometry: &str| format!(r#"{{"type":"Feature","geometry":{geometry}}}"#);
    for (geometry, part) in [
        (r#"{"type":"Polygon","coordinates":[[[0,"a"],[1,1],[2,0]]]}"#, "invalid type: string"),
        (r#"{"type":"Polygon","coordinates":[[[0],[1,1],[2,0]]]}"#, "less than two numbers"),
        (r#"{"type":"Polygon","coordinates":[[0,0],[1,1],[2,0]]}"#, "less deep a list"),
        (
            r#"{"type":"Polygon","coordinates":[[[0,1e12],[1,1],[2,0]]]}"#,
            "the point 0, 1000000000000",
        ),
        (r#"{"type":"Circle","coordinates":[0,0]}"#, "type \"Circle\""),
        (r#"{"type":"Point","coordinates":[]}"#, "a corner [x, y]"),
    ] {
        check("a.geojson", &feature(geometry), &[part]);
    }
    check("a.geojson", r#"{"geometry":1}"#, &["invalid type: integer"]);
    check("a.geojson", r#"{"features":[{}]}"#, &["without a type"]);
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    check("a.geojson", &feature(&format!(r#"{{"coordinates":{deep}}}"#)), &["recursion limit"]);
}

#[test]
fn damaged_xml_says_what_and_where() {
    let asap = |inner: &str| {
        format!("<ASAP_Annotations><Annotations>{inner}</Annotations></ASAP_Annotations>")
    };
    let dot = |order: &str, x: &str| format!(r#"<Coordinate Order="{order}" X="{x}" Y="2"/>"#);
    let annotation = |kind: &str, inner: &str| {
        asap(&format!(
            r#"<Annotation Name="n" Type="{kind}" PartOfGroup="None"><Coordinates>{inner}</Coordinates></Annotation>"#
        ))
    };
    check("a.xml", &annotation("Dot", &dot("0", "x")), &["a number as X of <Coordinate>", "\"x\""]);
    check("a.xml", &annotation("Dot", r#"<Coordinate X="1" Y="2"/>"#), &["no Order"]);
    let twice = [dot("0", "1"), dot("0", "2")].concat();
    check("a.xml", &annotation("PointSet", &twice), &["Order 0 twice"]);
    check("a.xml", &annotation("Cloud", &dot("0", "1")), &["Type Cloud of \"n\""]);
    check("a.xml", "<ASAP_Annotations><Annotations></ASAP_Annotations>", &["XML", "near byte"]);
    check("a.xml", &asap(r#"<Annotation Name="&bomb;" Type="Dot"/>"#), &["XML"]);
    let deep = asap(&"<a>".repeat(100));
    check("a.xml", &deep, &["tags at most 64 deep"]);
    // A comma is a decimal point too, and a file of it is whole.
    let set = read_text("a.xml", &annotation("Dot", &dot("0", "1,5"))).unwrap();
    assert!((set.bounds().unwrap().left - 1.5).abs() < 1e-12);
}

#[test]
fn boxes_that_fit_only_as_the_other_format_name_it() {
    let text = std::fs::read_to_string(golden("MIDOG.json")).unwrap();
    let renamed = text.replace("MIDOG", "other").replace("mitotic figure", "mitosis");
    check("a.json", &renamed, &["[left, top, width, height]", "--format midog", "2000"]);
    let text = std::fs::read_to_string(golden("coco.json")).unwrap();
    check("midog-like.json", &text, &["[left, top, right, bottom]", "--format coco"]);
}

#[test]
fn run_length_masks_are_refused_by_name() {
    let text = std::fs::read_to_string(golden("coco.json")).unwrap();
    let rle = text
        .replace("\"segmentation\": []", r#""segmentation": {"counts": [1, 2], "size": [3, 4]}"#);
    let error = read_text("a.json", &rle).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }));
    assert!(error.to_string().contains("(RLE) of annotation 11"), "{error}");
}

#[test]
fn dangling_numbers_of_coco_are_named() {
    let text = std::fs::read_to_string(golden("coco.json")).unwrap();
    check(
        "a.json",
        &text.replace("\"image_id\": 2", "\"image_id\": 9"),
        &["image 9 of annotation 13"],
    );
    let other = text.replace("\"category_id\": 2", "\"category_id\": \"x\"");
    check("a.json", &other, &["category x of annotation 12"]);
    check("a.json", &text.replace("\"categories\"", "\"kinds\""), &["no categories"]);
    check("a.json", &text.replace("[0, 0, 10,", "[0, 10,"), &["7 numbers in annotation 12"]);
}

#[test]
fn an_outline_that_crosses_itself_too_often_is_named() {
    let corner = |i: u64| format!("[{},{}]", i * 7919 % 10_007, i * i * 104_729 % 10_009);
    let ring = (0..6000).map(corner).collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"type":"Feature","id":"scribble","geometry":{{"type":"Polygon","coordinates":[[{ring}]]}}}}"#
    );
    let set = read_text("a.geojson", &text).unwrap();
    for error in [set.counts().err(), set.require_inside(100, 100).err(), set.objects().err()] {
        let text = error.unwrap().to_string();
        assert!(text.contains("annotation scribble of 6000 corners"), "{text}");
    }
}

#[test]
fn budgets_are_kept() {
    let limits = AnnotationLimits::default();
    let check = |limits: AnnotationLimits, part: &str| {
        let options = ReadOptions { format: None, limits };
        for file in ["qupath.geojson", "asap.xml", "imagescope.xml", "coco.json", "MIDOG.json"] {
            let error = read_annotations(golden(file), &formats(), &options);
            let error = error.err().map(|e| e.to_string()).unwrap_or_default();
            // Boxes have four corners however few are allowed.
            assert!(
                error.contains(part) || (file == "MIDOG.json" && part == "corners in an"),
                "{file}: {error}"
            );
        }
    };
    check(AnnotationLimits { annotations: 1, ..limits }, "at most 1 annotations");
    check(AnnotationLimits { corners: 3, ..limits }, "corners in all annotations");
    check(AnnotationLimits { text_bytes: 0, ..limits }, "names and classes of at most 0 bytes");
    check(AnnotationLimits { bytes: 100, ..limits }, "more bytes than any file");
}

#[test]
fn annotations_of_another_slide_are_refused_with_the_figures() {
    let set = read(golden("random.geojson")).unwrap();
    set.require_inside(2220, 2967).unwrap();
    let error = set.require_inside(500, 400).unwrap_err();
    let text = format!("{error} hint: {}", error.hint());
    for part in ["random.geojson", "500 × 400 px", "% of their area outside", "bounding box from"]
    {
        assert!(text.contains(part), "{text}");
    }
    let points = r#"{"type":"Feature","geometry":{"type":"MultiPoint","coordinates":[[1,2],[700,2],[800,2]]}}"#;
    let set = read_text("a.geojson", points).unwrap();
    set.require_inside(800, 800).unwrap();
    let error = set.require_inside(500, 500).unwrap_err().to_string();
    assert!(error.contains("2 of 3 points outside"), "{error}");
    // Half outside is still the slide's.
    let half = r#"{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10]]]}"#;
    let set = read_text("a.geojson", half).unwrap();
    set.require_inside(5, 10).unwrap();
    assert!(set.require_inside(4, 10).is_err());
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path()).unwrap_err();
    assert!(error.to_string().contains("a folder"), "{error}");
    assert!(matches!(read(folder.path().join("none")), Err(Error::Environment { .. })));
}
