// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pillow's antialiased resampling, bit for bit.
//!
//! Two passes, horizontal then vertical, with 8-bit pixels between them and coefficients of 22
//! fractional bits. Networks were trained behind exactly this arithmetic, so a tile resampled here
//! is the tile they know. Source: Pillow, `src/libImaging/Resample.c`. [`Arithmetic::Fast`] is for
//! those who would rather have speed than these bits.

mod arithmetic;

use std::fmt;
use std::str::FromStr;

use eosin_core::{Error, Result, RgbImage};
use serde::{Deserialize, Serialize};

pub use arithmetic::Arithmetic;

/// A resampling filter, by the name it has in Pillow and timm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Mean of the covered pixels.
    Box,
    /// Triangle of half-width 1.
    #[default]
    Bilinear,
    /// Keys' cubic with a = −0.5.
    Bicubic,
    /// Windowed sinc of half-width 3.
    Lanczos,
}

/// A rectangle in an image, in pixels with fractions, right and bottom edges outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelBox {
    /// Left edge.
    pub x0: f64,
    /// Top edge.
    pub y0: f64,
    /// Right edge.
    pub x1: f64,
    /// Bottom edge.
    pub y1: f64,
}

/// Bits after the point in a coefficient: 32 less 8 for the pixel and 2 for overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Resamples a whole image to `width` × `height`; sides of zero are taken as one.
pub fn resize(image: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
    let whole =
        PixelBox { x0: 0.0, y0: 0.0, x1: f64::from(image.width()), y1: f64::from(image.height()) };
    resample(image, whole, width.max(1), height.max(1), filter)
}

/// Resamples the part of an image that `part` covers to `width` × `height`.
///
/// As in Pillow, the filter also sees the pixels around the box, and the box is rounded to
/// single precision.
pub fn resize_box(
    image: &RgbImage,
    part: PixelBox,
    width: u32,
    height: u32,
    filter: Filter,
) -> Result<RgbImage> {
    checked(image, part, width, height)?;
    Ok(resample(image, part, width, height, filter))
}

fn checked(image: &RgbImage, part: PixelBox, width: u32, height: u32) -> Result<()> {
    let inside = part.x0 >= 0.0
        && part.y0 >= 0.0
        && part.x1 <= f64::from(image.width())
        && part.y1 <= f64::from(image.height());
    if inside && part.x0 < part.x1 && part.y0 < part.y1 && width > 0 && height > 0 {
        Ok(())
    } else {
        Err(Error::input(
            "box to resample",
            format!("a part of {} × {} px, to at least 1 × 1 px", image.width(), image.height()),
            format!("{part:?} to {width} × {height} px"),
            "keep the box inside the image",
        ))
    }
}

impl Filter {
    /// Every filter.
    pub const ALL: [Self; 4] = [Self::Box, Self::Bilinear, Self::Bicubic, Self::Lanczos];

    /// The name used in configurations and contracts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }

    /// Half-width of the filter at scale 1.
    pub fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Bicubic => {
                const A: f64 = -0.5;
                let x = x.abs();
                if x < 1.0 {
                    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|filter| filter.name() == text).ok_or_else(|| {
            Error::input(
                "resampling filter",
                "box, bilinear, bicubic or lanczos",
                text,
                "use the filter that the backbone was trained with; its card names it",
            )
        })
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        let x = x * std::f64::consts::PI;
        x.sin() / x
    }
}

#[expect(clippy::float_cmp, reason = "Pillow compares the box exactly to leave a pass out")]
fn resample(image: &RgbImage, part: PixelBox, width: u32, height: u32, filter: Filter) -> RgbImage {
    let (x0, x1) = (part.x0 as f32, part.x1 as f32);
    let (y0, y1) = (part.y0 as f32, part.y1 as f32);
    // A pass that would copy is left out, which is what makes integer crops exact.
    let horizontal = width != image.width() || x0 != 0.0 || x1 != width as f32;
    let vertical = height != image.height() || y0 != 0.0 || y1 != height as f32;
    let rows = Taps::new(image.height(), y0, y1, height, filter);
    let (first, last) = if vertical { rows.range() } else { (0, image.height() as usize) };

    let row_bytes = image.width() as usize * 3;
    let source = &image.data()[first * row_bytes..last * row_bytes];
    let widened = if horizontal {
        let columns = Taps::new(image.width(), x0, x1, width, filter);
        pass_horizontal(source, row_bytes, &columns)
    } else {
        source.to_vec()
    };
    let data =
        if vertical { pass_vertical(&widened, width as usize * 3, &rows, first) } else { widened };
    RgbImage::new(width, height, data).unwrap_or_else(|_| RgbImage::filled(width, height, [0; 3]))
}

/// For every output position, where its input begins and the fixed-point weights.
struct Taps {
    windows: Vec<(usize, usize)>,
    weights: Vec<i32>,
    stride: usize,
}

impl Taps {
    fn new(size_in: u32, in0: f32, in1: f32, size_out: u32, filter: Filter) -> Self {
        let scale = f64::from(in1 - in0) / f64::from(size_out);
        let filter_scale = scale.max(1.0);
        let support = filter.support() * filter_scale;
        let stride = support.ceil() as usize * 2 + 1;
        let inverse = 1.0 / filter_scale;
        let mut windows = Vec::with_capacity(size_out as usize);
        let mut weights = vec![0; stride * size_out as usize];
        let mut exact = vec![0.0; stride];
        for (position, fixed) in weights.chunks_exact_mut(stride).enumerate() {
            let centre = f64::from(in0) + (position as f64 + 0.5) * scale;
            let start = ((centre - support + 0.5) as i64).max(0);
            let end = ((centre + support + 0.5) as i64).min(i64::from(size_in));
            let len = (end - start).max(0) as usize;
            let mut sum = 0.0;
            for (i, weight) in exact[..len].iter_mut().enumerate() {
                *weight = filter.weight(((i as i64 + start) as f64 - centre + 0.5) * inverse);
                sum += *weight;
            }
            for (fixed, weight) in fixed.iter_mut().zip(&exact[..len]) {
                let normal = if sum == 0.0 { *weight } else { weight / sum };
                let scaled = normal * f64::from(1u32 << PRECISION_BITS);
                *fixed = (scaled + if normal < 0.0 { -0.5 } else { 0.5 }) as i32;
            }
            windows.push((start as usize, len));
        }
        Self { windows, weights, stride }
    }

    /// The input positions that are used at all.
    fn range(&self) -> (usize, usize) {
        let first = self.windows.first().map_or(0, |w| w.0);
        (first, self.windows.last().map_or(first, |w| w.0 + w.1))
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.windows
            .iter()
            .zip(self.weights.chunks_exact(self.stride))
            .map(|(&(start, len), weights)| (start, &weights[..len]))
    }
}

/// Half a unit of the result, so that the shift rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// Rows that the horizontal pass sums at a time.
const ROWS: usize = 4;

/// One pixel, in four lanes, of each of the rows that are summed at a time.
type Column = [u8; 4 * ROWS];

/// Bytes that the vertical pass sums at a time: four registers of AVX2.
const BLOCK: usize = 32;

/// One pass, compiled once for each instruction set and dispatched by what the processor has. The
/// arithmetic is whole numbers, so all of them give the same bytes.
struct Pass<'a> {
    source: &'a [u8],
    row_bytes: usize,
    taps: &'a Taps,
    /// The row of the image that is the first of `source`, in the vertical pass.
    first: usize,
    horizontal: bool,
    out: &'a mut [u8],
}

impl pulp::WithSimd for Pass<'_> {
    type Output = ();

    #[expect(
        clippy::inline_always,
        reason = "it must be compiled for the caller's instruction set"
    )]
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) {
        if self.horizontal { self.rows_apart() } else { self.rows_together() }
    }
}

impl Pass<'_> {
    #[expect(
        clippy::inline_always,
        reason = "it must be compiled for the caller's instruction set"
    )]
    #[inline(always)]
    fn rows_apart(self) {
        let (width_in, width_out) = (self.row_bytes / 3, self.taps.windows.len());
        let mut from = vec![Column::default(); width_in];
        let mut to = vec![Column::default(); width_out];
        let bands = self.source.chunks(ROWS * self.row_bytes);
        for (band, target) in bands.zip(self.out.chunks_mut(ROWS * width_out * 3)) {
            for (i, row) in band.chunks_exact(self.row_bytes).enumerate() {
                interleave(row, &mut from, i);
            }
            horizontal_band(&from, self.taps, &mut to);
            for (i, row) in target.chunks_exact_mut(width_out * 3).enumerate() {
                part(&to, i, row);
            }
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "it must be compiled for the caller's instruction set"
    )]
    #[inline(always)]
    fn rows_together(self) {
        let rows = self.taps.iter();
        for ((start, weights), to) in rows.zip(self.out.chunks_exact_mut(self.row_bytes)) {
            let from = (start - self.first) * self.row_bytes;
            let window = &self.source[from..][..weights.len() * self.row_bytes];
            vertical_row(window, self.row_bytes, weights, to);
        }
    }
}

fn pass_horizontal(source: &[u8], row_bytes: usize, taps: &Taps) -> Vec<u8> {
    let mut out = vec![0; source.len() / row_bytes * taps.windows.len() * 3];
    let pass = Pass { source, row_bytes, taps, first: 0, horizontal: true, out: &mut out };
    pulp::Arch::new().dispatch(pass);
    out
}

fn pass_vertical(source: &[u8], row_bytes: usize, taps: &Taps, first: usize) -> Vec<u8> {
    let mut out = vec![0; taps.windows.len() * row_bytes];
    let pass = Pass { source, row_bytes, taps, first, horizontal: false, out: &mut out };
    pulp::Arch::new().dispatch(pass);
    out
}

#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instruction set")]
#[inline(always)]
fn interleave(row: &[u8], columns: &mut [Column], i: usize) {
    let lanes = 4 * i..4 * i + 4;
    let mut rest = row;
    for column in columns {
        // The fourth lane reads the next pixel's red, and nobody reads the fourth lane.
        match *rest {
            [r, g, b, next, ..] => column[lanes.clone()].copy_from_slice(&[r, g, b, next]),
            [r, g, b] => column[lanes.clone()].copy_from_slice(&[r, g, b, 0]),
            _ => return,
        }
        rest = &rest[3..];
    }
}

#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instruction set")]
#[inline(always)]
fn part(columns: &[Column], i: usize, row: &mut [u8]) {
    for (pixel, column) in row.chunks_exact_mut(3).zip(columns) {
        pixel.copy_from_slice(&column[4 * i..4 * i + 3]);
    }
}

#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instruction set")]
#[inline(always)]
fn horizontal_band(from: &[Column], columns: &Taps, to: &mut [Column]) {
    for ((start, weights), to) in columns.iter().zip(to) {
        let mut sums = [HALF; 4 * ROWS];
        for (pixels, &weight) in from[start..].iter().zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(pixels) {
                *sum += i32::from(value) * weight;
            }
        }
        *to = sums.map(to_byte);
    }
}

#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instruction set")]
#[inline(always)]
fn vertical_row(window: &[u8], row_bytes: usize, weights: &[i32], to: &mut [u8]) {
    let mut blocks = to.chunks_exact_mut(BLOCK);
    let mut at = 0;
    for block in &mut blocks {
        let mut sums = [HALF; BLOCK];
        for (row, &weight) in window.chunks_exact(row_bytes).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(&row[at..at + BLOCK]) {
                *sum += i32::from(value) * weight;
            }
        }
        for (value, sum) in block.iter_mut().zip(sums) {
            *value = to_byte(sum);
        }
        at += BLOCK;
    }
    for (i, value) in blocks.into_remainder().iter_mut().enumerate() {
        let rows = window.chunks_exact(row_bytes).zip(weights);
        let sum = rows.map(|(row, &weight)| i32::from(row[at + i]) * weight).sum::<i32>();
        *value = to_byte(HALF + sum);
    }
}

#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instruction set")]
#[inline(always)]
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests;
