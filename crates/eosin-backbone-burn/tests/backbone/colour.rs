// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::RgbImage;

use crate::support::{backbone, batch, golden, tile};

#[test]
fn statistics_agree_with_numpy() {
    let found = backbone("colour-statistics", "auto").embed(&batch(0..4, 224)).unwrap();
    for (found, expected) in found.rows().zip(golden("colour_statistics.json")) {
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 2e-5, "statistic {i}: {found} and {expected}");
        }
    }
}

#[test]
fn a_blank_tile_has_finite_statistics() {
    let mut batch = eosin_core::TileBatch::new(224);
    for colour in [[255; 3], [0; 3], [10, 200, 30]] {
        batch.push(tile(0, RgbImage::filled(224, 224, colour))).unwrap();
    }
    let rows = backbone("colour-statistics", "auto").embed(&batch).unwrap();
    assert_eq!(rows.first_bad_row(), None);
    assert!((rows.row(0)[0] - 1.0).abs() < 1e-6 && rows.row(0)[1] == 0.0);
}
