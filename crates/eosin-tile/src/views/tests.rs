// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use eosin_core::TileMeta;

fn tile(id: &str) -> Tile {
    let mut image = RgbImage::filled(12, 12, [0; 3]);
    for (i, byte) in image.data_mut().iter_mut().enumerate() {
        *byte = (60 + i * 31 % 150) as u8;
    }
    let meta = TileMeta {
        tile_id: id.into(),
        slide: id.into(),
        group: id.into(),
        centre: None,
        scanner: None,
        x: 0,
        y: 0,
        size_level0_px: 12,
        requested_mpp: None,
        effective_mpp: None,
        tissue_fraction: 1.0,
        source: String::new(),
        source_digest: String::new(),
    };
    Tile { meta, image }
}

fn still() -> ViewBank {
    ViewBank { hed_sigma: 0.0, brightness: 0.0, contrast: 0.0, ..ViewBank::default() }
}

#[test]
fn view_0_is_the_tile_and_eight_views_are_the_eight_poses() {
    let tile = tile("a");
    let poses: Vec<RgbImage> = (0..8).map(|v| still().apply(&tile, v)).collect();
    assert_eq!(poses[0], tile.image);
    for (i, pose) in poses.iter().enumerate() {
        assert!(poses[i + 1..].iter().all(|other| other != pose), "pose {i} occurs twice");
        let (mut ours, mut theirs) = (pose.data().to_vec(), tile.image.data().to_vec());
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn four_quarter_turns_are_none_and_one_moves_the_corner() {
    let image = tile("a").image;
    let mut turned = image.clone();
    for _ in 0..4 {
        turned = dihedral(&turned, 1);
    }
    assert_eq!(turned, image);
    // Clockwise: the top left corner becomes the top right one.
    assert_eq!(dihedral(&image, 1).pixel(11, 0), image.pixel(0, 0));
    assert_eq!(dihedral(&image, 4).pixel(11, 0), image.pixel(0, 0));
}

#[test]
fn a_view_depends_on_seed_tile_and_number_alone() {
    let bank = ViewBank { blur_px: 1.0, ..ViewBank::default() };
    let view = bank.apply(&tile("a"), 3);
    assert_eq!(view, bank.apply(&tile("a"), 3));
    assert_ne!(view, bank.apply(&tile("b"), 3));
    assert_ne!(view, ViewBank { seed: 1, ..bank.clone() }.apply(&tile("a"), 3));
    // The same pose again, eight views later, is jittered otherwise.
    assert_ne!(view, bank.apply(&tile("a"), 11));
}

#[test]
fn jitter_stays_near_the_tile() {
    let tile = tile("a");
    let bank = ViewBank { dihedral: false, ..ViewBank::default() };
    let view = bank.apply(&tile, 5);
    let largest = view.data().iter().zip(tile.image.data()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(largest > Some(0) && largest < Some(80), "{largest:?}");
}

#[test]
fn blur_keeps_a_flat_tile() {
    let flat = RgbImage::filled(9, 9, [10, 100, 250]);
    assert_eq!(gaussian_blur(&flat, 2.0), flat);
}

#[test]
fn the_description_names_every_parameter() {
    let base = ViewBank::default();
    let changed = [
        ViewBank { n_views: 9, ..base.clone() },
        ViewBank { seed: 9, ..base.clone() },
        ViewBank { dihedral: false, ..base.clone() },
        ViewBank { hed_sigma: 0.01, ..base.clone() },
        ViewBank { brightness: 0.01, ..base.clone() },
        ViewBank { contrast: 0.01, ..base.clone() },
        ViewBank { blur_px: 0.01, ..base.clone() },
        ViewBank { zoom: 0.01, ..base.clone() },
        ViewBank { jpeg_quality: 90, ..base.clone() },
    ];
    for bank in changed {
        assert_ne!(bank.describe(), base.describe(), "{bank:?}");
    }
}

#[test]
fn senseless_banks_are_refused() {
    assert!(ViewBank::default().validate().is_ok());
    for n_views in [0, 1, 257] {
        assert!(ViewBank { n_views, ..ViewBank::default() }.validate().is_err(), "{n_views}");
    }
    assert!(ViewBank { hed_sigma: f64::NAN, ..ViewBank::default() }.validate().is_err());
    assert!(ViewBank { blur_px: 100.0, ..ViewBank::default() }.validate().is_err());
}

#[test]
fn zoom_enlarges_the_middle_and_jpeg_changes_a_little() {
    let mut smooth = tile("a");
    smooth.image = RgbImage::filled(32, 32, [0; 3]);
    for (i, pixel) in smooth.image.data_mut().chunks_exact_mut(3).enumerate() {
        // Brightness grows with the distance from the middle column.
        pixel.fill(40 + 8 * ((i % 32) as i32 - 16).unsigned_abs() as u8);
    }
    let plain = ViewBank { dihedral: false, ..still() };
    assert_eq!(plain.apply(&smooth, 1), smooth.image);

    let zoomed = ViewBank { zoom: 0.5, ..plain.clone() }.apply(&smooth, 1);
    assert_eq!((zoomed.width(), zoomed.height()), (32, 32));
    // Enlarged, the bright edge moves out of sight and the middle stays.
    assert!(zoomed.pixel(0, 16)[0] < smooth.image.pixel(0, 16)[0]);
    assert!(zoomed.pixel(16, 16)[0].abs_diff(smooth.image.pixel(16, 16)[0]) < 8);

    let stored = ViewBank { jpeg_quality: 30, ..plain }.apply(&smooth, 1);
    assert_ne!(stored, smooth.image);
    let (ours, theirs) = (stored.data().iter(), smooth.image.data());
    assert!(ours.zip(theirs).all(|(a, b)| a.abs_diff(*b) < 60));
}

#[test]
fn the_tile_and_its_bank_of_eight_hold_every_pose_once() {
    let tile = tile("a");
    let stored = still().stored_views().map(|view| still().apply(&tile, view));
    let mut images: Vec<Vec<u8>> = stored.map(|image| image.data().to_vec()).collect();
    assert_eq!(images.len(), still().n_stored());
    images.push(tile.image.data().to_vec());
    images.sort_unstable();
    images.dedup();
    assert_eq!(images.len(), 8);
}

#[test]
fn parameters_tell_how_a_view_is_made() {
    let bank =
        ViewBank { blur_px: 0.5, zoom: 0.2, jpeg_quality: 60, n_views: 9, ..ViewBank::default() };
    let plain = bank.parameters("t", 0);
    assert!(plain[0] > 0.5 && plain[1..].iter().all(|&v| v == 0.0), "{plain:?}");
    for view in 1..9 {
        let told = bank.parameters("t", view);
        assert_eq!(told.len(), plain.len());
        assert!(told[usize::from(view % 8)] > 0.5, "{told:?}");
        assert!(told.iter().all(|v| (-1.0..=1.0).contains(v)), "{told:?}");
        assert!(told[8..].iter().all(|&v| v != 0.0), "{told:?}");
        assert_ne!(told, bank.parameters("u", view));
    }
    // What is not drawn from is not told.
    let still = ViewBank { hed_sigma: 0.0, brightness: 0.0, contrast: 0.0, ..ViewBank::default() };
    assert!(still.parameters("t", 3)[8..].iter().all(|&v| v == 0.0));
}
