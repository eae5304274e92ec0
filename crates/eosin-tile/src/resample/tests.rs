// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

const BLOB: &[u8] = include_bytes!("../../../../tests/golden/tile/resample.bin");
const CASES: &str = include_str!("../../../../tests/golden/tile/resample.csv");
const WIDTH: u32 = 61;
const HEIGHT: u32 = 47;

fn source() -> RgbImage {
    RgbImage::new(WIDTH, HEIGHT, BLOB[..(WIDTH * HEIGHT * 3) as usize].to_vec()).unwrap()
}

#[test]
fn every_filter_size_and_box_equals_pillow_bit_for_bit() {
    let image = source();
    let mut n_cases = 0;
    for line in CASES.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let filter: Filter = fields[0].parse().unwrap();
        let edge = |i: usize| fields[i].parse::<f64>().unwrap();
        let part = PixelBox { x0: edge(1), y0: edge(2), x1: edge(3), y1: edge(4) };
        let width: u32 = fields[5].parse().unwrap();
        let height: u32 = fields[6].parse().unwrap();
        let offset: usize = fields[7].parse().unwrap();
        let expected = &BLOB[offset..offset + (width * height * 3) as usize];
        let ours = resize_box(&image, part, width, height, filter).unwrap();
        assert_eq!(ours.data(), expected, "{line}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 32);
}

#[test]
fn the_same_size_is_a_copy() {
    let image = source();
    for filter in Filter::ALL {
        assert_eq!(resize(&image, WIDTH, HEIGHT, filter), image);
    }
}

#[test]
fn a_flat_image_stays_flat() {
    let flat = RgbImage::filled(50, 40, [7, 130, 251]);
    for filter in Filter::ALL {
        assert!(resize(&flat, 23, 61, filter).pixels().all(|p| p == [7, 130, 251]), "{filter}");
    }
}

#[test]
fn a_box_outside_the_image_is_refused() {
    let image = source();
    for part in [
        PixelBox { x0: -0.1, y0: 0.0, x1: 5.0, y1: 5.0 },
        PixelBox { x0: 0.0, y0: 0.0, x1: 61.1, y1: 5.0 },
        PixelBox { x0: 5.0, y0: 0.0, x1: 5.0, y1: 5.0 },
        PixelBox { x0: f64::NAN, y0: 0.0, x1: 5.0, y1: 5.0 },
    ] {
        assert!(resize_box(&image, part, 4, 4, Filter::Box).is_err(), "{part:?}");
    }
}

#[test]
fn names_parse_back() {
    for filter in Filter::ALL {
        assert_eq!(filter.name().parse::<Filter>().unwrap(), filter);
    }
    assert!("nearest".parse::<Filter>().is_err());
}
