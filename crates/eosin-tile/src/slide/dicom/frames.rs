// SPDX-License-Identifier: MIT OR Apache-2.0

use std::borrow::Cow;
use std::collections::HashMap;

use eosin_core::RgbImage;

use super::dataset::{Header, ITEM, read_u32};
use crate::codec::{Fault, jpeg, jpeg2000, raw};

/// Where each frame lies in the file and in the image.
#[derive(Debug)]
pub(super) struct Frames {
    codec: Codec,
    /// Where each frame begins: its first item, or its bytes where they are not encapsulated.
    starts: Vec<usize>,
    /// Where the last frame ends at the latest.
    end: usize,
    /// Frames by column and row, for sparse tilings.
    places: Option<Places>,
}

/// The number of the frame at a column and row.
type Places = HashMap<(u32, u32), usize>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Native,
    Jpeg,
    Jpeg2000,
}

impl Frames {
    /// Finds the frames by the offset tables or, without them, by walking over the fragments.
    pub(super) fn read(bytes: &[u8], header: &Header) -> Result<Self, Fault> {
        let codec = match header.transfer_syntax.as_str() {
            "1.2.840.10008.1.2.1" => Codec::Native,
            "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" => Codec::Jpeg,
            "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => Codec::Jpeg2000,
            other => {
                return Err(format!(
                    "transfer syntax {other}, which is neither native, JPEG nor JPEG 2000"
                ));
            }
        };
        if header.bits != 8 || !matches!(header.samples, 1 | 3) {
            return Err(format!("{} samples of {} bits", header.samples, header.bits));
        }
        let n_frames = header.n_frames as usize;
        let (at, len) = header.pixels;
        let (starts, end) = if codec == Codec::Native {
            let frame = header.rows as usize * header.columns as usize * header.samples as usize;
            let len = len.unwrap_or(0).min(bytes.len().saturating_sub(at));
            if n_frames.checked_mul(frame).is_none_or(|needed| needed > len) {
                return Err(format!("{len} bytes of pixels for {n_frames} frames of {frame}"));
            }
            ((0..n_frames).map(|i| at + i * frame).collect(), at + len)
        } else {
            (encapsulated(bytes, at, n_frames, &header.extended_offsets)?, bytes.len())
        };
        let places = places(header, starts.len())?;
        let columns = header.width.div_ceil(header.columns) as usize;
        let full = columns * header.height.div_ceil(header.rows) as usize;
        if places.is_none() && starts.len() < full {
            return Err(format!("{} frames for a full tiling of {full}", starts.len()));
        }
        Ok(Self { codec, starts, end, places })
    }

    /// Decodes the frame at a place; `None` where the file has none.
    pub(super) fn decode(
        &self,
        bytes: &[u8],
        header: &Header,
        column: u32,
        row: u32,
    ) -> Result<Option<RgbImage>, Fault> {
        let index = match &self.places {
            Some(places) => match places.get(&(column, row)) {
                Some(&index) => index,
                None => return Ok(None),
            },
            None => row as usize * header.width.div_ceil(header.columns) as usize + column as usize,
        };
        let Some(&start) = self.starts.get(index) else { return Ok(None) };
        let next = self.starts.get(index + 1).copied().filter(|&n| n > start).unwrap_or(self.end);
        let (width, height) = (header.columns, header.rows);
        let image = match self.codec {
            Codec::Native => native(bytes.get(start..).unwrap_or_default(), header)?,
            Codec::Jpeg => {
                let stream = fragments(bytes, start, next)?;
                let colour = match header.photometric.as_str() {
                    // Converters write RGB, which is what they were given, over what they made.
                    "RGB" if !jpeg::shows_ycbcr(&stream) => jpeg::Colour::Rgb,
                    "RGB" | "YBR_FULL" | "YBR_FULL_422" => jpeg::Colour::YCbCr,
                    _ => jpeg::Colour::Stream,
                };
                jpeg::decode(&[], &stream, colour)?
            }
            Codec::Jpeg2000 => {
                // ICT and RCT are undone by the decoder; only plain YBR is left to convert.
                let colour = match header.photometric.as_str() {
                    "YBR_FULL" | "YBR_FULL_422" => jpeg2000::Colour::YCbCr,
                    _ => jpeg2000::Colour::Rgb,
                };
                jpeg2000::decode(&fragments(bytes, start, next)?, colour, width, height)?
            }
        };
        if (image.width(), image.height()) == (width, height) {
            Ok(Some(image))
        } else {
            Err(format!("{} × {} px instead of {width} × {height}", image.width(), image.height()))
        }
    }
}

fn native(bytes: &[u8], header: &Header) -> Result<RgbImage, Fault> {
    let n_pixels = header.rows as usize * header.columns as usize;
    let samples = raw::copy(bytes, n_pixels * header.samples as usize)?;
    let data = match (header.photometric.as_str(), header.samples, header.planar) {
        ("RGB", 3, false) => samples,
        ("RGB", 3, true) => (0..n_pixels * 3).map(|i| samples[i % 3 * n_pixels + i / 3]).collect(),
        ("MONOCHROME2", 1, _) => samples.iter().flat_map(|&v| [v; 3]).collect(),
        (other, n, _) => return Err(format!("native pixels of {other} with {n} samples")),
    };
    RgbImage::new(header.columns, header.rows, data).map_err(|e| e.to_string())
}

/// Where the frames' first items are.
fn encapsulated(
    bytes: &[u8],
    at: usize,
    n_frames: usize,
    extended: &[u64],
) -> Result<Vec<usize>, Fault> {
    let table_len = item(bytes, at).ok_or("no offset table before the frames")?;
    let table = bytes.get(at + 8..at + 8 + table_len).ok_or("an offset table cut short")?;
    let base = at + 8 + table_len;
    let basic: Vec<u64> = table
        .chunks_exact(4)
        .map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
        .collect();
    for offsets in [extended, basic.as_slice()] {
        // A table of 32-bit offsets that wrapped around does not rise.
        let sound = offsets.len() == n_frames
            && n_frames > 0
            && offsets.windows(2).all(|pair| pair[0] < pair[1])
            && offsets.iter().all(|&offset| {
                usize::try_from(offset)
                    .ok()
                    .and_then(|offset| base.checked_add(offset))
                    .is_some_and(|at| item(bytes, at).is_some())
            });
        if sound {
            return Ok(offsets.iter().map(|&offset| base + offset as usize).collect());
        }
    }
    let mut starts = Vec::new();
    let mut at = base;
    while let Some(len) = item(bytes, at) {
        starts.push(at);
        at = at.saturating_add(8).saturating_add(len);
    }
    match starts.len() {
        n if n == n_frames => Ok(starts),
        n if n > 0 && n_frames == 1 => Ok(vec![starts[0]]),
        n => Err(format!("{n} fragments for {n_frames} frames and no offset table")),
    }
}

/// The length of the item at `at`.
fn item(bytes: &[u8], at: usize) -> Option<usize> {
    let tag = read_u32(bytes, at)?;
    let len = read_u32(bytes, at.checked_add(4)?)?;
    let is_item = (tag as u16, (tag >> 16) as u16) == ITEM && len != u32::MAX;
    is_item.then_some(len as usize)
}

/// The bytes of a frame: nearly always one fragment, else several put together.
fn fragments(bytes: &[u8], start: usize, next: usize) -> Result<Cow<'_, [u8]>, Fault> {
    let mut frame: Cow<[u8]> = Cow::Borrowed(&[]);
    let mut at = start;
    while at < next {
        let Some(len) = item(bytes, at) else { break };
        let data = at.checked_add(8 + len).and_then(|end| bytes.get(at + 8..end));
        let data = data.ok_or_else(|| format!("a fragment of {len} bytes at byte {at}"))?;
        if frame.is_empty() {
            frame = Cow::Borrowed(data);
        } else {
            frame.to_mut().extend_from_slice(data);
        }
        at += 8 + len;
    }
    Ok(frame)
}

/// Frames by place where each says its own; of several at one place the first counts.
fn places(header: &Header, n_frames: usize) -> Result<Option<Places>, Fault> {
    if header.positions.iter().all(|&position| position == (0, 0)) {
        return Ok(None);
    }
    let mut places = HashMap::new();
    let (columns, rows) = (i64::from(header.columns), i64::from(header.rows));
    for (index, &(x, y)) in header.positions.iter().take(n_frames).enumerate() {
        if x < 1 || y < 1 || (x - 1) % columns != 0 || (y - 1) % rows != 0 {
            return Err(format!("a frame at {x}, {y}, off the grid of {columns} × {rows} px"));
        }
        let place = (((x - 1) / columns) as u32, ((y - 1) / rows) as u32);
        places.entry(place).or_insert(index);
    }
    Ok(Some(places))
}
