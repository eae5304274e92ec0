// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage, TileMeta};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// How a heat map is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeatOptions {
    /// Level-0 pixels per pixel of the thumbnail.
    pub downsample: f64,
    /// Share of the colour where a tile lies, 0 to 1; the thumbnail shows through the rest.
    pub opacity: f64,
    /// Values that get the first and the last colour.
    pub range: (f64, f64),
}

/// Values of tiles on a thumbnail; where tiles overlap, their mean.
///
/// Memory is that of the thumbnail, whatever the number of tiles.
#[derive(Clone, Debug)]
pub struct HeatMap {
    thumbnail: RgbImage,
    options: HeatOptions,
    sums: Vec<f64>,
    counts: Vec<u32>,
}

/// Six colours of matplotlib's viridis, evenly spaced.
const VIRIDIS: [[f64; 3]; 6] = [
    [68.0, 1.0, 84.0],
    [65.0, 68.0, 135.0],
    [42.0, 120.0, 142.0],
    [34.0, 168.0, 132.0],
    [122.0, 209.0, 81.0],
    [253.0, 231.0, 37.0],
];

impl HeatMap {
    /// An empty map over a thumbnail of the slide.
    pub fn new(thumbnail: RgbImage, options: HeatOptions) -> Result<Self> {
        let sound = options.downsample > 0.0
            && options.downsample.is_finite()
            && (0.0..=1.0).contains(&options.opacity)
            && options.range.0 < options.range.1;
        if !sound {
            return Err(Error::input(
                "heat map",
                "a downsample above 0, an opacity of 0 to 1 and a rising range",
                format!("{options:?}"),
                "take the downsample from the thumbnail",
            ));
        }
        let n = thumbnail.pixels().len();
        Ok(Self { thumbnail, options, sums: vec![0.0; n], counts: vec![0; n] })
    }

    /// Adds the value of a tile; one that is not finite, and what lies outside, is left out.
    pub fn add(&mut self, meta: &TileMeta, value: f64) {
        if !value.is_finite() {
            return;
        }
        let side = f64::from(meta.size_level0_px);
        let width = self.thumbnail.width() as usize;
        let columns = self.span(meta.x as f64, side, self.thumbnail.width());
        for y in self.span(meta.y as f64, side, self.thumbnail.height()) {
            for x in columns.clone() {
                self.sums[y * width + x] += value;
                self.counts[y * width + x] += 1;
            }
        }
    }

    /// The thumbnail with the colours over it.
    pub fn draw(&self) -> RgbImage {
        let mut image = self.thumbnail.clone();
        let (low, high) = self.options.range;
        let opacity = self.options.opacity;
        let covered = self.sums.iter().zip(&self.counts);
        for (pixel, (sum, count)) in image.data_mut().chunks_exact_mut(3).zip(covered) {
            if *count == 0 {
                continue;
            }
            let share = (sum / f64::from(*count) - low) / (high - low);
            for (v, colour) in pixel.iter_mut().zip(viridis(share)) {
                *v = (f64::from(*v) * (1.0 - opacity) + colour * opacity).round() as u8;
            }
        }
        image
    }

    /// Pixels of the thumbnail whose centres the span covers.
    fn span(&self, from: f64, side: f64, n: u32) -> std::ops::Range<usize> {
        let at = |edge: f64| (edge / self.options.downsample - 0.5).ceil().clamp(0.0, f64::from(n));
        at(from) as usize..at(from + side) as usize
    }
}

/// The bytes of a PNG file.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(image.data(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|e| {
            Error::input("image", "pixels that PNG holds", e.to_string(), "make it smaller")
        })?;
    Ok(bytes)
}

/// The colour at a share of the range, between the two nearest of the six.
fn viridis(share: f64) -> [f64; 3] {
    let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (at as usize).min(VIRIDIS.len() - 2);
    let t = at - below as f64;
    std::array::from_fn(|k| VIRIDIS[below][k] * (1.0 - t) + VIRIDIS[below + 1][k] * t)
}
