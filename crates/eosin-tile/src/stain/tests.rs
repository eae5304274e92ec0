// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

const GOLDEN: &str = include_str!("../../../../tests/golden/tile/hed.csv");

#[test]
fn densities_equal_scikit_image() {
    let scale = -DARKEST.ln();
    let mut n = 0;
    for line in GOLDEN.lines().skip(1) {
        let fields: Vec<f64> = line.split(',').map(|f| f.parse().unwrap()).collect();
        let ours = hed_of_pixel([fields[0] as u8, fields[1] as u8, fields[2] as u8]);
        for (ours, theirs) in ours.iter().zip(&fields[3..]) {
            assert!((ours.max(0.0) / scale - theirs).abs() < 1e-10, "{line}: {ours}");
        }
        n += 1;
    }
    assert_eq!(n, 40);
}

#[test]
fn jitter_by_one_and_zero_changes_nothing() {
    let mut image = RgbImage::filled(16, 16, [0; 3]);
    for (i, byte) in image.data_mut().iter_mut().enumerate() {
        *byte = (i * 37 % 256) as u8;
    }
    let before = image.clone();
    hed_jitter(&mut image, [1.0; 3], [0.0; 3]);
    assert_eq!(image, before);
}

#[test]
fn more_haematoxylin_is_darker_and_measured_as_more() {
    let purple = RgbImage::filled(4, 4, [120, 80, 160]);
    let mut more = purple.clone();
    hed_jitter(&mut more, [1.3, 1.0, 1.0], [0.0; 3]);
    assert!(haematoxylin_density(&more) > 1.2 * haematoxylin_density(&purple));
    assert!(haematoxylin_density(&RgbImage::filled(4, 4, [255; 3])) < 1e-12);
}

fn picture(name: &str) -> RgbImage {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tile/");
    crate::read_image(format!("{folder}{name}")).unwrap()
}

fn golden(method: &str, image: &str) -> Vec<f64> {
    include_str!("../../../../tests/golden/tile/stain.csv")
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{method},{image},")))
        .map(|rest| rest.split(',').map(|v| v.parse().unwrap()).collect())
        .unwrap()
}

fn near(ours: &[f64], theirs: &[f64], most: f64) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < most, "{ours} instead of {theirs}");
    }
}

fn at_most_one_level_apart(ours: &RgbImage, name: &str) {
    let theirs = picture(name);
    let apart = |(a, b): (&u8, &u8)| a.abs_diff(*b);
    let differences: Vec<u8> = ours.data().iter().zip(theirs.data()).map(apart).collect();
    // Values are cut to whole numbers, so the last bit of a float may move one by a level.
    assert!(differences.iter().all(|&d| d <= 1), "{:?}", differences.iter().max());
    let n = differences.iter().filter(|&&d| d > 0).count();
    assert!(n * 100 < differences.len(), "{n} of {} differ", differences.len());
}

#[test]
fn macenko_equals_torchstain() {
    let (source, target) = (picture("openslide-1.png"), picture("openslide-0.png"));
    let fits = [&source, &target].map(|image| Macenko::fit([image]).unwrap());
    for (fit, name) in fits.iter().zip(["source", "target"]) {
        let expected = golden("macenko", name);
        near(fit.stains.as_flattened(), &expected[..6], 1e-8);
        near(&fit.largest, &expected[6..], 1e-8);
    }
    let mut image = source;
    fits[0].normalise(&mut image, &fits[1]);
    at_most_one_level_apart(&image, "stain-macenko.png");
}

#[test]
fn reinhard_equals_torchstain() {
    let (source, target) = (picture("openslide-1.png"), picture("openslide-0.png"));
    let fits = [&source, &target].map(|image| Reinhard::fit([image]).unwrap());
    for (fit, name) in fits.iter().zip(["source", "target"]) {
        let expected = golden("reinhard", name);
        // torchstain computes in single precision.
        near(&fit.means, &expected[..3], 1e-3);
        near(&fit.deviations, &expected[3..6], 1e-3);
    }
    let mut image = source;
    fits[0].normalise(&mut image, &fits[1]);
    at_most_one_level_apart(&image, "stain-reinhard.png");
    near(&Reinhard::REFERENCE.means, &golden("reinhard", "target")[..3], 0.01);
}

#[test]
fn too_little_stain_is_refused() {
    let white = RgbImage::filled(64, 64, [250; 3]);
    assert!(Macenko::fit([&white]).unwrap_err().to_string().contains("stained pixels"));
    assert!(Reinhard::fit([&white]).is_err());
    let error = StainNormalization::named("magic").unwrap_err().to_string();
    assert!(error.contains("none, macenko, reinhard"), "{error}");
}
