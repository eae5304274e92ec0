// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::RgbImage;
use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};

use super::Colour;
use super::headers::Headers;
use crate::codec::Fault;

/// Decodes a codestream or a JP2 file to RGB of exactly `width` × `height`; of samples with more
/// than 8 bits, the upper 8.
pub(crate) fn decode(
    stream: &[u8],
    colour: Colour,
    width: u32,
    height: u32,
) -> Result<RgbImage, Fault> {
    let headers = Headers::read(stream)?;
    if (headers.width, headers.height) != (width, height) {
        return Err(format!(
            "a JPEG 2000 image of {} × {} px instead of {width} × {height} px",
            headers.width, headers.height
        ));
    }
    if (colour == Colour::Grey) != (headers.components < 3) {
        return Err(format!("{} JPEG 2000 components of {colour:?}", headers.components));
    }
    let image = Image::new(stream, &DecodeSettings::default())
        .map_err(|e| format!("a damaged JPEG 2000 header ({e})"))?;
    if let ColorSpace::CMYK | ColorSpace::Unknown { .. } = image.color_space() {
        return Err(format!(
            "{} JPEG 2000 components of CMYK or no known colour",
            headers.components
        ));
    }
    let mut context = DecoderContext::default();
    let decoded =
        image.decode(&mut context).map_err(|e| format!("damaged JPEG 2000 data ({e})"))?;
    let n_pixels = width as usize * height as usize;
    let components = decoded.components();
    let n_components = components.len();
    let sound =
        components.iter().all(|c| c.samples().len() >= n_pixels && c.bit_depth() == headers.depth);
    if n_components != headers.components || !sound {
        return Err(format!("{n_components} JPEG 2000 components of unequal size"));
    }
    let bytes = if headers.depth == 8 {
        decoded.data_u8()
    } else {
        let (most, shift) = ((1u32 << headers.depth) - 1, headers.depth - 8);
        let value = |v: f32| ((v.round().max(0.0) as u32).min(most) >> shift) as u8;
        let pixel = |i: usize| components.iter().map(move |c| value(c.samples()[i]));
        (0..n_pixels).flat_map(pixel).collect()
    };
    // A codestream whose chrominance is subsampled is converted by the decoder already.
    let convert = colour == Colour::YCbCr && !headers.chroma_is_subsampled;
    let data = if n_components == 3 && !convert {
        bytes
    } else {
        let mut data = Vec::with_capacity(n_pixels * 3);
        for pixel in bytes.chunks_exact(n_components).take(n_pixels) {
            match *pixel {
                [a, b, c, ..] if convert => data.extend(rgb_of_ycbcr([a, b, c])),
                [a, b, c, ..] => data.extend([a, b, c]),
                [grey, ..] => data.extend([grey; 3]),
                [] => {}
            }
        }
        data
    };
    RgbImage::new(width, height, data).map_err(|e| e.to_string())
}

/// ITU-R BT.601 over the full range, as in JFIF.
fn rgb_of_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
}
