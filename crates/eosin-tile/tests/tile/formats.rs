// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every format against a public reader. `tests/golden/tile/make_slides.py` writes the synthetic
//! slides and reads them back with OpenSlide, tifffile or pydicom.

use eosin_core::RgbImage;
use eosin_tile::slide::SlideFormat;
use eosin_tile::{Slide, read_image};

use crate::support::{difference, workspace};

const GOLDEN: &str = include_str!("../../../../tests/golden/tile/slides.csv");

/// Largest and mean difference that a codec's rounding explains.
fn tolerance(slide: &str) -> (u8, f64) {
    match slide {
        "lzw.tiff" | "deflate-big-endian.tiff" | "strips.tiff" => (0, 0.0),
        "jpeg2000-rgb.svs" | "jpeg2000-ycc.svs" => (2, 0.3),
        _ => (5, 0.3),
    }
}

#[test]
fn pixels_sizes_and_mpp_equal_a_public_reader() {
    let mut n = 0;
    for line in GOLDEN.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, level, mpp, reader, image] = fields[..] else { panic!("{line}") };
        let folder = workspace("tests/golden/tile/slides");
        let slide = Slide::open(folder.join(name)).unwrap();
        let level: usize = level.parse().unwrap();
        let golden = read_image(folder.join(image)).unwrap();
        let ours = slide.levels()[level];
        assert_eq!((ours.width, ours.height), (golden.width(), golden.height()), "{line}");
        assert_eq!(slide.levels().len(), 2, "{line}");
        let mpp: f64 = mpp.parse().unwrap();
        assert!((slide.mpp().unwrap().get() - mpp).abs() < 1e-9, "{line}: {:?}", slide.mpp());
        let ours = slide.read_region(level, 0, 0, ours.width, ours.height).unwrap();
        let (largest, mean) = difference(&ours, &golden);
        eprintln!("{name} level {level} against {reader}: largest {largest}, mean {mean:.4}");
        let (most, most_mean) = tolerance(name);
        assert!(largest <= most && mean <= most_mean, "{line}: largest {largest}, mean {mean}");
        n += 1;
    }
    assert_eq!(n, 24);
}

#[test]
fn formats_are_told_by_content() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("jpeg-420.tiff", SlideFormat::Tiff),
        ("jpeg2000-rgb.svs", SlideFormat::Aperio),
        ("ndpi.ndpi", SlideFormat::Ndpi),
        ("ome.ome.tif", SlideFormat::OmeTiff),
        ("philips.tiff", SlideFormat::Philips),
        ("leica.scn", SlideFormat::Leica),
        ("dicom/level-0.dcm", SlideFormat::Dicom),
    ] {
        // A name that says nothing.
        let copy = folder.path().join("slide");
        std::fs::copy(workspace("tests/golden/tile/slides").join(name), &copy).unwrap();
        assert_eq!(Slide::open(&copy).unwrap().format(), format, "{name}");
    }
}

#[test]
fn associated_images_are_listed_by_name() {
    let names = |file: &str| -> Vec<String> {
        let slide = Slide::open(workspace("tests/golden/tile/slides").join(file)).unwrap();
        for image in slide.associated() {
            let read: RgbImage = slide.read_associated(&image.name).unwrap();
            assert_eq!((read.width(), read.height()), (image.width, image.height));
        }
        slide.associated().iter().map(|image| image.name.clone()).collect()
    };
    assert_eq!(names("ndpi.ndpi"), ["macro"]);
    assert_eq!(names("leica.scn"), ["macro"]);
    assert!(names("ome.ome.tif").is_empty());
}

/// Golden images of `tests/golden/tile/make_jpeg.py`: what lies behind the image's edge is noise.
#[test]
fn padding_behind_a_jpeg_does_not_bleed_into_its_edges() {
    let folder = workspace("tests/golden/tile/jpeg");
    let mut n = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jpg") {
            let ours = read_image(&path).unwrap();
            let theirs = read_image(path.with_extension("png")).unwrap();
            let (most, mean) = difference(&ours, &theirs);
            // Where both axes are halved, interpolation is libjpeg's own, all over the image.
            let both = path.file_name().unwrap().to_string_lossy().starts_with("420");
            let most_mean = if both { 0.05 } else { 0.3 };
            println!("{}: at most {most}, mean {mean:.3}", path.display());
            assert!(most <= 5 && mean < most_mean, "{}: {most} {mean}", path.display());
            n += 1;
        }
    }
    assert_eq!(n, 6);
}
