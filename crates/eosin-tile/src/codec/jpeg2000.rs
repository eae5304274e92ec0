// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG 2000 by hayro-jpeg2000, with the colour that the container says.

#[cfg(feature = "jpeg2000")]
mod decode;
#[cfg(feature = "jpeg2000")]
mod headers;

use std::path::Path;

use eosin_core::Result;

#[cfg(feature = "jpeg2000")]
pub(crate) use decode::decode;

use crate::left_out;

/// What the components of a codestream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// One component.
    Grey,
    /// Red, green and blue.
    Rgb,
    /// Luminance and chrominance, which the codestream itself does not say.
    YCbCr,
}

/// Refuses a file of JPEG 2000 where this build has no decoder; asked before anything is decoded.
pub(crate) fn require(path: &Path) -> Result<()> {
    left_out::require(cfg!(feature = "jpeg2000"), path, "pixels in JPEG 2000", "jpeg2000")
}

/// In place of the decoder where this build leaves it out.
#[cfg(not(feature = "jpeg2000"))]
pub(crate) fn decode(
    _: &[u8],
    _: Colour,
    _: u32,
    _: u32,
) -> std::result::Result<eosin_core::RgbImage, super::Fault> {
    Err("JPEG 2000, which this build leaves out".into())
}
