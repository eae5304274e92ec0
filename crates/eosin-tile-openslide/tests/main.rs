// SPDX-License-Identifier: MIT OR Apache-2.0

//! The plugin against the built-in reader, with the real library: `EOSIN_OPENSLIDE` names it, or
//! the system has one. `pip install openslide-bin==4.0.1.2` brings it to any platform.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::{SlideReader, TileSource, TileUm};
use eosin_testkit::peers::{real_data, skipped};
use eosin_tile::{Slide, SlideSource, SourceKind, TilingOptions, detect_with, read_image};
use eosin_tile_openslide::OpenSlideReader;

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The library that `EOSIN_OPENSLIDE` names, or the system's; says so where there is none.
fn reader() -> Option<Arc<dyn SlideReader>> {
    let given = std::env::var_os("EOSIN_OPENSLIDE").map(PathBuf::from);
    let reader = given.as_ref().map_or_else(OpenSlideReader::installed, OpenSlideReader::at);
    match reader.version() {
        Ok(version) => {
            eprintln!("OpenSlide {version}");
            Some(Arc::new(reader))
        }
        Err(error) if given.is_none() => {
            skipped("OpenSlide", &format!("{error}, and EOSIN_OPENSLIDE names no libopenslide"));
            None
        }
        Err(error) => panic!("EOSIN_OPENSLIDE: {error}"),
    }
}

fn options(tile_um: f64, reader: &str) -> TilingOptions {
    TilingOptions {
        reader: reader.into(),
        ..TilingOptions::new(TileUm::new(tile_um).unwrap(), 224)
    }
}

/// Largest and mean difference over all tiles of both readers.
fn compare(
    slide: &Path,
    plugin: &Arc<dyn SlideReader>,
    tile_um: f64,
    mpp: Option<f64>,
) -> (u8, f64) {
    let open = |kind: &str| {
        let mpp = mpp.and_then(|mpp| eosin_core::Mpp::new(mpp).ok());
        let options = TilingOptions { mpp, ..options(tile_um, kind) };
        SlideSource::open_with(slide, &options, std::slice::from_ref(plugin)).unwrap()
    };
    let (ours, theirs) = (open("built-in"), open("openslide"));
    assert_eq!((ours.kind(), theirs.kind()), ("slide", "openslide"));
    assert_eq!(ours.tiles().len(), theirs.tiles().len());
    assert!(!ours.tiles().is_empty());
    same_levels(ours.slide(), theirs.slide());
    assert_eq!(ours.slide().mpp(), theirs.slide().mpp());
    let (mut largest, mut sum, mut n) = (0, 0u64, 0u64);
    for i in 0..ours.tiles().len() {
        let (ours, theirs) = (ours.read(i).unwrap(), theirs.read(i).unwrap());
        assert_eq!(ours.meta, theirs.meta);
        for (a, b) in ours.image.data().iter().zip(theirs.image.data()) {
            largest = largest.max(a.abs_diff(*b));
            sum += u64::from(a.abs_diff(*b));
            n += 1;
        }
    }
    (largest, sum as f64 / n as f64)
}

/// The built-in reader has OpenSlide's levels, but for those of Hamamatsu's files that are not
/// stored: OpenSlide decodes a stored level at a half, a quarter and an eighth.
fn same_levels(ours: &Slide, theirs: &Slide) {
    let sizes =
        |slide: &Slide| -> Vec<_> { slide.levels().iter().map(|l| (l.width, l.height)).collect() };
    let (mut stored, all) = (sizes(ours), sizes(theirs));
    let ours = stored.clone();
    if theirs.properties()["openslide.vendor"] == "hamamatsu" {
        for size in ours {
            stored.extend((1..=3).map(|i| (size.0 >> i, size.1 >> i)));
        }
        stored.sort_unstable_by(|a, b| b.cmp(a));
        stored.dedup();
    }
    assert_eq!(stored, all);
}

#[test]
fn levels_and_resolution_are_those_of_the_built_in_reader() {
    let Some(plugin) = reader() else { return };
    let readers = [plugin];
    for file in [
        "jpeg-420.tiff",
        "jpeg-rgb-bigtiff.tiff",
        "lzw.tiff",
        "jpeg2000-rgb.svs",
        "jpeg2000-ycc.svs",
        "philips.tiff",
        "leica.scn",
        "ndpi.ndpi",
        "dicom/level-0.dcm",
    ] {
        let path = workspace("tests/golden/tile/slides").join(file);
        let open = |kind: &str| Slide::open_with(&path, kind, &readers, 0).unwrap();
        let (ours, theirs) = (open("built-in"), open("openslide"));
        eprintln!("{file}: {} levels here, {} there", ours.levels().len(), theirs.levels().len());
        // Of Leica's files OpenSlide shows the whole glass with the image somewhere on it, and of
        // this one it tells no resolution.
        if file == "leica.scn" {
            assert_eq!(ours.levels().len(), theirs.levels().len());
        } else {
            same_levels(&ours, &theirs);
            assert_eq!(ours.mpp(), theirs.mpp(), "{file}");
        }
    }
}

#[test]
fn a_missing_library_is_named_with_the_package_that_brings_it() {
    let reader = OpenSlideReader::at("no-such-folder/libopenslide.so.9");
    let slide = workspace("tests/fixtures/cmu-1-small-region.svs");
    assert!(!reader.recognises(&slide));
    let error = reader.open(&slide).unwrap_err();
    assert!(error.to_string().contains("libopenslide.so.9"), "{error}");
    assert!(error.hint().contains("libopenslide0") && error.hint().contains("openslide-bin"));
    // A file that nobody reads keeps the built-in reader's error, with the package in the hint.
    let readers: [Arc<dyn SlideReader>; 1] = [Arc::new(reader)];
    let file = workspace("Cargo.toml");
    let error = SlideSource::open_with(file, &options(112.0, "auto"), &readers).unwrap_err();
    assert!(error.hint().contains("apt install libopenslide0"), "{}", error.hint());
    let error = Slide::open_with(slide, "bioformats", &readers, 0).unwrap_err();
    assert!(error.to_string().contains("auto, built-in, openslide"), "{error}");
}

#[test]
fn tiles_equal_the_built_in_readers() {
    let Some(plugin) = reader() else { return };
    let slide = workspace("tests/fixtures/cmu-1-small-region.svs");
    for tile_um in [112.0, 150.0] {
        let (largest, mean) = compare(&slide, &plugin, tile_um, None);
        eprintln!("fixture at {tile_um} µm: largest {largest}, mean {mean:.4}");
        assert!(largest <= 5 && mean < 0.3, "largest {largest}, mean {mean}");
    }
    // The second slide's coarse level is 4.0027 times smaller: there OpenSlide interpolates between
    // pixels, since its corners are whole level-0 pixels, so level 0 is compared.
    for (file, mpp, tile_um) in [
        ("CMU-1-Small-Region.svs", None, 224.0),
        ("tcga-cr-7395-01a-01-ts1.svs", Some(0.25), 56.0),
        ("hamamatsu-fluo-dapi.ndpi", None, 224.0),
    ] {
        let Some(slide) = real_data(&format!("slides/{file}")) else { continue };
        let (largest, mean) = compare(&slide, &plugin, tile_um, mpp);
        eprintln!("{file}: largest {largest}, mean {mean:.4}");
        assert!(largest <= 5 && mean < 0.3, "{file}: largest {largest}, mean {mean}");
    }
}

#[test]
fn a_slide_that_only_openslide_reads_is_detected_and_cut() {
    let Some(plugin) = reader() else { return };
    let readers = [plugin];
    let slide = workspace("tests/golden/tile/openslide/hamamatsu.vms");
    assert_eq!(detect_with(&slide, &readers).unwrap(), SourceKind::Slide);
    let source = SlideSource::open_with(&slide, &options(112.0, "auto"), &readers).unwrap();
    assert_eq!(source.kind(), "openslide");
    assert!(source.reader_version().contains('.'), "{}", source.reader_version());
    assert_eq!(source.slide().properties()["openslide.vendor"], "hamamatsu");
    assert!((source.slide().mpp().unwrap().get() - 0.5).abs() < 1e-9);
    eosin_testkit::conformance::tile_source(&source);
    // The slide is one JPEG, cut at its restart markers.
    let golden = read_image(slide.with_file_name("hamamatsu.jpg")).unwrap();
    let (width, height) = source.slide().size();
    let ours = source.slide().read_region(0, 0, 0, width, height).unwrap();
    assert_eq!((golden.width(), golden.height()), (width, height));
    let largest = ours.data().iter().zip(golden.data()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(largest <= Some(5), "{largest:?}");
    let associated: Vec<&str> =
        source.slide().associated().iter().map(|image| image.name.as_str()).collect();
    assert_eq!(associated, ["macro"]);
    let image = source.slide().read_associated("macro").unwrap();
    assert_eq!((image.width(), image.height()), (64, 48));
}
