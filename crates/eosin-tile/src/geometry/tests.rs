// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::tissue::TissueMask;

fn square(x: f64, y: f64, side: f64) -> Vec<[f64; 2]> {
    vec![[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
}

fn close_to(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
}

#[test]
fn a_fraction_is_the_covered_area() {
    let ring = Polygon { outer: square(0.0, 0.0, 100.0), holes: vec![square(40.0, 40.0, 20.0)] };
    close_to(ring.area(), 9600.0);
    let region = Region::new(vec![ring]);
    close_to(region.fraction(0.0, 0.0, 100.0, 100.0), 0.96);
    close_to(region.fraction(50.0, 50.0, 20.0, 20.0), 0.75);
    close_to(region.fraction(-50.0, 0.0, 100.0, 100.0), 0.5 - 0.02);
    close_to(region.fraction(42.0, 42.0, 5.0, 5.0), 0.0);
    close_to(region.fraction(200.0, 0.0, 10.0, 10.0), 0.0);
}

#[test]
fn slanted_and_concave_outlines_are_cut_exactly() {
    // A triangle's half, and a comb whose teeth leave the rectangle and come back.
    let triangle = vec![[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]];
    let region = Region::new(vec![Polygon { outer: triangle, holes: Vec::new() }]);
    close_to(region.fraction(0.0, 0.0, 10.0, 10.0), 0.5);
    let comb = vec![
        [0.0, 0.0],
        [9.0, 0.0],
        [9.0, 20.0],
        [6.0, 20.0],
        [6.0, 5.0],
        [3.0, 5.0],
        [3.0, 20.0],
        [0.0, 20.0],
    ];
    let region = Region::new(vec![Polygon { outer: comb, holes: Vec::new() }]);
    close_to(region.fraction(0.0, 10.0, 9.0, 5.0), 2.0 / 3.0);
}

#[test]
fn contours_cover_exactly_the_mask() {
    // A deterministic mask with holes, parts in holes, and pixels that touch at corners.
    let (width, height) = (37u32, 29u32);
    let tissue: Vec<bool> =
        (0..width * height).map(|i| i.wrapping_mul(2_654_435_761) >> 29 > 2).collect();
    let mask = TissueMask::new(width, height, tissue.clone(), 4.0);
    let polygons = contours(&mask);
    assert!(polygons.len() > 5 && polygons.iter().any(|p| !p.holes.is_empty()));
    let n_tissue = tissue.iter().filter(|&&t| t).count() as f64;
    close_to(polygons.iter().map(Polygon::area).sum(), n_tissue * 16.0);
    let region = Region::new(polygons);
    for y in 0..height {
        for x in 0..width {
            let share = region.fraction(f64::from(x) * 4.0, f64::from(y) * 4.0, 4.0, 4.0);
            close_to(share, f64::from(u8::from(mask.is_tissue(x, y))));
        }
    }
}

#[test]
fn geojson_comes_back_as_it_went() {
    let mask =
        TissueMask::new(3, 3, [true, true, true, true, false, true, true, true, true].into(), 8.0);
    let polygons = contours(&mask);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contours.geojson");
    write_contours(std::fs::File::create(&path).unwrap(), &polygons).unwrap();
    assert_eq!(read_region(&path).unwrap(), Region::new(polygons));
}

#[test]
fn every_shape_of_geojson_is_read_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roi.geojson");
    let ring = "[[0,0],[4,0],[4,4],[0,4],[0,0]]";
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        read_region(&path)
    };
    for (text, n) in [
        (format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#), 1),
        (format!(r#"{{"type":"MultiPolygon","coordinates":[[{ring}],[{ring}]]}}"#), 2),
        (
            format!(
                r#"[{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[{ring}]}}}},
                {{"type":"Feature","geometry":{{"type":"Point","coordinates":[1,2]}}}}]"#
            ),
            1,
        ),
    ] {
        assert_eq!(read(&text).unwrap().polygons().len(), n, "{text}");
    }
    for (text, part) in [
        ("not json", "expected ident"),
        (r#"{"type":"FeatureCollection","features":[]}"#, "none"),
        (r#"{"type":"Polygon","coordinates":[[[0,0],[1,1]]]}"#, "a ring of 2 corners"),
        (r#"{"type":"Polygon","coordinates":[[[0,0],["a",1],[2,2]]]}"#, "the corner"),
        (r#"{"type":"Circle"}"#, "type Circle"),
        ("[[[[[[[[[[[[]]]]]]]]]]]]", "deeper than 8"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
