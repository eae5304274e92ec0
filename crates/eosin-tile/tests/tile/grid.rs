// SPDX-License-Identifier: MIT OR Apache-2.0

//! The grid in µm, its resampling, its tissue, and the trait's conformance.

use eosin_core::{Mpp, TileSource, TileUm};
use eosin_tile::resample::{Filter, resize};
use eosin_tile::{Slide, SlideSource, SourceKind, TileFileOptions, TilingOptions, detect, open};

use crate::support::{cmu, workspace};

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
