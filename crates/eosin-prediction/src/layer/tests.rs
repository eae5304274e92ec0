// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::RgbImage;

use super::{Layer, Shown};
use crate::colour::Colours;
use crate::rectangle::Rectangle;

fn tile(left: i64, top: i64) -> Rectangle {
    Rectangle { left, top, right: left + 50, bottom: top + 50 }
}

#[test]
fn tiles_are_coloured_and_the_rest_is_left() {
    let white = RgbImage::filled(10, 10, [200, 150, 150]);
    let mut layer = Layer::new(&white, 10.0);
    layer.add(&tile(0, 0), Shown::Value(0.0));
    layer.add(&tile(50, 50), Shown::Value(1.0));
    // The mean of two tiles on the same place is half way, and what lies outside does no harm.
    layer.add(&tile(50, 0), Shown::Value(0.0));
    layer.add(&tile(50, 0), Shown::Value(1.0));
    layer.add(&tile(-1000, 90), Shown::Value(0.5));
    let image = layer.draw(&white, Colours::Viridis, 1.0);
    assert_eq!(image.pixel(0, 0), [68, 1, 84]);
    assert_eq!(image.pixel(9, 9), [253, 231, 37]);
    assert_eq!(image.pixel(7, 2), [38, 144, 137]);
    assert_eq!(image.pixel(0, 9), [200, 150, 150]);
    // Under a colour the picture is grey: 0.299 × 200 + 0.701 × 150 = 165.
    assert_eq!(layer.draw(&white, Colours::Viridis, 0.0).pixel(0, 0), [165; 3]);
}

#[test]
fn what_most_tiles_are_is_shown_and_of_as_many_what_is_less_sure() {
    let white = RgbImage::filled(5, 5, [255; 3]);
    let drawn = |shown: &[Shown]| {
        let mut layer = Layer::new(&white, 10.0);
        for &shown in shown {
            layer.add(&tile(0, 0), shown);
        }
        layer.draw(&white, Colours::Viridis, 1.0).pixel(2, 0)
    };
    let value = Shown::Value(1.0);
    assert_eq!(drawn(&[value, value, Shown::Uncalled]), [253, 231, 37]);
    assert_eq!(drawn(&[value, Shown::Uncalled, Shown::Uncertain]), [128; 3]);
    assert_eq!(drawn(&[value, Shown::Uncertain]), [204, 121, 167]);
}

#[test]
fn smoothing_spreads_values_to_tiles_and_not_beyond() {
    let white = RgbImage::filled(20, 5, [255; 3]);
    let mut layer = Layer::new(&white, 10.0);
    for (x, value) in [(0, 0.0), (50, 1.0), (100, 0.0)] {
        layer.add(&tile(x, 0), Shown::Value(value));
    }
    let plain = layer.draw(&white, Colours::Viridis, 1.0);
    layer.smooth(0.0);
    assert_eq!(layer.draw(&white, Colours::Viridis, 1.0), plain);
    layer.smooth(3.0);
    let smooth = layer.draw(&white, Colours::Viridis, 1.0);
    assert_ne!(smooth.pixel(7, 2), plain.pixel(7, 2));
    assert_eq!(smooth.pixel(17, 2), [255; 3]);
    // Of equal values the mean is the same everywhere, at the edges too.
    let mut even = Layer::new(&white, 10.0);
    for x in [0, 50, 100] {
        even.add(&tile(x, 0), Shown::Value(0.5));
    }
    let before = even.draw(&white, Colours::Viridis, 1.0);
    even.smooth(4.0);
    assert_eq!(even.draw(&white, Colours::Viridis, 1.0), before);
}
