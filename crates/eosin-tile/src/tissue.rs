// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where tissue is: saturation, median, threshold, closing, and the small parts taken out.
//!
//! The chain and its numbers are CLAM's (Lu et al. 2021, `segmentTissue`).

mod artefact;
mod morphology;

use eosin_core::{Error, Result, RgbImage};
use serde::{Deserialize, Serialize};

use crate::slide::Slide;
use artefact::{blurred, is_background, pen};
use morphology::{close, median, remove_small};

/// Sharpness below which `strict` takes tissue for out of focus. Sections in focus have 0.5 and
/// more at 1 to 4 µm per pixel, a Gaussian blur of 3 px brings them below 0.05.
const DEFAULT_FOCUS: f64 = 0.1;

/// A rectangle in level-0 pixels: left, top, right and bottom.
type Rectangle = [f64; 4];

/// How tissue is told from background.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TissueOptions {
    /// From which saturation on a pixel is tissue.
    pub threshold: Threshold,
    /// Side of the median window on saturation, odd.
    pub median_px: u32,
    /// Side of the square that closes gaps, 0 for none.
    pub close_px: u32,
    /// Longer side of the thumbnail that the mask is made on.
    pub thumbnail_px: u32,
    /// Tissue below this share of the thumbnail's pixels is taken for dirt.
    pub min_area: f64,
    /// Holes below this share of the thumbnail's pixels are filled.
    pub max_hole: f64,
    /// Whether ink of pens is taken out: green, blue, black and strong red, with a margin.
    pub pen: bool,
    /// Whether black is taken out: scanners fill with it what they did not scan, and the saturation
    /// of almost black pixels means nothing.
    pub background: bool,
    /// Places less sharp than this are taken out; 0 leaves the rule out. Sharpness is the variance
    /// of the Laplacian over the variance of the luminance in squares of 32 px of a level at most 8
    /// times smaller than the finest, which is read whole for it.
    pub focus: f64,
}

/// The saturation, 0 to 255, above which a pixel is tissue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// A fixed value.
    Fixed(u8),
    /// Otsu's value between two modes. On a slide that is all tissue it parts pale tissue from
    /// dark, so it is not the default.
    Otsu,
}

/// Which places of a slide are tissue.
#[derive(Clone, Debug, PartialEq)]
pub struct TissueMask {
    width: u32,
    height: u32,
    tissue: Vec<bool>,
    /// Level-0 pixels per mask pixel.
    downsample: f64,
    /// Sums above and left of each pixel, one row and column larger than the mask.
    integral: Vec<u64>,
}

impl Default for TissueOptions {
    /// CLAM's default preset.
    fn default() -> Self {
        Self {
            threshold: Threshold::Fixed(8),
            median_px: 7,
            close_px: 4,
            thumbnail_px: 2048,
            min_area: 1e-4,
            max_hole: 1e-4,
            pen: false,
            background: false,
            focus: 0.0,
        }
    }
}

impl TissueOptions {
    /// Names that [`TissueOptions::preset`] knows.
    pub const PRESETS: [&str; 5] = ["clam", "otsu", "biopsy", "tcga", "strict"];

    /// CLAM's presets by name, `otsu` for its chain with Otsu's threshold, and `strict` for its
    /// default with every rule against artefacts.
    pub fn preset(name: &str) -> Result<Self> {
        let clam = Self::default();
        match name {
            "clam" => Ok(clam),
            "otsu" => Ok(Self { threshold: Threshold::Otsu, ..clam }),
            "biopsy" => Ok(Self {
                threshold: Threshold::Fixed(15),
                median_px: 11,
                close_px: 2,
                min_area: 1e-5,
                ..clam
            }),
            "tcga" => Ok(Self { min_area: 2e-5, ..clam }),
            "strict" => Ok(Self { pen: true, background: true, focus: DEFAULT_FOCUS, ..clam }),
            _ => Err(Error::unsupported(
                format!("tissue preset {name}"),
                &Self::PRESETS,
                "name one of these, or give the values",
            )),
        }
    }
}

/// Finds the tissue of a slide on a thumbnail of it.
pub fn tissue_of_slide(slide: &Slide, options: &TissueOptions) -> Result<TissueMask> {
    if options.thumbnail_px == 0
        || options.thumbnail_px > 8192
        || options.median_px.is_multiple_of(2)
    {
        return Err(Error::input(
            "tissue options",
            "thumbnail-px from 1 to 8192 and an odd median-px",
            format!("{} and {}", options.thumbnail_px, options.median_px),
            "leave them out for CLAM's values",
        ));
    }
    let thumbnail = slide.thumbnail(options.thumbnail_px)?;
    let mut mask = tissue_of_image(&thumbnail.image, thumbnail.downsample, options);
    if options.focus > 0.0 {
        let places = blurred(slide, options.focus)?;
        mask = mask.without(&places);
    }
    Ok(mask)
}

/// Finds the tissue on an image each of whose pixels stands for `downsample` level-0 pixels.
pub fn tissue_of_image(image: &RgbImage, downsample: f64, options: &TissueOptions) -> TissueMask {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let saturation = median(&saturation(image), width, options.median_px as usize / 2);
    let threshold = match options.threshold {
        Threshold::Fixed(value) => value,
        Threshold::Otsu => otsu(&saturation),
    };
    let mut tissue: Vec<bool> = saturation.iter().map(|&s| s > threshold).collect();
    if options.background {
        for (tissue, pixel) in tissue.iter_mut().zip(image.pixels()) {
            *tissue &= !is_background(pixel);
        }
    }
    close(&mut tissue, width, options.close_px as usize);
    if options.pen {
        for (tissue, ink) in tissue.iter_mut().zip(pen(image)) {
            *tissue &= !ink;
        }
    }
    let share = |fraction: f64| (fraction * (width * height) as f64) as usize;
    remove_small(&mut tissue, width, true, share(options.min_area));
    remove_small(&mut tissue, width, false, share(options.max_hole));
    TissueMask::new(image.width(), image.height(), tissue, downsample)
}

impl TissueMask {
    /// Takes one value per pixel in reading order; missing ones are background.
    pub fn new(width: u32, height: u32, mut tissue: Vec<bool>, downsample: f64) -> Self {
        let (columns, rows) = (width as usize, height as usize);
        tissue.resize(columns * rows, false);
        let mut integral = vec![0u64; (columns + 1) * (rows + 1)];
        for y in 0..rows {
            let mut row_sum = 0;
            for x in 0..columns {
                row_sum += u64::from(tissue[y * columns + x]);
                integral[(y + 1) * (columns + 1) + x + 1] =
                    integral[y * (columns + 1) + x + 1] + row_sum;
            }
        }
        Self { width, height, tissue, downsample, integral }
    }

    /// Width in mask pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in mask pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Level-0 pixels per mask pixel.
    pub fn downsample(&self) -> f64 {
        self.downsample
    }

    /// Whether a mask pixel is tissue; outside the mask nothing is.
    pub fn is_tissue(&self, x: u32, y: u32) -> bool {
        x < self.width
            && y < self.height
            && self.tissue[y as usize * self.width as usize + x as usize]
    }

    /// The share of all pixels that are tissue.
    pub fn coverage(&self) -> f64 {
        let all = self.tissue.len().max(1);
        self.tissue.iter().filter(|&&t| t).count() as f64 / all as f64
    }

    /// The share of a level-0 rectangle that is tissue, by the mask pixels that it touches.
    pub fn fraction(&self, x: f64, y: f64, width: f64, height: f64) -> f64 {
        let low = |at: f64, len: u32| {
            ((at / self.downsample).floor().max(0.0) as usize).min(len as usize)
        };
        let high =
            |at: f64, len: u32| ((at / self.downsample).ceil().max(0.0) as usize).min(len as usize);
        let (x0, x1) = (low(x, self.width), high(x + width, self.width));
        let (y0, y1) = (low(y, self.height), high(y + height, self.height));
        if x0 >= x1 || y0 >= y1 {
            return 0.0;
        }
        let sum = |x: usize, y: usize| self.integral[y * (self.width as usize + 1) + x];
        let inside = sum(x1, y1) + sum(x0, y0) - sum(x0, y1) - sum(x1, y0);
        inside as f64 / ((x1 - x0) * (y1 - y0)) as f64
    }

    /// The mask without mask pixels whose middle lies in one of these places.
    fn without(&self, places: &[Rectangle]) -> Self {
        let mut tissue = self.tissue.clone();
        let at = |v: f64, len: u32| {
            ((v / self.downsample - 0.5).ceil().max(0.0) as usize).min(len as usize)
        };
        for &[x0, y0, x1, y1] in places {
            for y in at(y0, self.height)..at(y1, self.height) {
                let row = y * self.width as usize;
                tissue[row + at(x0, self.width)..row + at(x1, self.width)].fill(false);
            }
        }
        Self::new(self.width, self.height, tissue, self.downsample)
    }

    /// The mask as a picture: tissue white, background black.
    pub fn image(&self) -> RgbImage {
        let mut image = RgbImage::filled(self.width, self.height, [0; 3]);
        for (pixel, &tissue) in image.data_mut().chunks_exact_mut(3).zip(&self.tissue) {
            pixel.fill(if tissue { 255 } else { 0 });
        }
        image
    }
}

/// HSV saturation times 255, rounded, as OpenCV has it.
fn saturation(image: &RgbImage) -> Vec<u8> {
    image
        .pixels()
        .map(|[r, g, b]| {
            let (max, min) = (u32::from(r.max(g).max(b)), u32::from(r.min(g).min(b)));
            ((max - min) * 255 + max / 2).checked_div(max).unwrap_or(0) as u8
        })
        .collect()
}

/// The threshold with the largest variance between classes (Otsu 1979); the lowest of equals.
fn otsu(values: &[u8]) -> u8 {
    let mut histogram = [0u64; 256];
    for &value in values {
        histogram[usize::from(value)] += 1;
    }
    let total = values.len() as f64;
    let sum: f64 = histogram.iter().enumerate().map(|(v, &n)| v as f64 * n as f64).sum();
    let (mut n_below, mut sum_below, mut best, mut threshold) = (0.0, 0.0, -1.0, 0);
    for (value, &n) in histogram.iter().enumerate() {
        n_below += n as f64;
        sum_below += value as f64 * n as f64;
        let n_above = total - n_below;
        if n_below > 0.0 && n_above > 0.0 {
            let distance = sum_below / n_below - (sum - sum_below) / n_above;
            let variance = n_below * n_above * distance * distance;
            if variance > best {
                best = variance;
                threshold = value as u8;
            }
        }
    }
    threshold
}

#[cfg(test)]
mod tests;
