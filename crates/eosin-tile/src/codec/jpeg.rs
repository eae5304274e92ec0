// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG by zune-jpeg, with the colour and the tables that the container says.

use eosin_core::RgbImage;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Fault, checked_pixels};

/// What the three components of a JPEG are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// As the stream's own markers say, which is right for files that stand alone.
    Stream,
    /// Red, green and blue, whatever the stream says.
    Rgb,
    /// Luminance and chrominance, whatever the stream says.
    YCbCr,
}

const SOI: [u8; 2] = [0xFF, 0xD8];
const SOS: u8 = 0xDA;
const EOI: u8 = 0xD9;
const DQT: u8 = 0xDB;
const DHT: u8 = 0xC4;
const ADOBE: u8 = 0xEE;

/// Decodes to RGB of exactly the stream's size.
///
/// `tables` are quantisation and Huffman tables that the container keeps apart (TIFF's JPEGTables).
/// The colour of a TIFF's JPEG is that of its photometric tag: CMU-1-Small-Region.svs holds RGB
/// with no marker that says so, and decoders guess wrongly.
pub(crate) fn decode(tables: &[u8], stream: &[u8], colour: Colour) -> Result<RgbImage, Fault> {
    if colour == Colour::Stream && tables.is_empty() {
        return decode_whole(stream);
    }
    decode_whole(&splice(tables, stream, colour)?)
}

/// Width and height from the headers.
pub(crate) fn size(stream: &[u8]) -> Result<(u32, u32), Fault> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options());
    decoder.decode_headers().map_err(|e| e.to_string())?;
    let info = decoder.info().ok_or("a JPEG without a frame header")?;
    Ok((u32::from(info.width), u32::from(info.height)))
}

fn options() -> DecoderOptions {
    let side = usize::from(u16::MAX);
    DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_out_colorspace(ColorSpace::RGB)
}

fn decode_whole(stream: &[u8]) -> Result<RgbImage, Fault> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options());
    decoder.decode_headers().map_err(|e| format!("a damaged JPEG header ({e})"))?;
    let info = decoder.info().ok_or("a JPEG without a frame header")?;
    let n_pixels = checked_pixels(u64::from(info.width), u64::from(info.height))?;
    let mut data = vec![0; n_pixels * 3];
    decoder.decode_into(&mut data).map_err(|e| format!("a damaged JPEG ({e})"))?;
    RgbImage::new(u32::from(info.width), u32::from(info.height), data).map_err(|e| e.to_string())
}

/// The stream with the tables and, for a forced colour, an Adobe marker that says it.
fn splice(tables: &[u8], stream: &[u8], colour: Colour) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(tables.len() + stream.len() + 32);
    out.extend_from_slice(&SOI);
    copy_segments(tables, &mut out, |marker| matches!(marker, DQT | DHT))?;
    let scan = copy_segments(stream, &mut out, |marker| {
        // Application data and comments are not needed, and an Adobe marker would contradict ours.
        !matches!(marker, 0xE0..=0xEF | 0xFE) || (marker == ADOBE && colour == Colour::Stream)
    })?;
    let transform = match colour {
        Colour::Stream => None,
        Colour::Rgb => Some(0),
        Colour::YCbCr => Some(1),
    };
    if let Some(transform) = transform {
        out.extend_from_slice(&[0xFF, ADOBE, 0, 14]);
        out.extend_from_slice(b"Adobe\0\x64\0\0\0\0");
        out.push(transform);
    }
    out.extend_from_slice(&stream[scan..]);
    Ok(out)
}

/// Copies the wanted header segments and returns where the scan (or the end) begins.
fn copy_segments(
    stream: &[u8],
    out: &mut Vec<u8>,
    wanted: impl Fn(u8) -> bool,
) -> Result<usize, Fault> {
    if stream.is_empty() {
        return Ok(0);
    }
    if !stream.starts_with(&SOI) {
        return Err("a JPEG stream that does not begin with FF D8".into());
    }
    let mut at = 2;
    loop {
        let Some(&[first, marker]) = stream.get(at..at + 2) else {
            return Ok(stream.len());
        };
        if first != 0xFF {
            return Err(format!("no JPEG marker at byte {at}"));
        }
        // Any number of fill bytes may stand before a marker.
        if marker == 0xFF {
            at += 1;
            continue;
        }
        if marker == SOS || marker == EOI {
            return Ok(at);
        }
        let length = match stream.get(at + 2..at + 4) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => 0,
        };
        let segment = stream.get(at..at + 2 + length).filter(|_| length >= 2);
        let Some(segment) = segment else {
            return Err(format!("a JPEG segment that runs past the end at byte {at}"));
        };
        if wanted(marker) {
            out.extend_from_slice(segment);
        }
        at += 2 + length;
    }
}
