// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a build leaves out is refused by the name of its Cargo feature. With every feature there is
//! nothing to refuse; `cargo xtask ci --full --only combinations` runs this without any.

#![cfg(not(all(feature = "dicom", feature = "icc", feature = "jpeg2000")))]

use std::path::PathBuf;

use eosin_core::{Error, TileUm};
use eosin_tile::{Slide, SlideSource, TilingOptions};

fn workspace(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

#[track_caller]
fn names(error: &Error, feature: &str) {
    assert_eq!(error.hint(), format!("build with the Cargo feature `{feature}`"), "{error}");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}

#[test]
#[cfg(not(feature = "dicom"))]
fn a_dicom_slide_names_its_feature() {
    let slide = Slide::open(workspace("tests/golden/tile/slides/dicom/level-0.dcm"));
    names(&slide.unwrap_err(), "dicom");
}

#[test]
#[cfg(not(feature = "jpeg2000"))]
fn a_slide_of_jpeg_2000_names_its_feature() {
    for slide in ["jpeg2000-rgb.svs", "jpeg2000-ycc.svs"] {
        let slide = Slide::open(workspace("tests/golden/tile/slides").join(slide));
        names(&slide.unwrap_err(), "jpeg2000");
    }
}

#[test]
#[cfg(not(feature = "icc"))]
fn asking_for_srgb_names_its_feature() {
    let options =
        TilingOptions { icc: true, ..TilingOptions::new(TileUm::new(112.0).unwrap(), 224) };
    let slide = workspace("tests/fixtures/cmu-1-small-region.svs");
    names(&SlideSource::open(&slide, &options).unwrap_err(), "icc");
    // The slide itself is read.
    let plain = TilingOptions { icc: false, ..options };
    assert!(SlideSource::open(&slide, &plain).is_ok());
}
