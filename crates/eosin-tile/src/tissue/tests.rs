// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

/// A white slide with a pink disc of radius 60 at (100, 80), a speck, and a white hole of 2 px.
fn slide_image() -> RgbImage {
    let mut image = RgbImage::filled(200, 160, [244, 243, 245]);
    for y in 0..160i32 {
        for x in 0..200i32 {
            let inside = (x - 100).pow(2) + (y - 80).pow(2) < 3600;
            let speck = x < 5 && y < 5;
            let hole = (99..101).contains(&x) && (79..81).contains(&y);
            if (inside || speck) && !hole {
                let at = (y * 200 + x) as usize * 3;
                image.data_mut()[at..at + 3].copy_from_slice(&[220, 150, 190]);
            }
        }
    }
    image
}

#[test]
fn a_disc_is_found_without_the_speck_and_the_hole() {
    for preset in ["clam", "otsu"] {
        let options = TissueOptions { min_area: 2e-3, ..TissueOptions::preset(preset).unwrap() };
        let mask = tissue_of_image(&slide_image(), 4.0, &options);
        let expected = 3600.0 * std::f64::consts::PI / 32_000.0;
        assert!((mask.coverage() - expected).abs() < 0.01, "{preset}: {}", mask.coverage());
        assert!(mask.is_tissue(100, 80) && !mask.is_tissue(2, 2), "{preset}");
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "these fractions are exact")]
fn fractions_are_taken_in_level_0_pixels() {
    let tissue = (0..100).map(|i| i % 10 < 5).collect();
    let mask = TissueMask::new(10, 10, tissue, 8.0);
    assert_eq!(mask.fraction(0.0, 0.0, 80.0, 80.0), 0.5);
    assert_eq!(mask.fraction(0.0, 0.0, 40.0, 40.0), 1.0);
    assert_eq!(mask.fraction(40.0, 0.0, 40.0, 40.0), 0.0);
    assert_eq!(mask.fraction(32.0, 16.0, 16.0, 8.0), 0.5);
    assert_eq!(mask.fraction(800.0, 0.0, 40.0, 40.0), 0.0);
    assert_eq!(mask.fraction(-80.0, -80.0, 40.0, 40.0), 0.0);
}

#[test]
fn the_sliding_median_equals_sorting() {
    let (width, height, radius) = (17usize, 11usize, 3isize);
    let values: Vec<u8> = (0..width * height).map(|i| (i * 7919 % 251) as u8).collect();
    let fast = median(&values, width, radius as usize);
    for y in 0..height as isize {
        for x in 0..width as isize {
            let mut window = Vec::new();
            for dy in -radius..=radius {
                for dx in -radius..=radius {
                    let yy = (y + dy).clamp(0, height as isize - 1) as usize;
                    let xx = (x + dx).clamp(0, width as isize - 1) as usize;
                    window.push(values[yy * width + xx]);
                }
            }
            window.sort_unstable();
            assert_eq!(fast[y as usize * width + x as usize], window[window.len() / 2]);
        }
    }
}

#[test]
fn closing_fills_a_gap_and_moves_nothing() {
    let mut mask: Vec<bool> =
        (0..400).map(|i| (5..15).contains(&(i % 20)) && i % 20 != 9).collect();
    let whole: Vec<bool> = (0..400).map(|i| (5..15).contains(&(i % 20))).collect();
    close(&mut mask, 20, 4);
    assert_eq!(mask, whole);
}

#[test]
fn otsu_parts_two_modes() {
    let values: Vec<u8> = (0..100).map(|i| if i < 60 { 10 + i % 5 } else { 90 + i % 7 }).collect();
    assert!((14..90).contains(&otsu(&values)));
}

#[test]
fn an_unknown_preset_lists_the_known() {
    let error = TissueOptions::preset("magic").unwrap_err().to_string();
    assert!(error.contains("clam, otsu, biopsy, tcga, strict"), "{error}");
}

#[test]
fn artefact_rules_take_out_ink_and_black_and_leave_tissue() {
    let mut image = slide_image();
    // A green stroke across the disc and a black border of the scan.
    for y in 0..160u32 {
        for x in 0..200u32 {
            let colour = match (x, y) {
                (_, 0..8) => [6, 2, 0],
                (_, 60..66) => [40, 140, 70],
                _ => continue,
            };
            let at = (y * 200 + x) as usize * 3;
            image.data_mut()[at..at + 3].copy_from_slice(&colour);
        }
    }
    let clam = TissueOptions { min_area: 0.0, ..TissueOptions::default() };
    let fooled = tissue_of_image(&image, 4.0, &clam);
    assert!(fooled.is_tissue(100, 63) && fooled.is_tissue(100, 3));
    let strict = TissueOptions { pen: true, background: true, ..clam };
    let mask = tissue_of_image(&image, 4.0, &strict);
    assert!(!mask.is_tissue(100, 63) && !mask.is_tissue(20, 63) && !mask.is_tissue(100, 3));
    assert!(mask.is_tissue(100, 80) && mask.is_tissue(100, 40));
}

#[test]
fn places_out_of_focus_leave_the_mask() {
    let mask = TissueMask::new(10, 10, vec![true; 100], 8.0);
    let left = mask.without(&[[0.0, 0.0, 40.0, 40.0], [76.0, 70.0, 200.0, 75.0]]);
    assert!(!left.is_tissue(4, 4) && left.is_tissue(5, 4) && left.is_tissue(4, 5));
    let n = (0..100).filter(|&i| left.is_tissue(i % 10, i / 10)).count();
    assert_eq!(n, 100 - 25);
}
