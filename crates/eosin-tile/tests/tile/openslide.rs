// SPDX-License-Identifier: MIT OR Apache-2.0

//! Against regions that OpenSlide read; `tests/golden/tile/make_openslide.py` makes them.

use eosin_tile::slide::SlideFormat;
use eosin_tile::{Slide, read_image};

use crate::support::{cmu, difference, workspace};

const GOLDEN: &str = include_str!("../../../../tests/golden/tile/openslide.csv");

#[test]
fn regions_levels_and_mpp_equal_openslide() {
    let mut n = 0;
    for line in GOLDEN.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| fields[i].parse::<u32>().unwrap();
        let slide = Slide::open(workspace("tests/fixtures").join(fields[0])).unwrap();
        let level = &slide.levels()[number(1) as usize];
        assert_eq!((level.width, level.height), (number(4), number(5)), "{line}");
        let mpp: f64 = fields[6].parse().unwrap();
        assert!((slide.mpp().unwrap().get() - mpp).abs() < 1e-12, "{line}");
        assert_eq!(slide.levels().len(), number(7) as usize, "{line}");
        let golden = read_image(workspace("tests/golden/tile").join(fields[8])).unwrap();
        let at = |i: usize| (f64::from(number(i)) / level.downsample).round() as i64;
        let ours = slide
            .read_region(number(1) as usize, at(2), at(3), golden.width(), golden.height())
            .unwrap();
        let (largest, mean) = difference(&ours, &golden);
        assert!(largest <= 5 && mean < 0.3, "{line}: largest {largest}, mean {mean}");
        n += 1;
    }
    assert_eq!(n, 3);
}

#[test]
fn aperio_properties_and_associated_images_are_listed() {
    let slide = Slide::open(cmu()).unwrap();
    assert_eq!(slide.format(), SlideFormat::Aperio);
    assert_eq!(slide.properties()["AppMag"], "20");
    let mut listed: Vec<(&str, u32, u32)> =
        slide.associated().iter().map(|i| (i.name.as_str(), i.width, i.height)).collect();
    listed.sort_unstable();
    assert_eq!(listed, [("label", 387, 463), ("macro", 1280, 431), ("thumbnail", 574, 768)]);
    for (name, width, height) in listed {
        let image = slide.read_associated(name).unwrap();
        assert_eq!((image.width(), image.height()), (width, height));
    }
    let error = slide.read_associated("barcode").unwrap_err().to_string();
    assert!(error.contains("thumbnail, label, macro"), "{error}");
}
