// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG by zune-jpeg, with the colour and the tables that the container says.

use eosin_core::RgbImage;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::chroma::{Edges, ycbcr_to_rgb};
use super::halved::Halved;
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
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options(ColorSpace::RGB));
    decoder.decode_headers().map_err(|e| e.to_string())?;
    let info = decoder.info().ok_or("a JPEG without a frame header")?;
    Ok((u32::from(info.width), u32::from(info.height)))
}

/// Whether the stream itself shows that it holds luminance and chrominance: by a JFIF marker, which
/// allows nothing else, or by components of unequal size.
pub(crate) fn shows_ycbcr(stream: &[u8]) -> bool {
    let mut shows = false;
    let walked = walk(stream, |marker, _, segment| match marker {
        0xE0 => shows |= segment.get(4..8) == Some(b"JFIF"),
        0xC0..=0xC2 => {
            let factor = |i: usize| segment.get(11 + 3 * i);
            shows |= segment.get(9) == Some(&3) && factor(0) != factor(1);
        }
        _ => {}
    });
    walked.is_ok() && shows
}

fn options(colour: ColorSpace) -> DecoderOptions {
    let side = usize::from(u16::MAX);
    DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_out_colorspace(colour)
}

fn decode_whole(stream: &[u8]) -> Result<RgbImage, Fault> {
    if let Some(halved) = Halved::of(stream)
        && let Some(image) = decode_halved(stream, &halved)?
    {
        return Ok(image);
    }
    let mut decoder = with_headers(stream, ColorSpace::RGB)?;
    let info = decoder.info().ok_or("a JPEG without a frame header")?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let n_pixels = checked_pixels(u64::from(width), u64::from(height))?;
    let edges = Edges::of(stream);
    let mend = edges.any() && decoder.input_colorspace() == Some(ColorSpace::YCbCr);
    if mend {
        decoder.set_options(options(ColorSpace::YCbCr));
    }
    let mut data = vec![0; n_pixels * 3];
    decoder.decode_into(&mut data).map_err(|e| format!("a damaged JPEG ({e})"))?;
    if mend {
        edges.mend(&mut data, width as usize);
        ycbcr_to_rgb(&mut data);
    }
    RgbImage::new(width, height, data).map_err(|e| e.to_string())
}

/// `None` where the components are not luminance and chrominance.
fn decode_halved(stream: &[u8], halved: &Halved) -> Result<Option<RgbImage>, Fault> {
    let (width, height) = halved.size();
    checked_pixels(u64::from(width), u64::from(height))?;
    let changed = halved.changed(stream)?;
    let mut decoder = with_headers(&changed, ColorSpace::YCbCr)?;
    if decoder.input_colorspace() != Some(ColorSpace::YCbCr) {
        return Ok(None);
    }
    let mut data = vec![0; halved.n_bytes()];
    decoder.decode_into(&mut data).map_err(|e| format!("a damaged JPEG ({e})"))?;
    let image = RgbImage::new(width, height, halved.to_rgb(data));
    image.map(Some).map_err(|e| e.to_string())
}

/// A decoder that has read the headers.
fn with_headers(stream: &[u8], out: ColorSpace) -> Result<JpegDecoder<ZCursor<&[u8]>>, Fault> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options(out));
    decoder.decode_headers().map_err(|e| format!("a damaged JPEG header ({e})"))?;
    Ok(decoder)
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
    walk(stream, |marker, _, segment| {
        if wanted(marker) {
            out.extend_from_slice(segment);
        }
    })
}

/// Visits the header segments (marker, position, bytes from the marker on) and returns where the
/// scan (or the end) begins.
pub(super) fn walk(stream: &[u8], mut visit: impl FnMut(u8, usize, &[u8])) -> Result<usize, Fault> {
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
        visit(marker, at, segment);
        at += 2 + length;
    }
}

/// What a JPEG's header says of its grid, for cutting it at restart markers.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Width and height of a minimum coded unit in pixels.
    pub(crate) mcu: (u32, u32),
    /// Units between restart markers, 0 for none.
    pub(crate) restart_interval: u16,
    /// Where the frame's height stands, from the beginning of the stream.
    size_at: usize,
}

impl Frame {
    /// Reads a header and tells where the entropy-coded data begins.
    pub(crate) fn read(stream: &[u8]) -> Result<(Self, usize), Fault> {
        let mut restart_interval = 0;
        let mut frame = None;
        let sos = walk(stream, |marker, at, segment| match marker {
            0xC0 | 0xC1 => {
                let factors = segment.get(9).map_or(0, |&n| usize::from(n)).min(4);
                let (mut across, mut down) = (1, 1);
                for i in 0..factors {
                    let factor = segment.get(11 + 3 * i).copied().unwrap_or(0x11);
                    across = across.max(u32::from(factor >> 4));
                    down = down.max(u32::from(factor & 15));
                }
                // One component is never interleaved: its unit is a block.
                let (across, down) = if factors == 1 { (1, 1) } else { (across, down) };
                frame = Some(((8 * across, 8 * down), at + 5));
            }
            0xDD => {
                restart_interval = match segment.get(4..6) {
                    Some(&[high, low]) => u16::from_be_bytes([high, low]),
                    _ => 0,
                };
            }
            _ => {}
        })?;
        let Some((mcu, size_at)) = frame else {
            return Err("a JPEG that is not baseline".into());
        };
        let length = match stream.get(sos + 2..sos + 4) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err("a JPEG without a scan".into()),
        };
        if size_at + 4 > sos {
            return Err("a JPEG frame header that is cut short".into());
        }
        Ok((Self { mcu, restart_interval, size_at }, sos + 2 + length))
    }

    /// The header up to `scan` for another size; scanners leave the size of large levels out.
    pub(crate) fn header(
        &self,
        stream: &[u8],
        scan: usize,
        width: u32,
        height: u32,
    ) -> Result<Vec<u8>, Fault> {
        let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(format!("a JPEG of {width} × {height} px, above the format's 65535"));
        };
        let mut header = stream.get(..scan).ok_or("a JPEG that is cut short")?.to_vec();
        header[self.size_at..self.size_at + 2].copy_from_slice(&height.to_be_bytes());
        header[self.size_at + 2..self.size_at + 4].copy_from_slice(&width.to_be_bytes());
        Ok(header)
    }

    /// The whole stream for another size.
    pub(crate) fn with_size(
        &self,
        stream: &[u8],
        scan: usize,
        width: u32,
        height: u32,
    ) -> Result<Vec<u8>, Fault> {
        let mut whole = self.header(stream, scan, width, height)?;
        whole.extend_from_slice(&stream[scan..]);
        Ok(whole)
    }
}
