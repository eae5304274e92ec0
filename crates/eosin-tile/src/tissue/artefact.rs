// SPDX-License-Identifier: MIT OR Apache-2.0

//! What looks like tissue to a threshold on saturation and is none.

use eosin_core::{Result, RgbImage};

use super::Rectangle;
use super::morphology::{dilate, remove_small};
use crate::slide::Slide;

/// Margin around ink, whose edges mix with glass and take any hue.
const INK_MARGIN_PX: usize = 3;

/// Ink on a smaller share of the image than this is taken for nuclei.
const MIN_STROKE: f64 = 5e-4;

/// Side of the squares whose sharpness is measured.
const CELL_PX: usize = 32;

/// How much smaller than the finest level the image may be that sharpness is measured on.
const MAX_DOWNSAMPLE: f64 = 8.0;

/// Squares flatter than this (variance of luminance) are glass, whose sharpness means nothing.
const FLAT: f64 = 20.0;

/// Whether a pixel is almost black.
pub(super) fn is_background([r, g, b]: [u8; 3]) -> bool {
    r.max(g).max(b) < 40
}

/// Where ink is, with a margin.
pub(super) fn pen(image: &RgbImage) -> Vec<bool> {
    let mut ink: Vec<bool> = image.pixels().map(is_ink).collect();
    // Dense nuclei are as dark and as blue as ink, but strokes are long.
    let least = (MIN_STROKE * ink.len() as f64) as usize;
    remove_small(&mut ink, image.width() as usize, true, least);
    dilate(&ink, image.width() as usize, INK_MARGIN_PX)
}

/// Haematoxylin and eosin have hues from violet (about 255°) over pink to red; ink is green, blue,
/// black, or of a red that is purer than eosin and blood.
fn is_ink(rgb: [u8; 3]) -> bool {
    let [r, g, b] = rgb.map(f64::from);
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = max - min;
    if max < 60.0 && chroma < 20.0 {
        return true;
    }
    let saturation = chroma / max.max(1.0);
    if saturation < 0.25 || chroma < 20.0 {
        return false;
    }
    let sixth = if r >= g && r >= b {
        ((g - b) / chroma).rem_euclid(6.0)
    } else if g >= b {
        2.0 + (b - r) / chroma
    } else {
        4.0 + (r - g) / chroma
    };
    let hue = sixth * 60.0;
    let red = !(12.0..=348.0).contains(&hue) && saturation > 0.75 && max > 150.0;
    (70.0..240.0).contains(&hue) || red
}

/// The squares of a slide that are less sharp than `limit`, glass left out.
pub(super) fn blurred(slide: &Slide, limit: f64) -> Result<Vec<Rectangle>> {
    let coarse = |d: f64| d <= MAX_DOWNSAMPLE + 0.1;
    let index = slide.levels().iter().rposition(|level| coarse(level.downsample)).unwrap_or(0);
    let Some(level) = slide.levels().get(index) else { return Ok(Vec::new()) };
    let mut places = Vec::new();
    for (column, row) in slide.places(index) {
        let Some(piece) = slide.piece(index, column, row)? else { continue };
        let (left, top) = (column * level.piece_width, row * level.piece_height);
        for (corner, sharpness) in cells(&piece) {
            if sharpness < limit {
                let at = |v: u32, v0: usize, more: usize| {
                    (f64::from(v) + (v0 + more) as f64) * level.downsample
                };
                let (x, y) = corner;
                places.push([
                    at(left, x, 0),
                    at(top, y, 0),
                    at(left, x, CELL_PX),
                    at(top, y, CELL_PX),
                ]);
            }
        }
    }
    Ok(places)
}

/// The corner and the sharpness of every square that is not flat.
fn cells(image: &RgbImage) -> Vec<((usize, usize), f64)> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let luminance: Vec<f64> = image
        .pixels()
        .map(|[r, g, b]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b))
        .collect();
    let mut cells = Vec::new();
    for y0 in (0..height).step_by(CELL_PX) {
        for x0 in (0..width).step_by(CELL_PX) {
            let (mut light, mut edges) = (Moments::default(), Moments::default());
            for y in y0.max(1)..(y0 + CELL_PX).min(height.saturating_sub(1)) {
                for x in x0.max(1)..(x0 + CELL_PX).min(width.saturating_sub(1)) {
                    let at = y * width + x;
                    let around = luminance[at - 1]
                        + luminance[at + 1]
                        + luminance[at - width]
                        + luminance[at + width];
                    light.add(luminance[at]);
                    edges.add(around - 4.0 * luminance[at]);
                }
            }
            if light.variance() > FLAT {
                cells.push(((x0, y0), edges.variance() / light.variance()));
            }
        }
    }
    cells
}

#[derive(Default)]
struct Moments {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.n += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn variance(&self) -> f64 {
        let n = self.n.max(1.0);
        (self.squares / n - (self.sum / n).powi(2)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::{Filter, resize};

    #[test]
    fn inks_are_told_from_stains() {
        let inks = [
            [20, 120, 60],  // green
            [30, 60, 200],  // blue
            [90, 160, 220], // faint blue
            [25, 25, 30],   // black
            [220, 20, 30],  // red
        ];
        let stains = [
            [200, 120, 180], // eosin
            [230, 170, 200], // faint eosin
            [90, 50, 140],   // haematoxylin
            [70, 45, 110],   // dense haematoxylin
            [200, 70, 90],   // blood
            [245, 243, 246], // glass
        ];
        for ink in inks {
            assert!(is_ink(ink), "{ink:?}");
        }
        for stain in stains {
            assert!(!is_ink(stain), "{stain:?}");
        }
    }

    #[test]
    fn blurring_real_tissue_brings_it_below_the_default() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/cmu-1-small-region.svs");
        let slide = Slide::open(path).unwrap();
        let sharp = slide.read_region(0, 300, 300, 512, 512).unwrap();
        // As a lens out of focus: everything finer than 8 px is gone.
        let small = resize(&sharp, 64, 64, Filter::Box);
        let soft = resize(&small, 512, 512, Filter::Bicubic);
        let median = |image: &RgbImage| {
            let mut values: Vec<f64> = cells(image).into_iter().map(|(_, s)| s).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let (sharp, soft) = (median(&sharp), median(&soft));
        assert!(sharp > 2.0 * super::super::DEFAULT_FOCUS, "in focus: {sharp}");
        assert!(soft < 0.5 * super::super::DEFAULT_FOCUS, "out of focus: {soft}");
    }
}
