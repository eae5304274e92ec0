// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::image_file::decode_image;

const SOURCE: &[u8] = include_bytes!("../../../../tests/golden/tile/icc/source.png");

fn image(png: &[u8]) -> RgbImage {
    decode_image(std::path::Path::new("golden"), png.to_vec()).unwrap()
}

/// Largest and mean difference from what littlecms makes.
fn check(profile: &[u8], theirs: &[u8], most: u8, mean: f64) {
    let (mut ours, theirs) = (image(SOURCE), image(theirs));
    ToSrgb::new(profile).unwrap().apply(&mut ours).unwrap();
    let differences = || ours.data().iter().zip(theirs.data()).map(|(a, b)| a.abs_diff(*b));
    let largest = differences().max().unwrap();
    let sum: u64 = differences().map(u64::from).sum();
    let average = sum as f64 / ours.data().len() as f64;
    println!("at most {largest}, mean {average:.4}");
    assert!(largest <= most && average < mean, "{largest} {average}");
    assert_ne!(ours, image(SOURCE));
}

macro_rules! golden {
    ($file:literal) => {
        include_bytes!(concat!("../../../../tests/golden/tile/icc/", $file))
    };
}

#[test]
fn a_matrix_profile_equals_littlecms() {
    check(golden!("wide.icc"), golden!("wide.png"), 2, 0.1);
}

#[test]
fn a_profile_with_tone_curves_equals_littlecms() {
    check(golden!("curves.icc"), golden!("curves.png"), 2, 0.1);
}

#[test]
fn a_profile_with_a_table_equals_littlecms() {
    check(golden!("table.icc"), golden!("table.png"), 2, 0.3);
}

#[test]
fn damaged_and_foreign_profiles_are_refused() {
    let profile: &[u8] = golden!("wide.icc");
    assert!(ToSrgb::new(&[]).is_err());
    assert!(ToSrgb::new(&profile[..100]).is_err());
    let mut grey = profile.to_vec();
    grey[16..20].copy_from_slice(b"GRAY");
    assert!(ToSrgb::new(&grey).is_err());
    // Any single damage is an error or a conversion, never a panic.
    for at in 0..profile.len() {
        let mut damaged = profile.to_vec();
        damaged[at] ^= 0xFF;
        if let Ok(to_srgb) = ToSrgb::new(&damaged) {
            to_srgb.apply(&mut RgbImage::filled(4, 4, [10, 100, 200])).unwrap();
        }
    }
}
