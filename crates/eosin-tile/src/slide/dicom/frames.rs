// SPDX-License-Identifier: MIT OR Apache-2.0

use std::borrow::Cow;
use std::collections::BTreeMap;

use eosin_core::RgbImage;

use super::dataset::{Header, ITEM, read_u32};
use crate::budget::{check_places, check_stored};
use crate::codec::{Fault, jpeg, jpeg2000, raw};

/// Where each frame lies in the file and in the image.
#[derive(Debug)]
pub(super) struct Frames {
    codec: Codec,
    starts: Starts,
    /// Where the last frame ends at the latest.
    end: usize,
    /// Frames by column and row, for sparse tilings.
    places: Option<Places>,
}

/// Where each frame begins.
#[derive(Debug)]
enum Starts {
    /// One behind the other, not encapsulated: the first, the length of each, and their number.
    Even(usize, usize, usize),
    /// At its first item.
    Items(Vec<usize>),
}

/// The number of the frame at a column and row.
type Places = BTreeMap<(u32, u32), usize>;

impl Starts {
    fn len(&self) -> usize {
        match self {
            Self::Even(_, _, n) => *n,
            Self::Items(starts) => starts.len(),
        }
    }

    fn get(&self, index: usize) -> Option<usize> {
        match self {
            Self::Even(first, len, n) => (index < *n).then(|| first + index * len),
            Self::Items(starts) => starts.get(index).copied(),
        }
    }
}

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
            _ if header.is_jpeg2000() => Codec::Jpeg2000,
            other => {
                return Err(format!(
                    "transfer syntax {other}, which is neither native, JPEG nor JPEG 2000"
                ));
            }
        };
        check_photometric(codec, header)?;
        let n_frames = header.n_frames as usize;
        let (at, len) = header.pixels;
        let (starts, end) = if codec == Codec::Native {
            let frame = header.rows as usize * header.columns as usize * header.samples as usize;
            let len = len.unwrap_or(0).min(bytes.len().saturating_sub(at));
            if n_frames.checked_mul(frame).is_none_or(|needed| needed > len) {
                return Err(format!("{len} bytes of pixels for {n_frames} frames of {frame}"));
            }
            (Starts::Even(at, frame, n_frames), at + len)
        } else {
            (
                Starts::Items(encapsulated(bytes, at, n_frames, &header.extended_offsets)?),
                bytes.len(),
            )
        };
        let places = places(header, starts.len())?;
        let columns = u64::from(header.width.div_ceil(header.columns));
        let full = columns * u64::from(header.height.div_ceil(header.rows));
        if places.is_none() && (starts.len() as u64) < full {
            return Err(format!("{} frames for a full tiling of {full}", starts.len()));
        }
        check_places(bytes.len() as u64, full)?;
        let n_placed = places.as_ref().map_or(full, |places| places.len() as u64);
        let size = (u64::from(header.columns), u64::from(header.rows));
        check_stored(bytes.len() as u64, n_placed, size, 0)?;
        Ok(Self { codec, starts, end, places })
    }

    /// Columns and rows of the frames that a sparse tiling has; `None` where it is full.
    pub(super) fn placed(&self) -> Option<Vec<(u32, u32)>> {
        self.places.as_ref().map(|places| places.keys().copied().collect())
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
        let Some(start) = self.starts.get(index) else { return Ok(None) };
        let next = self.starts.get(index + 1).filter(|&n| n > start).unwrap_or(self.end);
        let (width, height) = (header.columns, header.rows);
        let image = match self.codec {
            Codec::Native => native(bytes.get(start..).unwrap_or_default(), header)?,
            Codec::Jpeg => {
                let stream = fragments(bytes, start, next)?;
                let colour = match header.photometric.as_str() {
                    // Converters write RGB, which is what they were given, over what they made.
                    "RGB" if !jpeg::shows_ycbcr(&stream) => jpeg::Colour::Rgb,
                    "MONOCHROME2" => jpeg::Colour::Grey,
                    _ => jpeg::Colour::YCbCr,
                };
                jpeg::decode(&[], &stream, colour)?
            }
            Codec::Jpeg2000 => {
                // ICT and RCT are undone by the decoder; only plain YBR is left to convert.
                let colour = match header.photometric.as_str() {
                    "YBR_FULL" | "YBR_FULL_422" => jpeg2000::Colour::YCbCr,
                    "MONOCHROME2" => jpeg2000::Colour::Grey,
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

/// Which photometric interpretations are carried out, by how frames are coded.
fn check_photometric(codec: Codec, header: &Header) -> Result<(), Fault> {
    let known: &[&str] = match (codec, header.samples) {
        (_, 1) => &["MONOCHROME2"],
        (Codec::Native, _) => &["RGB"],
        (Codec::Jpeg, _) => &["RGB", "YBR_FULL", "YBR_FULL_422"],
        (Codec::Jpeg2000, _) => &["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"],
    };
    if known.contains(&header.photometric.as_str()) {
        return Ok(());
    }
    Err(format!(
        "PhotometricInterpretation {} with {} samples and transfer syntax {}, where {} is read",
        header.photometric,
        header.samples,
        header.transfer_syntax,
        known.join(", ")
    ))
}

fn native(bytes: &[u8], header: &Header) -> Result<RgbImage, Fault> {
    let n_pixels = header.rows as usize * header.columns as usize;
    let samples = raw::copy(bytes, n_pixels * header.samples as usize)?;
    let data = match (header.samples, header.planar) {
        (1, _) => samples.iter().flat_map(|&v| [v; 3]).collect(),
        (_, 0) => samples,
        _ => (0..n_pixels * 3).map(|i| samples[i % 3 * n_pixels + i / 3]).collect(),
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

/// Frames by place where each says its own.
fn places(header: &Header, n_frames: usize) -> Result<Option<Places>, Fault> {
    if header.positions.iter().all(|&position| position == (0, 0)) {
        return Ok(None);
    }
    let mut places = BTreeMap::new();
    let (columns, rows) = (i64::from(header.columns), i64::from(header.rows));
    for (index, &(x, y)) in header.positions.iter().take(n_frames).enumerate() {
        if x < 1 || y < 1 || (x - 1) % columns != 0 || (y - 1) % rows != 0 {
            return Err(format!("a frame at {x}, {y}, off the grid of {columns} × {rows} px"));
        }
        let place = (((x - 1) / columns) as u32, ((y - 1) / rows) as u32);
        if let Some(other) = places.insert(place, index) {
            return Err(format!("frames {} and {} at one place", other + 1, index + 1));
        }
    }
    Ok(Some(places))
}
