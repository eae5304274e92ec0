// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

#[test]
fn what_lies_outside_is_white() {
    let mut region = RgbImage::filled(4, 3, [9; 3]);
    whiten_outside(&mut region, 3, 2);
    assert_eq!(region.pixel(2, 1), [9; 3]);
    assert_eq!(region.pixel(3, 0), [255; 3]);
    assert_eq!(region.pixel(0, 2), [255; 3]);
    whiten_outside(&mut region, -5, 2);
    assert_eq!(region.pixel(0, 0), [255; 3]);
}
