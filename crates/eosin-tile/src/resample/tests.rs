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

/// Differences stay where the coefficients' fewer bits put them; a sharp texture is the worst case.
#[test]
fn fast_differs_from_pillow_by_little() {
    let image = source();
    for (filter, most) in FAST_DIFFERS_BY {
        let (mut largest, mut sum, mut n) = (0, 0u64, 0u64);
        for line in CASES.lines().skip(1).filter(|line| line.starts_with(filter.name())) {
            let fields: Vec<&str> = line.split(',').collect();
            let edge = |i: usize| fields[i].parse::<f64>().unwrap();
            let part = PixelBox { x0: edge(1), y0: edge(2), x1: edge(3), y1: edge(4) };
            let (width, height) = (edge(5) as u32, edge(6) as u32);
            let exact = resize_box(&image, part, width, height, filter).unwrap();
            let fast = Arithmetic::Fast.resize_box(&image, part, width, height, filter).unwrap();
            assert_eq!((fast.width(), fast.height()), (width, height));
            for (a, b) in exact.data().iter().zip(fast.data()) {
                largest = largest.max(a.abs_diff(*b));
                sum += u64::from(a.abs_diff(*b));
                n += 1;
            }
        }
        let mean = sum as f64 / n as f64;
        println!("{filter}: at most {largest}, mean {mean:.4}");
        assert!(largest <= most && mean < 0.2, "{filter}: {largest} {mean}");
    }
}

/// Levels at most, where neighbours differ by hundreds.
const FAST_DIFFERS_BY: [(Filter, u8); 3] =
    [(Filter::Bilinear, 1), (Filter::Bicubic, 5), (Filter::Lanczos, 9)];

#[test]
fn an_unknown_arithmetic_names_the_known_ones() {
    for arithmetic in Arithmetic::ALL {
        assert_eq!(Arithmetic::named(arithmetic.name()).unwrap(), arithmetic);
    }
    let error = Arithmetic::named("quick").unwrap_err().to_string();
    assert!(error.contains("quick") && error.contains("pillow") && error.contains("fast"));
    let whole = PixelBox { x0: 0.0, y0: 0.0, x1: 62.0, y1: 47.0 };
    assert!(Arithmetic::Fast.resize_box(&source(), whole, 5, 5, Filter::Bilinear).is_err());
    let refused = Arithmetic::Fast.check(Filter::Box).unwrap_err().to_string();
    assert!(refused.contains("bilinear"), "{refused}");
}
