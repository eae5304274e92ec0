// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage};

use super::{Level, Slide};

/// A small picture of a whole slide.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail {
    /// Its pixels.
    pub image: RgbImage,
    /// Level-0 pixels per pixel of it.
    pub downsample: f64,
}

/// 255 times the square of it still fits 32 bits.
const MAX_FACTOR: u32 = 4096;

impl Slide {
    /// The slide at no more than `max_px` pixels a side, by averaging the coarsest level that has
    /// as many. Pieces are visited once, so memory does not grow with the slide.
    pub fn thumbnail(&self, max_px: u32) -> Result<Thumbnail> {
        let max_px = max_px.max(1);
        let fine_enough = |level: &&Level| level.width.max(level.height) >= max_px;
        let index = self.levels().iter().filter(fine_enough).count().saturating_sub(1);
        let Some(level) = self.levels().get(index) else {
            return Ok(Thumbnail { image: RgbImage::filled(1, 1, [255; 3]), downsample: 1.0 });
        };
        let factor = level.width.max(level.height).div_ceil(max_px);
        if factor > MAX_FACTOR {
            return Err(Error::unsupported(
                format!("a thumbnail of {max_px} px of {} × {} px", level.width, level.height),
                &[],
                "ask for a larger one",
            ));
        }
        let mut mean =
            Mean::new(level.width.div_ceil(factor), level.height.div_ceil(factor), factor);
        for (column, row) in self.places(index) {
            if let Some(piece) = self.piece(index, column, row)? {
                let at = (column * level.piece_width, row * level.piece_height);
                mean.add(&piece, at, (level.width, level.height));
            }
        }
        Ok(Thumbnail { image: mean.image(), downsample: level.downsample * f64::from(factor) })
    }
}

/// Sums of `factor` × `factor` pixels.
struct Mean {
    width: u32,
    height: u32,
    factor: u32,
    sums: Vec<[u32; 4]>,
}

impl Mean {
    fn new(width: u32, height: u32, factor: u32) -> Self {
        Self { width, height, factor, sums: vec![[0; 4]; width as usize * height as usize] }
    }

    fn add(&mut self, piece: &RgbImage, (left, top): (u32, u32), (width, height): (u32, u32)) {
        let columns = piece.width().min(width.saturating_sub(left));
        let row_bytes = piece.width() as usize * 3;
        let rows = piece.data().chunks_exact(row_bytes).zip(top..height);
        for (row, y) in rows {
            let base = (y / self.factor) as usize * self.width as usize;
            for (pixel, x) in row.chunks_exact(3).zip(left..left + columns) {
                let sum = &mut self.sums[base + (x / self.factor) as usize];
                sum[0] += u32::from(pixel[0]);
                sum[1] += u32::from(pixel[1]);
                sum[2] += u32::from(pixel[2]);
                sum[3] += 1;
            }
        }
    }

    /// Places that no piece covered are white.
    fn image(&self) -> RgbImage {
        let mut image = RgbImage::filled(self.width, self.height, [255; 3]);
        for (pixel, &[r, g, b, n]) in image.data_mut().chunks_exact_mut(3).zip(&self.sums) {
            for (value, sum) in pixel.iter_mut().zip([r, g, b]) {
                *value = (sum + n / 2).checked_div(n).unwrap_or(255) as u8;
            }
        }
        image
    }
}
