// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compressed bytes to pixels, with limits, behind one error type.
//!
//! A codec knows neither file nor tile, so its fault is a sentence part that the caller puts
//! behind a path.

mod chroma;
mod halved;
pub(crate) mod jpeg;
pub(crate) mod jpeg2000;
pub(crate) mod raw;

/// Why bytes could not be decoded; reads after "found".
pub(crate) type Fault = String;

/// Pixels of one decoded piece (tile, strip or whole image) at most: 160 MB of RGB.
pub(crate) const MAX_PIXELS: u64 = 56 << 20;

/// The number of pixels, if it is above zero and within the limit.
pub(crate) fn checked_pixels(width: u64, height: u64) -> Result<usize, Fault> {
    match width.checked_mul(height) {
        Some(n) if n > 0 && n <= MAX_PIXELS => Ok(n as usize),
        _ => Err(format!("{width} × {height} px, where 1 to {MAX_PIXELS} pixels are allowed")),
    }
}
