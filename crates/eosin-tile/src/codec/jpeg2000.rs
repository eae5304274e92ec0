// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG 2000 by hayro-jpeg2000, with the colour that the container says.

use eosin_core::RgbImage;
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::{Fault, checked_pixels};

/// What the three components of a codestream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Red, green and blue.
    Rgb,
    /// Luminance and chrominance, which the codestream itself does not say.
    YCbCr,
}

/// Decodes a codestream or a JP2 file to RGB of exactly `width` × `height`.
pub(crate) fn decode(
    stream: &[u8],
    colour: Colour,
    width: u32,
    height: u32,
) -> Result<RgbImage, Fault> {
    let image = Image::new(stream, &DecodeSettings::default())
        .map_err(|e| format!("a damaged JPEG 2000 header ({e})"))?;
    if (image.width(), image.height()) != (width, height) {
        return Err(format!(
            "a JPEG 2000 image of {} × {} px instead of {width} × {height} px",
            image.width(),
            image.height()
        ));
    }
    let n_pixels = checked_pixels(u64::from(width), u64::from(height))?;
    let mut context = DecoderContext::default();
    let decoded =
        image.decode(&mut context).map_err(|e| format!("damaged JPEG 2000 data ({e})"))?;
    let components = decoded.components();
    let n_components = components.len();
    let sound = components
        .iter()
        .all(|c| c.samples().len() >= n_pixels && (1..=16).contains(&c.bit_depth()));
    if !(1..=4).contains(&n_components) || !sound {
        return Err(format!("{n_components} JPEG 2000 components of unequal size"));
    }
    let bytes = decoded.data_u8();
    // A codestream whose chrominance is subsampled is converted by the decoder already.
    let convert = colour == Colour::YCbCr && !chroma_is_subsampled(stream);
    let mut data = Vec::with_capacity(n_pixels * 3);
    for pixel in bytes.chunks_exact(n_components).take(n_pixels) {
        match *pixel {
            [a, b, c, ..] if convert => data.extend(rgb_of_ycbcr([a, b, c])),
            [a, b, c, ..] => data.extend([a, b, c]),
            [grey, ..] => data.extend([grey; 3]),
            [] => {}
        }
    }
    RgbImage::new(width, height, data).map_err(|e| e.to_string())
}

/// Whether the SIZ segment gives the second component fewer samples than the first.
fn chroma_is_subsampled(stream: &[u8]) -> bool {
    // Behind SOC, SIZ and 38 bytes of sizes stand three bytes a component: depth, dx, dy.
    matches!(stream.get(46..48), Some(&[dx, dy]) if dx > 1 || dy > 1)
}

/// ITU-R BT.601 over the full range, as in JFIF.
fn rgb_of_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
}
