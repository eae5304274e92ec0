// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG by zune-jpeg, with the colour and the tables that the container says.
//!
//! The decoder is given one form only: sequential, in a single scan, with a marker that says the
//! colour. Every other kind is brought into it exactly, or refused by its name.

mod coefficients;
mod headers;
mod huffman;
mod scan;

use eosin_core::RgbImage;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::chroma::{Edges, ycbcr_to_rgb};
use super::halved::Halved;
use super::{Fault, checked_pixels};
pub(super) use headers::Headers;
use headers::walk;
pub(super) use scan::Said;

/// What the components of a JPEG are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// As the stream's own markers say, which is right for files that stand alone.
    Stream,
    /// One component.
    Grey,
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
    let headers = Headers::read(tables, stream)?;
    let colour = headers.colour(colour)?;
    let (width, height) = (headers.width, headers.height);
    let n_pixels = checked_pixels(u64::from(width), u64::from(height))?;
    let halved = Halved::of(&headers, colour);
    let said = match &halved {
        Some(halved) => halved.said_in_header(),
        None => Said::true_of(&headers),
    };
    let single = scan::single(&headers, stream, colour, said)?;
    let single = match single {
        Some(single) => single,
        None => coefficients::gathered(&headers, stream, colour, said)?,
    };
    let data = if let Some(halved) = halved {
        halved.to_rgb(decode_single(&single, ColorSpace::YCbCr, halved.n_bytes())?)
    } else {
        let edges = if colour == Colour::YCbCr { Edges::of(&headers) } else { Edges::default() };
        let space = if edges.any() { ColorSpace::YCbCr } else { ColorSpace::RGB };
        let mut data = decode_single(&single, space, n_pixels * 3)?;
        if edges.any() {
            edges.mend(&mut data, width as usize);
            ycbcr_to_rgb(&mut data);
        }
        data
    };
    RgbImage::new(width, height, data).map_err(|e| e.to_string())
}

/// Width and height from the headers, if they come in time.
pub(crate) fn size(stream: &[u8]) -> Option<(u32, u32)> {
    let mut size = None;
    // A file's first bytes may end in a segment behind the frame header.
    let _ = walk(stream, |marker, _, segment| {
        if let (0xC0..=0xC2, &[_, _, _, _, _, h1, h0, w1, w0, ..]) = (marker, segment) {
            let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
            size = Some((side(w1, w0), side(h1, h0)));
        }
    });
    size
}

/// Whether the stream itself shows that it holds luminance and chrominance.
#[cfg(feature = "dicom")]
pub(crate) fn shows_ycbcr(stream: &[u8]) -> bool {
    Headers::read(&[], stream).is_ok_and(|headers| headers.shows_ycbcr())
}

/// Decodes a stream in a single scan; damage ends it, as the scan's form provides.
fn decode_single(stream: &[u8], out: ColorSpace, n_bytes: usize) -> Result<Vec<u8>, Fault> {
    let side = usize::from(u16::MAX);
    let options = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(out);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
    decoder.decode_headers().map_err(|e| format!("a damaged JPEG header ({e})"))?;
    let mut data = vec![0; n_bytes];
    decoder.decode_into(&mut data).map_err(|e| format!("a damaged JPEG ({e})"))?;
    Ok(data)
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
