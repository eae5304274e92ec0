// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::RgbImage;

/// An image to draw on; what lies outside is left out.
pub struct Canvas {
    image: RgbImage,
}

/// A rectangle of a canvas.
#[derive(Clone, Copy)]
pub struct Area {
    pub x: i64,
    pub y: i64,
    pub width: i64,
    pub height: i64,
}

impl Canvas {
    pub fn new(image: RgbImage) -> Self {
        Self { image }
    }

    pub fn into_image(self) -> RgbImage {
        self.image
    }

    /// Mixes a share of a colour, 0 to 1, into a pixel.
    pub fn blend(&mut self, (x, y): (i64, i64), colour: [f64; 3], share: f64) {
        let (width, height) = (i64::from(self.image.width()), i64::from(self.image.height()));
        if !(0..width).contains(&x) || !(0..height).contains(&y) {
            return;
        }
        let at = (y * width + x) as usize * 3;
        for (value, colour) in self.image.data_mut()[at..at + 3].iter_mut().zip(colour) {
            *value = (f64::from(*value) * (1.0 - share) + colour * share).round() as u8;
        }
    }

    /// Fills a rectangle by what `colour` says of each of its pixels.
    pub fn fill(&mut self, area: Area, colour: impl Fn(i64, i64) -> [f64; 3]) {
        for dy in 0..area.height {
            for dx in 0..area.width {
                self.blend((area.x + dx, area.y + dy), colour(dx, dy), 1.0);
            }
        }
    }

    /// A line of one pixel around a rectangle.
    pub fn frame(&mut self, area: Area, colour: [u8; 3]) {
        let colour = colour.map(f64::from);
        let (right, bottom) = (area.x + area.width, area.y + area.height);
        for x in area.x - 1..=right {
            self.blend((x, area.y - 1), colour, 1.0);
            self.blend((x, bottom), colour, 1.0);
        }
        for y in area.y..bottom {
            self.blend((area.x - 1, y), colour, 1.0);
            self.blend((right, y), colour, 1.0);
        }
    }

    /// Puts an image with its upper left corner at a place.
    pub fn put(&mut self, (x, y): (i64, i64), image: &RgbImage) {
        let (width, height) = (i64::from(image.width()), i64::from(image.height()));
        let area = Area { x, y, width, height };
        self.fill(area, |dx, dy| image.pixel(dx as u32, dy as u32).map(f64::from));
    }
}
