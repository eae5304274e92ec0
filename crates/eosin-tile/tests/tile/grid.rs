// SPDX-License-Identifier: MIT OR Apache-2.0

//! The grid in µm, its resampling, its tissue, and the trait's conformance.

use eosin_core::{Mpp, TileSource, TileUm};
use eosin_tile::resample::{Arithmetic, Filter, resize};
use eosin_tile::{
    Slide, SlideSource, SourceKind, StainNormalization, TileFileOptions, TilingOptions, detect,
    open,
};

use crate::support::{cmu, difference, workspace};

fn options(um: f64, px: u32) -> TilingOptions {
    TilingOptions::new(TileUm::new(um).unwrap(), px)
}

#[test]
fn the_suite_for_tile_sources_passes() {
    let source = SlideSource::open(cmu(), &options(224.0, 224)).unwrap();
    eosin_testkit::conformance::tile_source(&source);
}

#[test]
fn at_the_native_resolution_a_tile_is_a_plain_crop() {
    // 0.499 µm × 200 px.
    let source = SlideSource::open(cmu(), &options(99.8, 200)).unwrap();
    let slide = Slide::open(cmu()).unwrap();
    assert_eq!(source.tiles().len(), 11 * 14);
    for index in [0, 12, 153] {
        let tile = source.read(index).unwrap();
        let crop = slide.read_region(0, tile.meta.x, tile.meta.y, 200, 200).unwrap();
        assert!(tile.image == crop, "{}", tile.meta.tile_id);
    }
    assert_eq!(source.tiles()[12].tile_id, "cmu-1-small-region:200:200:200");
}

#[test]
fn a_resampled_tile_equals_that_part_of_the_resampled_slide() {
    // The whole slide at a third, and tiles of it: 64 px of 192 level-0 px.
    let slide = Slide::open(cmu()).unwrap();
    let whole = slide.read_region(0, 0, 0, 2220, 2967).unwrap();
    for filter in Filter::ALL {
        let third = resize(&whole, 740, 989, filter);
        let options = TilingOptions { filter, ..options(192.0 * 0.499, 64) };
        let source = SlideSource::open(cmu(), &options).unwrap();
        let tile = source.tiles().iter().position(|t| (t.x, t.y) == (576, 960)).unwrap();
        let image = source.read(tile).unwrap().image;
        for y in 0..64 {
            for x in 0..64 {
                assert_eq!(image.pixel(x, y), third.pixel(192 + x, 320 + y), "{filter} {x} {y}");
            }
        }
    }
}

#[test]
fn the_resolution_is_exact_or_native_within_the_tolerance() {
    let exact = SlideSource::open(cmu(), &options(112.0, 224)).unwrap();
    assert!(exact.mpp_residual().abs() < 1e-12);
    assert_eq!(exact.tiles()[0].effective_mpp, Mpp::new(0.5).ok());
    let native = TilingOptions { mpp_tolerance: 0.01, ..options(112.0, 224) };
    let native = SlideSource::open(cmu(), &native).unwrap();
    assert!((native.mpp_residual() + 0.002).abs() < 1e-9, "{}", native.mpp_residual());
    assert_eq!(native.tiles()[0].requested_mpp, Mpp::new(0.5).ok());
    assert_eq!(native.tiles()[0].size_level0_px, 224);
    let crop = native.slide().read_region(0, 224, 0, 224, 224).unwrap();
    assert!(native.read(1).unwrap().image == crop);
}

#[test]
fn inventing_pixels_is_refused() {
    let error = SlideSource::open(cmu(), &options(28.0, 224)).unwrap_err();
    assert!(error.to_string().contains("0.499") && error.hint().contains("max_upsampling"));
}

#[test]
fn overlap_shortens_the_step_and_tissue_filters() {
    let plain = SlideSource::open(cmu(), &options(112.0, 224)).unwrap();
    let half = TilingOptions { overlap: 0.5, ..options(112.0, 224) };
    let half = SlideSource::open(cmu(), &half).unwrap();
    assert_eq!((plain.tiles().len(), half.tiles().len()), (9 * 13, 18 * 25));
    assert_eq!(half.tiles()[1].x, 112);
    assert!(plain.mask().is_none());
    let strict = TilingOptions { min_tissue: 0.9, ..options(112.0, 224) };
    let strict = SlideSource::open(cmu(), &strict).unwrap();
    let n = strict.tiles().len();
    assert!(n > 20 && n < 117, "{n}");
    assert!(strict.tiles().iter().all(|t| t.tissue_fraction >= 0.9));
}

#[test]
fn threads_read_the_same_pixels() {
    let source = SlideSource::open(cmu(), &options(224.0, 224)).unwrap();
    let alone: Vec<_> = (0..source.tiles().len()).map(|i| source.read(i).unwrap()).collect();
    // A cache of nothing, so that pieces are decoded again and again.
    let small = TilingOptions { cache_mib: 0, ..options(224.0, 224) };
    let source = SlideSource::open(cmu(), &small).unwrap();
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (source, alone) = (&source, &alone);
            scope.spawn(move || {
                for i in (start..alone.len()).step_by(4) {
                    assert!(source.read(i).unwrap() == alone[i]);
                }
            });
        }
    });
}

#[test]
fn content_tells_what_a_path_holds() {
    assert_eq!(detect(cmu()).unwrap(), SourceKind::Slide);
    assert_eq!(detect(workspace("tests/golden/tile")).unwrap(), SourceKind::Folder);
    assert_eq!(detect(workspace("tests/golden/tile/hed.csv")).unwrap(), SourceKind::Manifest);
    let blob = detect(workspace("tests/golden/tile/openslide-0.png")).unwrap_err();
    assert!(blob.to_string().contains("another kind"), "{blob}");
    let source = open(cmu(), &options(224.0, 224), TileFileOptions::default()).unwrap();
    assert_eq!(source.kind(), "slide");
}

/// Tiles in the rectangle from (444, 448) to (1332, 1344), which tile corners of 224 px straddle.
const ROI: &str = r#"{"type":"Feature","properties":{},"geometry":{"type":"Polygon",
    "coordinates":[[[444,448],[1332,448],[1332,1344],[444,1344],[444,448]]]}}"#;

#[test]
fn a_region_of_interest_keeps_tiles_by_their_covered_share() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cmu-1-small-region.geojson"), ROI).unwrap();
    std::fs::write(folder.path().join("roi.json"), ROI).unwrap();
    let tiles = |roi: &str, min_roi: f64| {
        let roi = Some(folder.path().join(roi));
        // 0.499 µm × 224 px, so that a tile is 224 level-0 px.
        let options = TilingOptions { roi, min_roi, ..options(0.499 * 224.0, 224) };
        let source = SlideSource::open(cmu(), &options).unwrap();
        source.tiles().iter().map(|t| (t.x, t.y)).collect::<Vec<_>>()
    };
    // Columns at 448 to 1120 lie inside or nearly (1344 is cut at 1332), rows at 448 to 1120.
    let expected: Vec<(i64, i64)> =
        (2..6).flat_map(|row| (2..6).map(move |column| (column * 224, row * 224))).collect();
    assert_eq!(tiles("roi.json", 0.9), expected);
    assert_eq!(tiles("", 0.9), expected, "a folder with a file of the slide's name");
    assert_eq!(tiles("roi.json", 0.96).len(), 12, "the last column is covered by 212 of 224 px");
    let other = tempfile::tempdir().unwrap();
    let options = TilingOptions { roi: Some(other.path().into()), ..options(0.499 * 224.0, 224) };
    assert_eq!(SlideSource::open(cmu(), &options).unwrap().tiles().len(), 9 * 13);
}

#[test]
fn a_table_gives_slides_their_resolution() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("mpp.csv");
    std::fs::write(&table, "slide,mpp\ncmu-1-small-region.svs,0.25\nother,1\n").unwrap();
    let from_table = TilingOptions { mpp_csv: Some(table.clone()), ..options(56.0, 224) };
    let source = SlideSource::open(cmu(), &from_table).unwrap();
    assert_eq!(source.tiles()[0].size_level0_px, 224);
    let given = TilingOptions { mpp: Mpp::new(0.5).ok(), ..from_table.clone() };
    assert!(SlideSource::open(cmu(), &given).is_err(), "0.5 goes before the table's 0.25");
    std::fs::write(&table, "slide,mpp\nother,1\n").unwrap();
    let error = SlideSource::open(cmu(), &from_table).unwrap_err();
    assert!(error.to_string().contains("0.499"), "the slide's own resolution is left: {error}");
}

#[test]
fn a_preview_tints_the_tiles_and_outlines_the_tissue() {
    let strict = TilingOptions { min_tissue: 0.9, ..options(112.0, 224) };
    let source = SlideSource::open(cmu(), &strict).unwrap();
    let thumbnail = source.slide().thumbnail(600).unwrap();
    let image = eosin_tile::preview(&source, source.mask(), 600).unwrap();
    assert_eq!(
        (image.width(), image.height()),
        (thumbnail.image.width(), thumbnail.image.height())
    );
    let green = image.pixels().filter(|&p| p == [0, 158, 115]).count();
    assert!(green > 300, "{green} pixels of outline");
    // The middle of a tile is bluer than the slide; a place that no tile covers is as it was.
    let at = |v: f64| (v / thumbnail.downsample) as u32;
    let meta = &source.tiles()[10];
    let middle = (at(meta.x as f64 + 112.0), at(meta.y as f64 + 112.0));
    let expected = thumbnail.image.pixel(middle.0, middle.1);
    let tinted = image.pixel(middle.0, middle.1);
    assert!(tinted[0] < expected[0] && tinted != [0, 158, 115], "{tinted:?} {expected:?}");
    let last = (image.width() - 2, image.height() - 2);
    assert_eq!(image.pixel(last.0, last.1), thumbnail.image.pixel(last.0, last.1));
}

#[test]
fn a_stain_is_fitted_once_per_slide_and_is_part_of_the_contract() {
    let plain = TilingOptions { min_tissue: 0.9, ..options(112.0, 224) };
    let source = SlideSource::open(cmu(), &plain).unwrap();
    for stain in [StainNormalization::Macenko, StainNormalization::Reinhard] {
        let options = TilingOptions { stain, ..plain.clone() };
        assert!(options.mpp_policy().ends_with(stain.name()), "{}", options.mpp_policy());
        let normalised = SlideSource::open(cmu(), &options).unwrap();
        let tile = normalised.read(3).unwrap().image;
        assert_ne!(tile, source.read(3).unwrap().image);
        // Reading in another order on another source fits the same.
        let again = SlideSource::open(cmu(), &options).unwrap();
        again.read(7).unwrap();
        assert_eq!(tile, again.read(3).unwrap().image);
    }
}

#[test]
fn the_strict_preset_leaves_clean_tissue_alone() {
    let slide = Slide::open(cmu()).unwrap();
    let coverage = |preset: &str| {
        let options = eosin_tile::TissueOptions::preset(preset).unwrap();
        eosin_tile::tissue::tissue_of_slide(&slide, &options).unwrap().coverage()
    };
    let (clam, strict) = (coverage("clam"), coverage("strict"));
    eprintln!("tissue by clam {clam:.4}, by strict {strict:.4}");
    assert!(strict <= clam && strict > 0.97 * clam, "{strict} of {clam}");
}

#[test]
fn fast_resampling_is_another_contract_with_nearly_the_same_tiles() {
    let exact = options(123.2, 224);
    let fast = TilingOptions { resampling: Arithmetic::Fast, ..exact.clone() };
    assert_eq!(exact.mpp_policy(), "exact bilinear");
    assert_eq!(fast.mpp_policy(), "exact fast bilinear");
    let (exact, fast) =
        (SlideSource::open(cmu(), &exact).unwrap(), SlideSource::open(cmu(), &fast).unwrap());
    assert_eq!(exact.tiles(), fast.tiles());
    for index in [0, 17, 40] {
        let (a, b) = (exact.read(index).unwrap().image, fast.read(index).unwrap().image);
        let (most, mean) = difference(&a, &b);
        println!("tile {index}: at most {most}, mean {mean:.4}");
        assert!(most <= 2 && mean < 0.1, "{most} {mean}");
    }
}

#[test]
fn icc_profiles_are_applied_when_asked_for() {
    let slide = workspace("tests/golden/tile/icc/slide.tiff");
    let plain = options(16.0, 32);
    let icc = TilingOptions { icc: true, ..plain.clone() };
    assert_eq!(icc.mpp_policy(), "exact bilinear, icc to srgb");
    let plain = SlideSource::open(&slide, &plain).unwrap();
    let converted = SlideSource::open(&slide, &icc).unwrap();
    assert!(converted.is_converted() && !plain.is_converted());
    // Written by Pillow with littlecms, see make_icc.py.
    let golden = eosin_tile::read_image(workspace("tests/golden/tile/icc/wide.png")).unwrap();
    let source = eosin_tile::read_image(workspace("tests/golden/tile/icc/source.png")).unwrap();
    for (index, meta) in converted.tiles().iter().enumerate() {
        let crop = |image: &eosin_core::RgbImage| {
            let row = |y: u32| (0..32).flat_map(move |x| [(meta.x as u32 + x, meta.y as u32 + y)]);
            let pixels = (0..32).flat_map(row).flat_map(|(x, y)| image.pixel(x, y)).collect();
            eosin_core::RgbImage::new(32, 32, pixels).unwrap()
        };
        assert!(plain.read(index).unwrap().image == crop(&source));
        let (most, _) = difference(&converted.read(index).unwrap().image, &crop(&golden));
        assert!(most <= 2, "{most}");
    }
    // DICOM keeps it with the optical path.
    let dicom = Slide::open(workspace("tests/golden/tile/icc/slide.dcm")).unwrap();
    let profile = std::fs::read(workspace("tests/golden/tile/icc/curves.icc")).unwrap();
    assert_eq!(dicom.icc_profile(), Some(profile.as_slice()));
    // A slide that holds none is taken for sRGB, and says so.
    let without = SlideSource::open(cmu(), &TilingOptions { icc: true, ..options(112.0, 224) });
    assert!(!without.unwrap().is_converted());
}
