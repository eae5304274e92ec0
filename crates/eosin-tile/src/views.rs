// SPDX-License-Identifier: MIT OR Apache-2.0

//! A bank of views: the same tile turned, stained and focused a little differently.

use eosin_core::{Error, Result, RgbImage, Tile};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use serde::{Deserialize, Serialize};

use crate::codec::jpeg;
use crate::resample::{Filter, PixelBox, resize_box};
use crate::stain::hed_jitter;

/// Which views of each tile are embedded.
///
/// View 0 is the tile as it is. It has a set of its own, so that a bank of V views stores the other
/// V − 1, and the tile with its bank is V images of equal weight. View v stands in dihedral pose
/// v mod 8: eight views hold every pose once. Its jitter is drawn from the seed, the tile's id and v
/// alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewBank {
    /// Views per tile, the tile itself among them.
    pub n_views: u16,
    /// Seed of all draws.
    pub seed: u64,
    /// Whether views are turned and mirrored.
    pub dihedral: bool,
    /// Each stain is multiplied by 1 ± this and raised by 0 ± this, in natural density.
    pub hed_sigma: f64,
    /// Intensities are multiplied by 1 ± this.
    pub brightness: f64,
    /// Distances from the mean intensity are multiplied by 1 ± this.
    pub contrast: f64,
    /// Standard deviation in pixels of the strongest Gaussian blur; views draw from 0 to this.
    pub blur_px: f64,
    /// Views show the middle of the tile enlarged by a factor from 1 to 1 + this.
    pub zoom: f64,
    /// Views are stored as JPEG of a quality from this to 100 and read again; 0 leaves it out.
    pub jpeg_quality: u8,
}

impl Default for ViewBank {
    fn default() -> Self {
        Self {
            n_views: 8,
            seed: 0,
            dihedral: true,
            hed_sigma: 0.05,
            brightness: 0.05,
            contrast: 0.05,
            blur_px: 0.0,
            zoom: 0.0,
            jpeg_quality: 0,
        }
    }
}

impl ViewBank {
    /// Refuses values that make no sense.
    pub fn validate(&self) -> Result<()> {
        let fault = |key: &str, expected: &str, found: String| {
            Err(Error::input(
                format!("view bank {key}"),
                expected,
                found,
                "leave it out for the default; --views gives n_views",
            ))
        };
        if !(2..=256).contains(&self.n_views) {
            return fault("n_views", "2 to 256", self.n_views.to_string());
        }
        for (key, value) in [
            ("hed_sigma", self.hed_sigma),
            ("brightness", self.brightness),
            ("contrast", self.contrast),
        ] {
            if !(0.0..1.0).contains(&value) {
                return fault(key, "0 to below 1", value.to_string());
            }
        }
        if !(0.0..=16.0).contains(&self.blur_px) {
            return fault("blur_px", "0 to 16", self.blur_px.to_string());
        }
        if !(0.0..=1.0).contains(&self.zoom) {
            return fault("zoom", "0 to 1", self.zoom.to_string());
        }
        if self.jpeg_quality > 100 {
            return fault("jpeg_quality", "1 to 100, or 0 for none", self.jpeg_quality.to_string());
        }
        Ok(())
    }

    /// The views of a tile that a bank holds, in the order of its rows: row i of a tile shows view
    /// i + 1, since view 0 is the tile itself.
    pub fn stored_views(&self) -> impl ExactSizeIterator<Item = u16> + use<> {
        1..self.n_views
    }

    /// Rows of a bank for each tile.
    pub fn n_stored(&self) -> usize {
        self.stored_views().len()
    }

    /// Everything that the views depend on, for the contract's `view`.
    pub fn describe(&self) -> String {
        let Self {
            n_views,
            seed,
            dihedral,
            hed_sigma,
            brightness,
            contrast,
            blur_px,
            zoom,
            jpeg_quality,
        } = self;
        // Banks of the first kind held view V too, which stands as the tile does where V is 8.
        format!(
            "bank-2 n-views={n_views} seed={seed} dihedral={dihedral} hed-sigma={hed_sigma} \
             brightness={brightness} contrast={contrast} blur-px={blur_px} zoom={zoom} \
             jpeg-quality={jpeg_quality}"
        )
    }

    /// View `view` of a tile; the same arguments give the same bytes always.
    pub fn apply(&self, tile: &Tile, view: u16) -> RgbImage {
        if view == 0 {
            return tile.image.clone();
        }
        let Jitter { pose, alpha, beta, gain, contrast, blur, zoom, quality } =
            self.jitter(&tile.meta.tile_id, view);
        let mut image = dihedral(&tile.image, pose);
        if zoom > 1.0 {
            image = enlarged(&image, zoom);
        }
        if self.hed_sigma > 0.0 {
            hed_jitter(&mut image, alpha, beta);
        }
        if self.brightness > 0.0 || self.contrast > 0.0 {
            scale_intensity(&mut image, gain, contrast);
        }
        if blur > 0.05 {
            image = gaussian_blur(&image, blur);
        }
        if self.jpeg_quality > 0 { through_jpeg(image, quality) } else { image }
    }

    /// How a view is made, as numbers from −1 to 1: a flag per pose, then stains, intensity, blur,
    /// zoom and JPEG quality, each as a share of its strongest setting.
    pub fn parameters(&self, tile_id: &str, view: u16) -> Vec<f32> {
        let jitter = if view == 0 { Jitter::none() } else { self.jitter(tile_id, view) };
        let share = |value: f64, strongest: f64| {
            if strongest > 0.0 { (value / strongest) as f32 } else { 0.0 }
        };
        let mut parameters = vec![0.0; 8];
        parameters[usize::from(jitter.pose)] = 1.0;
        parameters.extend(jitter.alpha.map(|alpha| share(alpha - 1.0, self.hed_sigma)));
        parameters.extend(jitter.beta.map(|beta| share(beta, self.hed_sigma)));
        let lossless = f64::from(100 - self.jpeg_quality.min(100));
        let lost = if self.jpeg_quality > 0 { f64::from(100 - jitter.quality) } else { 0.0 };
        parameters.extend([
            share(jitter.gain - 1.0, self.brightness),
            share(jitter.contrast - 1.0, self.contrast),
            share(jitter.blur, self.blur_px),
            share(jitter.zoom - 1.0, self.zoom),
            share(lost, lossless),
        ]);
        parameters
    }

    fn jitter(&self, tile_id: &str, view: u16) -> Jitter {
        let mut draws = Draws::new(self.seed, tile_id, view);
        let quality = f64::from(self.jpeg_quality);
        // Every draw is made whether it is used or not, so that one setting never shifts another's.
        Jitter {
            pose: if self.dihedral { (view % 8) as u8 } else { 0 },
            alpha: [(); 3].map(|()| 1.0 + self.hed_sigma * draws.symmetric()),
            beta: [(); 3].map(|()| self.hed_sigma * draws.symmetric()),
            gain: 1.0 + self.brightness * draws.symmetric(),
            contrast: 1.0 + self.contrast * draws.symmetric(),
            blur: self.blur_px * draws.unit(),
            zoom: 1.0 + self.zoom * draws.unit(),
            quality: (quality + (100.0 - quality) * draws.unit()).round() as u8,
        }
    }
}

/// How one view is made.
struct Jitter {
    pose: u8,
    /// Factor and shift of each stain.
    alpha: [f64; 3],
    beta: [f64; 3],
    gain: f64,
    contrast: f64,
    blur: f64,
    zoom: f64,
    quality: u8,
}

impl Jitter {
    /// The tile as it is.
    fn none() -> Self {
        Self {
            pose: 0,
            alpha: [1.0; 3],
            beta: [0.0; 3],
            gain: 1.0,
            contrast: 1.0,
            blur: 0.0,
            zoom: 1.0,
            quality: 100,
        }
    }
}

/// The middle of the image at its old size.
fn enlarged(image: &RgbImage, factor: f64) -> RgbImage {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let (x, y) = ((width - width / factor) / 2.0, (height - height / factor) / 2.0);
    let middle = PixelBox { x0: x, y0: y, x1: width - x, y1: height - y };
    resize_box(image, middle, image.width(), image.height(), Filter::Bicubic)
        .unwrap_or_else(|_| image.clone())
}

/// What a JPEG of this quality keeps of the image; a size that JPEG cannot hold stays as it is.
fn through_jpeg(image: RgbImage, quality: u8) -> RgbImage {
    let mut stream = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut stream, quality.max(1)).encode(
        image.data(),
        image.width(),
        image.height(),
        ExtendedColorType::Rgb8,
    );
    match encoded {
        Ok(()) => jpeg::decode(&[], &stream, jpeg::Colour::Stream).unwrap_or(image),
        Err(_) => image,
    }
}

/// One of the eight poses: mirrored from 4 on, then turned by quarters clockwise.
pub fn dihedral(image: &RgbImage, pose: u8) -> RgbImage {
    if pose.is_multiple_of(8) {
        return image.clone();
    }
    let (width, height) = (image.width(), image.height());
    let (turns, mirrored) = (pose % 4, pose % 8 >= 4);
    let (out_w, out_h) = if turns % 2 == 1 { (height, width) } else { (width, height) };
    let mut out = RgbImage::filled(out_w, out_h, [0; 3]);
    for (i, target) in out.data_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (i as u32 % out_w, i as u32 / out_w);
        let (x, y) = match turns {
            0 => (x, y),
            1 => (y, height - 1 - x),
            2 => (width - 1 - x, height - 1 - y),
            _ => (width - 1 - y, x),
        };
        let x = if mirrored { width - 1 - x } else { x };
        target.copy_from_slice(&image.pixel(x, y));
    }
    out
}

fn scale_intensity(image: &mut RgbImage, gain: f64, contrast: f64) {
    let data = image.data_mut();
    // A whole-number sum, so that the mean does not depend on the order of adding.
    let sum: u64 = data.iter().map(|&v| u64::from(v)).sum();
    let mean = sum as f64 / data.len().max(1) as f64;
    let table: [u8; 256] = std::array::from_fn(|value| {
        (((value as f64 - mean) * contrast + mean) * gain).round().clamp(0.0, 255.0) as u8
    });
    for value in data {
        *value = table[usize::from(*value)];
    }
}

/// Separable Gaussian of three standard deviations a side, edge pixels repeated.
fn gaussian_blur(image: &RgbImage, sigma: f64) -> RgbImage {
    let radius = (3.0 * sigma).ceil() as i64;
    let weights: Vec<f64> =
        (-radius..=radius).map(|offset| (-0.5 * (offset as f64 / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let pass = |source: &[u8], along_x: bool| -> Vec<u8> {
        let mut out = Vec::with_capacity(source.len());
        for y in 0..height {
            for x in 0..width {
                let mut sums = [0.0; 3];
                for (weight, offset) in weights.iter().zip(-radius..) {
                    let (x, y) = if along_x {
                        ((x + offset).clamp(0, width - 1), y)
                    } else {
                        (x, (y + offset).clamp(0, height - 1))
                    };
                    let at = (y * width + x) as usize * 3;
                    for (sum, &value) in sums.iter_mut().zip(&source[at..at + 3]) {
                        *sum += weight * f64::from(value);
                    }
                }
                out.extend(sums.map(|sum| (sum / total).round() as u8));
            }
        }
        out
    };
    let mut out = image.clone();
    let blurred = pass(&pass(image.data(), true), false);
    out.data_mut().copy_from_slice(&blurred);
    out
}

/// Uniform numbers from a digest of what they are for, so that no generator's version matters.
struct Draws(blake3::OutputReader);

impl Draws {
    fn new(seed: u64, tile_id: &str, view: u16) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(&view.to_le_bytes());
        hasher.update(tile_id.as_bytes());
        Self(hasher.finalize_xof())
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From −1 to below 1.
    fn symmetric(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }
}

#[cfg(test)]
mod tests;
