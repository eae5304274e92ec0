// SPDX-License-Identifier: MIT OR Apache-2.0

//! The last column and row of a JPEG whose chrominance is subsampled and whose size is no multiple
//! of its minimum coded unit.
//!
//! Chrominance is interpolated between neighbours. libjpeg repeats the last sample that belongs to
//! the image, whereas zune-jpeg also mixes in the padding behind it, of which writers make what
//! they like. The true sample follows from the two pixels before the last.

use super::jpeg::Headers;

/// Which edges of an image were interpolated with padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edges {
    right: bool,
    bottom: bool,
}

impl Edges {
    /// Reads a JPEG's headers.
    pub(super) fn of(headers: &Headers) -> Self {
        // Of an odd size, the last pixel leans on the sample before its own only.
        let mixed = |factor: usize, size: u32| {
            factor == 2 && !size.is_multiple_of(16) && size.is_multiple_of(2)
        };
        let (across, down) = headers.most();
        Self { right: mixed(across, headers.width), bottom: mixed(down, headers.height) }
    }

    /// Whether any edge needs mending.
    pub(super) fn any(self) -> bool {
        self.right || self.bottom
    }

    /// Mends Y, Cb, Cr pixels in rows of `width`.
    pub(super) fn mend(self, data: &mut [u8], width: usize) {
        let row_bytes = width * 3;
        if self.right {
            for row in data.chunks_exact_mut(row_bytes) {
                mend_last(row, 3, 0);
            }
        }
        if self.bottom {
            for x in 0..width {
                mend_last(data, row_bytes, x * 3);
            }
        }
    }
}

/// Mends the chrominance of the last of the pixels that stand `stride` bytes apart from `first` on.
///
/// With a the last sample and b the one before, the two pixels before the last are (3a + b) / 4
/// and (3b + a) / 4; of a single sample, the pixel before the last is a itself.
fn mend_last(data: &mut [u8], stride: usize, first: usize) {
    let n = data.len() / stride;
    for channel in [first + 1, first + 2] {
        let value = |i: usize| i32::from(data[i * stride + channel]);
        let last = match n {
            0 | 1 => continue,
            2 => value(0),
            _ => (3 * value(n - 2) - value(n - 3) + 1) >> 1,
        };
        data[(n - 1) * stride + channel] = last.clamp(0, 255) as u8;
    }
}

/// Y, Cb, Cr pixels to red, green and blue in libjpeg's arithmetic of 16 fractional bits.
pub(super) fn ycbcr_to_rgb(data: &mut [u8]) {
    const HALF: i32 = 1 << 15;
    for pixel in data.chunks_exact_mut(3) {
        let (y, cb, cr) =
            (i32::from(pixel[0]), i32::from(pixel[1]) - 128, i32::from(pixel[2]) - 128);
        let red = y + ((91_881 * cr + HALF) >> 16);
        let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
        let blue = y + ((116_130 * cb + HALF) >> 16);
        pixel.copy_from_slice(&[red, green, blue].map(|value| value.clamp(0, 255) as u8));
    }
}
