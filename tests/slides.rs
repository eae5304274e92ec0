// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a slide's pixels are treated stands in the contract: `--resampling` and `--icc`.

use std::path::{Path, PathBuf};
use std::process::Output;

use eosin::crates::core::Matrix;
use eosin::crates::store::read_npy;

use crate::common::{eosin, root, text};

fn cmu() -> PathBuf {
    root().join("tests/fixtures/cmu-1-small-region.svs")
}

fn embed(slide: &Path, store: &Path, arguments: &[&str]) -> Output {
    let mut command = eosin();
    command.arg("embed").arg(slide).arg("--store").arg(store);
    command.args(["--backbone", "colour-statistics", "--configs"]).arg(root().join("configs"));
    command.args(arguments).output().unwrap()
}

/// What the store tells of the only set of an embedding, and its rows.
fn embedded(slide: &Path, arguments: &[&str]) -> (String, Matrix) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let output = embed(slide, &store, arguments);
    assert!(output.status.success(), "{}", text(&output));
    let info = eosin().args(["store", "info", "--store"]).arg(&store).output().unwrap();
    assert!(info.status.success(), "{}", text(&info));
    let array = folder.path().join("all.npy");
    let mut export = eosin();
    export.args(["store", "export", "--to", "npy", "--out"]).arg(&array);
    let exported = export.arg("--store").arg(&store).output().unwrap();
    assert!(exported.status.success(), "{}", text(&exported));
    (text(&info), read_npy(&array).unwrap())
}

/// Of all values of two matrices of one shape.
fn largest_difference(a: &Matrix, b: &Matrix) -> f32 {
    assert_eq!((a.n_rows(), a.n_cols()), (b.n_rows(), b.n_cols()));
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The set of an embedding without anything said of it.
fn set(told: &str) -> &str {
    told.lines().next().unwrap()
}

#[test]
fn fast_resampling_is_told_in_the_contract_and_moves_embeddings_a_little() {
    // At 0.55 µm per pixel every tile is resampled.
    let grid = ["--tile-um", "123.2", "--min-tissue", "0.5"];
    let (default, exact) = embedded(&cmu(), &grid);
    let named = ["--resampling", "pillow"];
    let (pillow, again) = embedded(&cmu(), &[&grid[..], &named].concat());
    let (told, fast) = embedded(&cmu(), &[&grid[..], &["--resampling", "fast"]].concat());
    assert!(default.contains("exact bilinear"), "{default}");
    assert!(told.contains("exact fast bilinear"), "{told}");
    assert_eq!((set(&default), &exact), (set(&pillow), &again));
    assert_ne!(set(&default), set(&told));
    // Colour statistics are of 0 to 1; tiles differ by at most 2 levels of 255.
    let difference = largest_difference(&exact, &fast);
    assert!(difference > 0.0 && difference < 0.05, "{difference}");
}

#[test]
fn fast_resampling_refuses_the_box_with_what_to_take() {
    let folder = tempfile::tempdir().unwrap();
    let tiling = folder.path().join("box.toml");
    std::fs::write(&tiling, "tile_um = 123.2\ntile_px = 224\nfilter = \"box\"\n").unwrap();
    let tiling = ["--tiling", tiling.to_str().unwrap()];
    let store = folder.path().join("store");
    let refused = embed(&cmu(), &store, &[&tiling[..], &["--resampling", "fast"]].concat());
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused));
    for expected in ["fast resampling with the filter box", "bicubic", "--resampling pillow"] {
        assert!(text(&refused).contains(expected), "{expected}: {}", text(&refused));
    }
    let unknown = embed(&cmu(), &store, &["--resampling", "quick"]);
    assert_eq!(unknown.status.code(), Some(5), "{}", text(&unknown));
    assert!(text(&unknown).contains("pillow, fast"), "{}", text(&unknown));
    let (told, _) = embedded(&cmu(), &tiling);
    assert!(told.contains("exact box"), "{told}");
}

#[test]
fn an_icc_profile_is_applied_and_told_in_the_contract() {
    let slide = root().join("tests/golden/tile/icc/slide.tiff");
    let grid = ["--tile-um", "16", "--tile-px", "32", "--min-tissue", "0"];
    let (plain, as_scanned) = embedded(&slide, &grid);
    let (told, converted) = embedded(&slide, &[&grid[..], &["--icc"]].concat());
    assert!(!plain.contains("icc"), "{plain}");
    assert!(told.contains("exact bilinear, icc to srgb"), "{told}");
    assert_ne!(set(&plain), set(&told));
    assert!(largest_difference(&as_scanned, &converted) > 0.02);
}

#[test]
fn a_slide_without_an_icc_profile_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let grid = ["--tile-um", "448", "--min-tissue", "0", "--icc"];
    let output = embed(&cmu(), &folder.path().join("store"), &grid);
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no ICC profile") && said.contains("cmu-1-small-region"), "{said}");
    // Without the option there is nothing to say.
    let output = embed(&cmu(), &folder.path().join("plain"), &grid[..4]);
    assert!(!text(&output).contains("ICC"), "{}", text(&output));
}
