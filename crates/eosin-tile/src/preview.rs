// SPDX-License-Identifier: MIT OR Apache-2.0

//! A picture of which tiles are cut from a slide and why.

use eosin_core::{Result, RgbImage, TileSource};

use crate::tiling::SlideSource;
use crate::tissue::TissueMask;

/// Colours that stand out from stain and from each other (Okabe and Ito): tiles and tissue.
const TILE: [u8; 3] = [0, 114, 178];
const TISSUE: [u8; 3] = [0, 158, 115];

/// Sides of a tile on the picture below which its outline would hide what is in it.
const OUTLINED_PX: f64 = 5.0;

/// The slide at no more than `max_px` a side, with the outline of the tissue and every tile of the
/// grid tinted, outlined too where it is large enough.
pub fn preview(source: &SlideSource, mask: Option<&TissueMask>, max_px: u32) -> Result<RgbImage> {
    let thumbnail = source.slide().thumbnail(max_px)?;
    let scale = thumbnail.downsample;
    let mut image = thumbnail.image;
    for meta in source.tiles() {
        let side = f64::from(meta.size_level0_px) / scale;
        let (x, y) = (meta.x as f64 / scale, meta.y as f64 / scale);
        let (x0, y0) = (x.round() as u32, y.round() as u32);
        let (x1, y1) = ((x + side).round() as u32, (y + side).round() as u32);
        for y in y0..y1.max(y0 + 1) {
            for x in x0..x1.max(x0 + 1) {
                let edge = x == x0 || y == y0 || x + 1 == x1 || y + 1 == y1;
                let share = if edge && side >= OUTLINED_PX { 0.8 } else { 0.2 };
                blend(&mut image, x, y, TILE, share);
            }
        }
    }
    if let Some(mask) = mask {
        outline(&mut image, mask, scale);
    }
    Ok(image)
}

/// Paints pixels whose right or lower neighbour is on the other side of the mask's edge.
fn outline(image: &mut RgbImage, mask: &TissueMask, scale: f64) {
    let (width, height) = (image.width(), image.height());
    let is_tissue = |x: u32, y: u32| {
        let at = |v: u32| ((f64::from(v) + 0.5) * scale / mask.downsample()) as u32;
        x < width && y < height && mask.is_tissue(at(x), at(y))
    };
    for y in 0..height {
        for x in 0..width {
            let here = is_tissue(x, y);
            if here != is_tissue(x + 1, y) || here != is_tissue(x, y + 1) {
                blend(image, x, y, TISSUE, 1.0);
            }
        }
    }
}

fn blend(image: &mut RgbImage, x: u32, y: u32, colour: [u8; 3], share: f64) {
    if x >= image.width() || y >= image.height() {
        return;
    }
    let at = (y as usize * image.width() as usize + x as usize) * 3;
    for (value, colour) in image.data_mut()[at..at + 3].iter_mut().zip(colour) {
        *value = (f64::from(*value) * (1.0 - share) + f64::from(colour) * share).round() as u8;
    }
}
