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
