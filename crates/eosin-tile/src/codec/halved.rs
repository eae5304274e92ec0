// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG whose chrominance is halved in both directions (4:2:0), in libjpeg's arithmetic.
//!
//! zune-jpeg interpolates such chrominance down and then across, and rounds after each; libjpeg
//! rounds once. The coded data hold four blocks of luminance and one of each chrominance per unit,
//! whatever they lie like. A frame header that calls them 4 × 1 instead of 2 × 2 leaves the coded
//! data valid, and of chrominance that is quartered across zune-jpeg repeats each sample four
//! times. So every decoded sample is there, and is put in its place and interpolated here.
//! Source of the arithmetic: libjpeg, `jdsample.c` (`h2v2_fancy_upsample`) and `jdcolor.c`.

use super::jpeg::{Colour, Headers, Said};

/// Sides of a unit: as the image has it, and as the changed header says.
const UNIT: usize = 16;
const SAID: (usize, usize) = (32, 8);

/// A JPEG with such chrominance in one scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Halved {
    width: usize,
    height: usize,
}

impl Halved {
    /// Reads a JPEG's headers. `None` where it is another kind, or too wide for the changed header.
    pub(super) fn of(headers: &Headers, colour: Colour) -> Option<Self> {
        if colour != Colour::YCbCr || headers.most() != (2, 2) {
            return None;
        }
        let found = Self { width: headers.width as usize, height: headers.height as usize };
        u16::try_from(found.said().0).is_ok().then_some(found)
    }

    /// Units in a row, and rows of them.
    fn units(&self) -> (usize, usize) {
        (self.width.div_ceil(UNIT), self.height.div_ceil(UNIT))
    }

    /// The size that the changed header says: whole units.
    fn said(&self) -> (usize, usize) {
        let (across, down) = self.units();
        (across * SAID.0, down * SAID.1)
    }

    /// Bytes of three channels of what the changed stream decodes to; not below the image's.
    pub(super) fn n_bytes(&self) -> usize {
        let (width, height) = self.said();
        width * height * 3
    }

    /// What the changed header says.
    pub(super) fn said_in_header(&self) -> Said {
        let (width, height) = self.said();
        Said { width: width as u16, height: height as u16, factors: (4, 1) }
    }

    /// From the Y, Cb, Cr pixels of the changed stream to the image's red, green and blue.
    pub(super) fn to_rgb(&self, mut data: Vec<u8>) -> Vec<u8> {
        pulp::Arch::new().dispatch(Placed { image: self, data: &mut data });
        data.truncate(self.width * self.height * 3);
        data
    }
}

/// Samples in their place and in colour, over the pixels that they were decoded to: a row of units
/// has no fewer bytes there than here, so none is written before it was read.
struct Placed<'a> {
    image: &'a Halved,
    data: &'a mut [u8],
}

impl pulp::NullaryFnOnce for Placed<'_> {
    type Output = ();

    #[expect(
        clippy::inline_always,
        reason = "it must be compiled for the caller's instruction set"
    )]
    #[inline(always)]
    fn call(self) {
        let (width, height) = (self.image.width, self.image.height);
        let row_bytes = self.image.said().0 * 3;
        let chroma = Chroma::of(self.data, row_bytes, width.div_ceil(2), height.div_ceil(2));
        let luma_width = self.image.units().0 * UNIT;
        let mut luma = vec![0; luma_width * UNIT];
        let mut rows = [vec![0; luma_width], vec![0; luma_width]];
        let mut sums = vec![0; chroma.width + 2];
        for unit in 0..self.image.units().1 {
            let top = unit * UNIT;
            place_luma(&self.data[unit * SAID.1 * row_bytes..], row_bytes, &mut luma);
            for y in top..height.min(top + UNIT) {
                for (plane, row) in chroma.planes.iter().zip(&mut rows) {
                    chroma.row(plane, y, &mut sums, row);
                }
                let luma = &luma[(y - top) * luma_width..][..width];
                let to = &mut self.data[y * width * 3..][..width * 3];
                convert(luma, &rows[0], &rows[1], to);
            }
        }
    }
}

/// The luminance of one row of units: of its four blocks the first two lie above the others.
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instruction set")]
#[inline(always)]
fn place_luma(data: &[u8], row_bytes: usize, luma: &mut [u8]) {
    let (upper, lower) = luma.split_at_mut(luma.len() / 2);
    let width = upper.len() / SAID.1;
    let targets = upper.chunks_exact_mut(width).zip(lower.chunks_exact_mut(width));
    for (row, (upper, lower)) in data.chunks_exact(row_bytes).zip(targets) {
        let targets = upper.chunks_exact_mut(UNIT).zip(lower.chunks_exact_mut(UNIT));
        for (unit, (upper, lower)) in row.chunks_exact(SAID.0 * 3).zip(targets) {
            let (first, second) = unit.split_at(UNIT * 3);
            for (half, to) in [(first, upper), (second, lower)] {
                for (pixel, to) in half.chunks_exact(3).zip(to) {
                    *to = pixel[0];
                }
            }
        }
    }
}

/// The samples of chrominance that belong to the image.
struct Chroma {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 2],
}

impl Chroma {
    /// Every sample stands four times beside itself.
    #[expect(
        clippy::inline_always,
        reason = "it must be compiled for the caller's instruction set"
    )]
    #[inline(always)]
    fn of(data: &[u8], row_bytes: usize, width: usize, height: usize) -> Self {
        let mut planes = [vec![0; width * height], vec![0; width * height]];
        let [cb, cr] = &mut planes;
        let targets = cb.chunks_exact_mut(width).zip(cr.chunks_exact_mut(width));
        for (row, (cb, cr)) in data.chunks_exact(row_bytes).zip(targets) {
            for ((pixels, cb), cr) in row.chunks_exact(4 * 3).zip(cb).zip(cr) {
                (*cb, *cr) = (pixels[1], pixels[2]);
            }
        }
        Self { width, height, planes }
    }

    /// Row `y` of the image: 9, 3, 3 and 1 sixteenths of the nearest samples, those at the edge
    /// repeated. As in libjpeg, up to two samples across are repeated instead.
    #[expect(
        clippy::inline_always,
        reason = "it must be compiled for the caller's instruction set"
    )]
    #[inline(always)]
    fn row(&self, plane: &[u8], y: usize, sums: &mut [i16], row: &mut [u8]) {
        let n = self.width;
        let near = y / 2;
        let far = match y % 2 {
            _ if n <= 2 => near,
            0 => near.saturating_sub(1),
            _ => (near + 1).min(self.height - 1),
        };
        let (near, far) = (&plane[near * n..][..n], &plane[far * n..][..n]);
        for ((sum, near), far) in sums[1..=n].iter_mut().zip(near).zip(far) {
            *sum = 3 * i16::from(*near) + i16::from(*far);
        }
        (sums[0], sums[n + 1]) = (sums[1], sums[n]);
        let sums = sums[..n].iter().zip(&sums[1..=n]).zip(&sums[2..]);
        for (((left, own), right), to) in sums.zip(row.chunks_exact_mut(2)) {
            let [left, right] = if n <= 2 { [own; 2] } else { [left, right] };
            to[0] = ((3 * own + left + 8) >> 4) as u8;
            to[1] = ((3 * own + right + 7) >> 4) as u8;
        }
    }
}

/// [`ycbcr_to_rgb`](super::chroma::ycbcr_to_rgb) in halves of its numbers, which processors have
/// more of: with c·k/2¹⁶ rounded as (⌊2c·k/2¹⁶⌋ + 1) / 2, the bits are the same.
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instruction set")]
#[inline(always)]
fn convert(y: &[u8], cb: &[u8], cr: &[u8], to: &mut [u8]) {
    let high = |a: i16, b: i32| ((i32::from(a) * b) >> 16) as i16;
    for (((y, cb), cr), to) in y.iter().zip(cb).zip(cr).zip(to.chunks_exact_mut(3)) {
        let (y, cb, cr) = (i16::from(*y), i16::from(*cb) - 128, i16::from(*cr) - 128);
        let red = y + cr + ((high(2 * cr, 26_345) + 1) >> 1);
        let mixed = -22_554 * i32::from(cb) + 18_734 * i32::from(cr) + (1 << 15);
        let green = y - cr + (mixed >> 16) as i16;
        let blue = y + 2 * cb + ((high(2 * cb, -14_942) + 1) >> 1);
        to[0] = red.clamp(0, 255) as u8;
        to[1] = green.clamp(0, 255) as u8;
        to[2] = blue.clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::chroma::ycbcr_to_rgb;

    #[test]
    fn colours_are_those_of_the_other_conversion() {
        for cb in 0..=255 {
            for cr in 0..=255 {
                for y in [0, 1, 100, 128, 254, 255] {
                    let (mut expected, mut found) = ([y, cb, cr], [0; 3]);
                    ycbcr_to_rgb(&mut expected);
                    convert(&[y], &[cb], &[cr], &mut found);
                    assert_eq!(found, expected, "{y} {cb} {cr}");
                }
            }
        }
    }

    #[test]
    fn only_a_header_of_that_kind_is_taken() {
        let jpeg = |kind: u8, factor: u8, width: u16| {
            let mut stream = vec![0xFF, 0xD8, 0xFF, kind, 0, 17, 8, 0, 33];
            stream.extend(width.to_be_bytes());
            stream.extend([3, 1, factor, 0, 2, 0x11, 1, 3, 0x11, 1]);
            stream.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
            // Enough data for any of the sizes.
            stream.resize(stream.len() + 10_000, 0);
            stream
        };
        let of = |stream: &[u8], colour| Halved::of(&Headers::read(&[], stream).unwrap(), colour);
        let found = of(&jpeg(0xC0, 0x22, 50), Colour::YCbCr).unwrap();
        assert_eq!(found, Halved { width: 50, height: 33 });
        assert_eq!((found.units(), found.said()), ((4, 3), (128, 24)));
        let said = found.said_in_header();
        assert_eq!((said.width, said.height, said.factors), (128, 24, (4, 1)));
        assert!(of(&jpeg(0xC2, 0x22, 50), Colour::YCbCr).is_some());
        for (factor, width, colour) in [
            (0x22, 50, Colour::Rgb),
            (0x21, 50, Colour::YCbCr),
            (0x11, 50, Colour::YCbCr),
            (0x22, 40_000, Colour::YCbCr),
        ] {
            assert_eq!(of(&jpeg(0xC0, factor, width), colour), None, "{factor:x} {width}");
        }
    }
}
