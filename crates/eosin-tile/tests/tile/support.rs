// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use eosin_core::RgbImage;

/// A folder of the workspace.
pub fn workspace(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// The OpenSlide test slide that is part of the repository.
pub fn cmu() -> PathBuf {
    workspace("tests/fixtures/cmu-1-small-region.svs")
}

/// Largest and mean difference of two images of one size.
pub fn difference(a: &RgbImage, b: &RgbImage) -> (u8, f64) {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let differences = a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = differences.clone().map(u64::from).sum();
    (differences.max().unwrap_or(0), sum as f64 / a.data().len() as f64)
}
