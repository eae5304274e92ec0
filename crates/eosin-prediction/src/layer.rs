// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::RgbImage;

use crate::colour::{Colours, UNCALLED, UNCERTAIN};
use crate::rectangle::Rectangle;

/// What a tile shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shown {
    /// A share of the range, 0 to 1.
    Value(f64),
    /// The head left it uncalled.
    Uncalled,
    /// Its set has several classes, or none.
    Uncertain,
}

/// Values of tiles on the pixels of a thumbnail; where tiles overlap, their mean, or what most of
/// them are. Memory is that of the thumbnail, whatever the number of tiles.
pub struct Layer {
    width: u32,
    height: u32,
    downsample: f64,
    pixels: Vec<Pixel>,
}

#[derive(Clone, Copy, Default)]
struct Pixel {
    sum: f64,
    n_values: u32,
    n_uncalled: u32,
    n_uncertain: u32,
}

impl Layer {
    /// No tile yet, over a thumbnail with so many level-0 pixels per pixel.
    pub fn new(thumbnail: &RgbImage, downsample: f64) -> Self {
        let (width, height) = (thumbnail.width(), thumbnail.height());
        let n = thumbnail.pixels().len();
        Self { width, height, downsample, pixels: vec![Pixel::default(); n] }
    }

    /// Adds a tile; what lies outside is left out.
    pub fn add(&mut self, place: &Rectangle, shown: Shown) {
        let columns = self.span(place.left, place.right, self.width);
        for y in self.span(place.top, place.bottom, self.height) {
            for x in columns.clone() {
                let pixel = &mut self.pixels[y * self.width as usize + x];
                match shown {
                    Shown::Value(value) => {
                        pixel.sum += value;
                        pixel.n_values += 1;
                    }
                    Shown::Uncalled => pixel.n_uncalled += 1,
                    Shown::Uncertain => pixel.n_uncertain += 1,
                }
            }
        }
    }

    /// Averages values with those around them, by nearly a Gaussian of this deviation in pixels
    /// (three boxes); no colour spreads to where no tile with a value lies.
    pub fn smooth(&mut self, deviation: f64) {
        let radius = (((4.0 * deviation * deviation + 1.0).sqrt() - 1.0) / 2.0).round() as usize;
        if radius == 0 {
            return;
        }
        let of = |f: fn(&Pixel) -> f64| self.pixels.iter().map(f).collect::<Vec<f64>>();
        let (mut sums, mut weights) = (of(|p| p.sum), of(|p| f64::from(p.n_values)));
        let (width, height) = (self.width as usize, self.height as usize);
        for values in [&mut sums, &mut weights] {
            for _ in 0..3 {
                box_means(values, width, 1, width, height, radius);
                box_means(values, 1, width, height, width, radius);
            }
        }
        for (pixel, (sum, weight)) in self.pixels.iter_mut().zip(sums.into_iter().zip(weights)) {
            if pixel.n_values > 0 {
                pixel.sum = sum / weight * f64::from(pixel.n_values);
            }
        }
    }

    /// The thumbnail with the colours over it. Under a colour the picture is grey, so that the
    /// stain does not change what a colour looks like.
    pub fn draw(&self, thumbnail: &RgbImage, colours: Colours, opacity: f64) -> RgbImage {
        let mut image = thumbnail.clone();
        let width = self.width as usize;
        let pixels = image.data_mut().chunks_exact_mut(3).zip(&self.pixels);
        for (at, (rgb, pixel)) in pixels.enumerate() {
            let Some(shown) = pixel.shown() else { continue };
            let colour = colour_of(shown, colours, (at % width) as i64, (at / width) as i64);
            let grey = luminance([rgb[0], rgb[1], rgb[2]]);
            for (value, colour) in rgb.iter_mut().zip(colour) {
                *value = (grey * (1.0 - opacity) + colour * opacity).round() as u8;
            }
        }
        image
    }

    /// Pixels whose centres the span covers.
    fn span(&self, from: i64, to: i64, n: u32) -> std::ops::Range<usize> {
        let at = |edge: i64| (edge as f64 / self.downsample - 0.5).ceil().clamp(0.0, f64::from(n));
        at(from) as usize..at(to) as usize
    }
}

impl Pixel {
    /// What most tiles on it are; of as many, what is less sure.
    fn shown(self) -> Option<Shown> {
        let most = self.n_values.max(self.n_uncalled).max(self.n_uncertain);
        match most {
            0 => None,
            n if n == self.n_uncalled => Some(Shown::Uncalled),
            n if n == self.n_uncertain => Some(Shown::Uncertain),
            _ => Some(Shown::Value(self.sum / f64::from(self.n_values))),
        }
    }
}

/// The colour of a pixel; what has no value is hatched too, so that it is told apart in grey print.
pub fn colour_of(shown: Shown, colours: Colours, x: i64, y: i64) -> [f64; 3] {
    let hatched = |colour: [u8; 3], way: i64, line: f64| {
        if (x + way * y).rem_euclid(8) < 2 { [line; 3] } else { colour.map(f64::from) }
    };
    match shown {
        Shown::Value(share) => colours.at(share),
        Shown::Uncalled => hatched(UNCALLED, 1, 60.0),
        Shown::Uncertain => hatched(UNCERTAIN, -1, 255.0),
    }
}

/// Lightness of sRGB by the weights of Rec. 601.
fn luminance(rgb: [u8; 3]) -> f64 {
    let [r, g, b] = rgb.map(f64::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Sums of `2 × radius + 1` values along each of `n_lines` lines; beyond the ends are zeros.
fn box_means(
    values: &mut [f64],
    line_step: usize,
    step: usize,
    n: usize,
    n_lines: usize,
    radius: usize,
) {
    let mut before = vec![0.0; n + 1];
    let scale = 1.0 / (2 * radius + 1) as f64;
    for line in 0..n_lines {
        let start = line * line_step;
        for i in 0..n {
            before[i + 1] = before[i] + values[start + i * step];
        }
        for i in 0..n {
            let (from, to) = (i.saturating_sub(radius), (i + radius + 1).min(n));
            values[start + i * step] = (before[to] - before[from]) * scale;
        }
    }
}

#[cfg(test)]
mod tests;
