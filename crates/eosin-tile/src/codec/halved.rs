// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG whose chrominance is halved in both directions (4:2:0), in libjpeg's arithmetic.
//!
//! zune-jpeg interpolates such chrominance down and then across, and rounds after each; libjpeg
//! rounds once. The coded data hold four blocks of luminance and one of each chrominance per unit,
//! whatever they lie like. A frame header that calls them 4 × 1 instead of 2 × 2 leaves the coded
//! data valid, and of chrominance that is quartered across zune-jpeg repeats each sample four
//! times. So every decoded sample is there, and is put in its place and interpolated here.
//! Source of the arithmetic: libjpeg, `jdsample.c` (`h2v2_fancy_upsample`) and `jdcolor.c`.

use super::Fault;
use super::jpeg::walk;

/// Sides of a unit: as the image has it, and as the changed header says.
const UNIT: usize = 16;
const SAID: (usize, usize) = (32, 8);

/// A baseline JPEG with such chrominance, and where its header is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Halved {
    width: usize,
    height: usize,
    /// Where the frame header stands in the stream.
    frame_at: usize,
}

impl Halved {
    /// Reads a JPEG's headers. `None` where it is another kind, in several scans (which may order
    /// blocks by component), or too wide for the changed header.
    pub(super) fn of(stream: &[u8]) -> Option<Self> {
        let (mut found, mut n_frames) = (None, 0);
        let scan = walk(stream, |marker, at, segment| {
            if let 0xC0..=0xC2 = marker {
                n_frames += 1;
            }
            // Precision, height, width and three components of three bytes.
            if let 0xC0 | 0xC1 = marker
                && let &[_, _, _, _, 8, h1, h0, w1, w0, 3, _, 0x22, _, _, 0x11, _, _, 0x11, ..] =
                    segment
            {
                let size = |high, low| usize::from(u16::from_be_bytes([high, low]));
                found = Some(Self { width: size(w1, w0), height: size(h1, h0), frame_at: at });
            }
        });
        let interleaved = stream.get(scan.ok()? + 4) == Some(&3);
        let found: Self = found?;
        let sized = found.width > 0 && found.height > 0 && u16::try_from(found.said().0).is_ok();
        (sized && interleaved && n_frames == 1).then_some(found)
    }

    /// Width and height of the image.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
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

    /// The stream with the changed header.
    pub(super) fn changed(&self, stream: &[u8]) -> Result<Vec<u8>, Fault> {
        let (width, height) = self.said();
        let mut changed = stream.to_vec();
        let header = changed.get_mut(self.frame_at + 5..self.frame_at + 12);
        let (Some(header), Ok(width), Ok(height)) =
            (header, u16::try_from(width), u16::try_from(height))
        else {
            return Err("a JPEG frame header that is cut short".into());
        };
        header[..2].copy_from_slice(&height.to_be_bytes());
        header[2..4].copy_from_slice(&width.to_be_bytes());
        header[6] = 0x41;
        Ok(changed)
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
        let jpeg = |kind: u8, factor: u8, width: u16, n_in_scan: u8| {
            let mut stream = vec![0xFF, 0xD8, 0xFF, kind, 0, 17, 8, 0, 33];
            stream.extend(width.to_be_bytes());
            stream.extend([3, 1, factor, 0, 2, 0x11, 1, 3, 0x11, 1]);
            stream.extend([0xFF, 0xDA, 0, 12, n_in_scan]);
            stream
        };
        let found = Halved::of(&jpeg(0xC0, 0x22, 50, 3)).unwrap();
        assert_eq!(found, Halved { width: 50, height: 33, frame_at: 2 });
        assert_eq!((found.units(), found.said()), ((4, 3), (128, 24)));
        for (kind, factor, width, n_in_scan) in [
            (0xC2, 0x22, 50, 3),
            (0xC0, 0x21, 50, 3),
            (0xC0, 0x11, 50, 3),
            (0xC0, 0x22, 0, 3),
            (0xC0, 0x22, 40_000, 3),
            (0xC0, 0x22, 50, 1),
        ] {
            let stream = jpeg(kind, factor, width, n_in_scan);
            assert_eq!(Halved::of(&stream), None, "{kind:x} {factor:x} {width} {n_in_scan}");
        }
        let whole = jpeg(0xC0, 0x22, 50, 3);
        for keep in 0..whole.len() {
            assert_eq!(Halved::of(&whole[..keep]), None, "{keep} bytes");
        }
        let changed = found.changed(&whole).unwrap();
        assert_eq!(changed[7..14], [0, 24, 0, 128, 3, 1, 0x41]);
    }
}
