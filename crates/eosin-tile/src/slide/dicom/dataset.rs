// SPDX-License-Identifier: MIT OR Apache-2.0

//! The few attributes of a DICOM file that a slide needs.
//!
//! Own code instead of a DICOM crate: those bring a dictionary of all attributes and read whole
//! files into memory, and here every length must be checked against the mapped file.

use std::collections::BTreeMap;
use std::path::Path;

use super::first_text;
use crate::budget::check_declared;
use crate::codec::Fault;
use crate::slide::open::is_dicom;
use crate::tiff::FileBytes;

/// Group and element of an attribute.
pub(super) type Tag = (u16, u16);

const TRANSFER_SYNTAX: Tag = (0x0002, 0x0010);
const IMAGE_TYPE: Tag = (0x0008, 0x0008);
const SOP_CLASS: Tag = (0x0008, 0x0016);
const MANUFACTURER: Tag = (0x0008, 0x0070);
const MODEL: Tag = (0x0008, 0x1090);
const SERIES: Tag = (0x0020, 0x000E);
const SAMPLES: Tag = (0x0028, 0x0002);
const PHOTOMETRIC: Tag = (0x0028, 0x0004);
const PLANAR: Tag = (0x0028, 0x0006);
const N_FRAMES: Tag = (0x0028, 0x0008);
const ROWS: Tag = (0x0028, 0x0010);
const COLUMNS: Tag = (0x0028, 0x0011);
const PIXEL_SPACING: Tag = (0x0028, 0x0030);
const BITS_ALLOCATED: Tag = (0x0028, 0x0100);
const BITS_STORED: Tag = (0x0028, 0x0101);
const HIGH_BIT: Tag = (0x0028, 0x0102);
const REPRESENTATION: Tag = (0x0028, 0x0103);
const ICC_PROFILE: Tag = (0x0028, 0x2000);
const MATRIX_COLUMNS: Tag = (0x0048, 0x0006);
const MATRIX_ROWS: Tag = (0x0048, 0x0007);
const COLUMN_POSITION: Tag = (0x0048, 0x021E);
const ROW_POSITION: Tag = (0x0048, 0x021F);
const OPTICAL_PATH: Tag = (0x0048, 0x0105);
const N_OPTICAL_PATHS: Tag = (0x0048, 0x0302);
const N_FOCAL_PLANES: Tag = (0x0048, 0x0303);
const PER_FRAME: Tag = (0x5200, 0x9230);
const EXTENDED_OFFSETS: Tag = (0x7FE0, 0x0001);
pub(super) const PIXEL_DATA: Tag = (0x7FE0, 0x0010);
pub(super) const ITEM: Tag = (0xFFFE, 0xE000);
const ITEM_END: Tag = (0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = (0xFFFE, 0xE0DD);

const WHOLE_SLIDE: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";
const UNDEFINED: u32 = u32::MAX;

/// Sequences within sequences beyond which a file is taken for damaged.
const MAX_DEPTH: usize = 12;

/// An ICC profile of more bytes is left where it is.
const MAX_PROFILE_BYTES: usize = 8 << 20;

/// Attributes that a slide needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub(super) transfer_syntax: String,
    pub(super) image_type: Vec<String>,
    pub(super) series: String,
    manufacturer: String,
    model: String,
    pub(super) samples: u32,
    pub(super) photometric: String,
    /// 0 where samples stand side by side, 1 where each has a plane.
    pub(super) planar: u32,
    /// Allocated and stored bits, the highest bit, and whether samples are signed.
    bits: [Option<u32>; 4],
    n_optical_paths: Option<u32>,
    n_focal_planes: Option<u32>,
    n_frames_said: Option<String>,
    pub(super) n_frames: u32,
    /// Height of a frame.
    pub(super) rows: u32,
    /// Width of a frame.
    pub(super) columns: u32,
    /// Width of the whole image.
    pub(super) width: u32,
    /// Height of the whole image.
    pub(super) height: u32,
    /// Between rows, then between columns.
    pub(super) spacing_mm: Option<[f64; 2]>,
    /// Column and row, from 1, of each frame's corner; empty for full tilings.
    pub(super) positions: Vec<(i64, i64)>,
    pub(super) extended_offsets: Vec<u64>,
    /// Of the first optical path, or of the image itself; empty where there is none.
    pub(super) icc_profile: Vec<u8>,
    /// Where the pixel data's value begins, and its length where it is defined.
    pub(super) pixels: (usize, Option<usize>),
    sop_class: String,
}

/// The series of a file, if it is a DICOM file.
pub(super) fn series_of(path: &Path) -> Option<String> {
    let bytes = FileBytes::map(path).ok()?;
    if !is_dicom(&bytes) {
        return None;
    }
    let mut series = None;
    let mut visit = |visited: Visit| {
        if let Visit::Value { tag: SERIES, value, .. } = visited {
            series = Some(text(value));
        }
        series.is_none()
    };
    Walk { bytes: &bytes, visit: &mut visit }.dataset(132, None, &mut Vec::new()).ok()?;
    series
}

impl Header {
    /// Reads the attributes up to the pixel data.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        if !is_dicom(bytes) {
            return Err("a file without DICM at byte 128".into());
        }
        let mut header = Self { samples: 1, n_frames: 1, ..Self::default() };
        let mut visit = |visited: Visit| {
            header.take(&visited);
            true
        };
        Walk { bytes, visit: &mut visit }.dataset(132, None, &mut Vec::new())?;
        header.check(bytes.len())?;
        Ok(header)
    }

    /// The third value of the image type: VOLUME, LABEL, OVERVIEW or THUMBNAIL. Converters leave
    /// it out of slides.
    pub(super) fn flavour(&self) -> &str {
        self.image_type.get(2).map_or("VOLUME", String::as_str)
    }

    pub(super) fn is_jpeg2000(&self) -> bool {
        ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"]
            .contains(&self.transfer_syntax.as_str())
    }

    pub(super) fn area(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(super) fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        first_text(&mut properties, "Manufacturer", &self.manufacturer);
        first_text(&mut properties, "ManufacturerModelName", &self.model);
        first_text(&mut properties, "TransferSyntaxUID", &self.transfer_syntax);
        properties
    }

    fn take(&mut self, visited: &Visit) {
        let (path, tag, value) = match visited {
            Visit::Item { path } => {
                if *path == [PER_FRAME] {
                    self.positions.push((0, 0));
                }
                return;
            }
            Visit::Pixels { at, len } => {
                self.pixels = (*at, *len);
                return;
            }
            Visit::Value { path, tag, value } => (*path, *tag, *value),
        };
        match tag {
            COLUMN_POSITION | ROW_POSITION if path.first() == Some(&PER_FRAME) => {
                if let (Some(last), Some(value)) = (self.positions.last_mut(), uint(value)) {
                    let value = i64::from(value as i32);
                    if tag == COLUMN_POSITION { last.0 = value } else { last.1 = value }
                }
            }
            PIXEL_SPACING if self.spacing_mm.is_none() => {
                let mut values = text(value);
                values.retain(|c| c != ' ');
                let mut values = values.split('\\').filter_map(|v| v.parse::<f64>().ok());
                if let (Some(row), Some(column)) = (values.next(), values.next())
                    && row > 0.0
                    && column > 0.0
                {
                    self.spacing_mm = Some([row, column]);
                }
            }
            ICC_PROFILE
                if matches!(path, [] | [OPTICAL_PATH])
                    && self.icc_profile.is_empty()
                    && value.len() <= MAX_PROFILE_BYTES =>
            {
                self.icc_profile = value.to_vec();
            }
            _ if !path.is_empty() => {}
            TRANSFER_SYNTAX => self.transfer_syntax = text(value),
            IMAGE_TYPE => {
                self.image_type = text(value).split('\\').map(|v| v.trim().to_string()).collect();
            }
            SOP_CLASS => self.sop_class = text(value),
            MANUFACTURER => self.manufacturer = text(value),
            MODEL => self.model = text(value),
            SERIES => self.series = text(value),
            SAMPLES => self.samples = uint(value).unwrap_or(1),
            PHOTOMETRIC => self.photometric = text(value),
            PLANAR => self.planar = uint(value).unwrap_or(u32::MAX),
            N_FRAMES => self.n_frames_said = Some(text(value)),
            ROWS => self.rows = uint(value).unwrap_or(0),
            COLUMNS => self.columns = uint(value).unwrap_or(0),
            BITS_ALLOCATED => self.bits[0] = uint(value),
            BITS_STORED => self.bits[1] = uint(value),
            HIGH_BIT => self.bits[2] = uint(value),
            REPRESENTATION => self.bits[3] = uint(value),
            N_OPTICAL_PATHS => self.n_optical_paths = uint(value),
            N_FOCAL_PLANES => self.n_focal_planes = uint(value),
            MATRIX_COLUMNS => self.width = uint(value).unwrap_or(0),
            MATRIX_ROWS => self.height = uint(value).unwrap_or(0),
            EXTENDED_OFFSETS => {
                self.extended_offsets = value
                    .chunks_exact(8)
                    .map(|b| b.iter().rev().fold(0, |acc, &b| acc << 8 | u64::from(b)))
                    .collect();
            }
            _ => {}
        }
    }

    /// An allow-list: a value of an attribute that changes pixels is carried out or refused.
    fn check(&mut self, file_bytes: usize) -> Result<(), Fault> {
        if self.sop_class != WHOLE_SLIDE {
            return Err(format!("a DICOM image of SOP class {}", self.sop_class));
        }
        let sides = 1..=u32::MAX >> 1;
        if !sides.contains(&self.width) || !sides.contains(&self.height) {
            return Err(format!("a total pixel matrix of {} × {}", self.width, self.height));
        }
        check_declared(file_bytes as u64, u64::from(self.width), u64::from(self.height))?;
        crate::codec::checked_pixels(u64::from(self.columns), u64::from(self.rows))?;
        if self.pixels.0 == 0 {
            return Err("no pixel data".into());
        }
        let names = ["BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"];
        for ((name, found), expected) in names.iter().zip(self.bits).zip([8, 8, 7, 0]) {
            let found = found.unwrap_or(expected);
            if found != expected {
                return Err(format!("{name} {found}, where {expected} is read"));
            }
        }
        if !matches!(self.samples, 1 | 3) {
            return Err(format!("SamplesPerPixel {}, where 1 and 3 are read", self.samples));
        }
        if self.planar > 1 {
            return Err(format!("PlanarConfiguration {}, where 0 and 1 are read", self.planar));
        }
        for (name, found) in [
            ("NumberOfOpticalPaths", self.n_optical_paths),
            ("TotalPixelMatrixFocalPlanes", self.n_focal_planes),
        ] {
            if let Some(n @ 2..) = found {
                return Err(format!("{name} {n}, where one is read"));
            }
        }
        if let Some(said) = &self.n_frames_said {
            let frames = said.parse().ok().filter(|&n: &u32| n > 0);
            self.n_frames = frames.ok_or_else(|| format!("NumberOfFrames \"{said}\""))?;
        }
        Ok(())
    }
}

/// What a walk meets; `path` holds the sequences around it.
enum Visit<'a> {
    Item { path: &'a [Tag] },
    Value { path: &'a [Tag], tag: Tag, value: &'a [u8] },
    Pixels { at: usize, len: Option<usize> },
}

/// A walk over explicit little-endian attributes; it ends at the pixel data or when `visit` says
/// that it has enough.
struct Walk<'a, 'v> {
    bytes: &'a [u8],
    visit: &'v mut dyn FnMut(Visit) -> bool,
}

/// Whether a walk goes on, or has ended for good.
#[derive(PartialEq)]
enum Next {
    At(usize),
    Done,
}

impl Walk<'_, '_> {
    /// Attributes from `at` to `end`, or to the end marker of the item around them.
    fn dataset(
        &mut self,
        mut at: usize,
        end: Option<usize>,
        path: &mut Vec<Tag>,
    ) -> Result<Next, Fault> {
        if path.len() > MAX_DEPTH {
            return Err(format!("sequences nested deeper than {MAX_DEPTH}"));
        }
        loop {
            if end.is_some_and(|end| at >= end) {
                return Ok(Next::At(at));
            }
            if path.is_empty() && at >= self.bytes.len() {
                return Ok(Next::Done);
            }
            let tag = self.tag(at)?;
            if tag == ITEM_END {
                return Ok(Next::At(at + 8));
            }
            let (vr, len, value_at) = self.value(at)?;
            if tag == PIXEL_DATA && path.is_empty() {
                let len = (len != UNDEFINED).then_some(len as usize);
                (self.visit)(Visit::Pixels { at: value_at, len });
                return Ok(Next::Done);
            }
            if &vr == b"SQ" || (&vr == b"UN" && len == UNDEFINED) {
                path.push(tag);
                let next = self.sequence(value_at, len, path)?;
                path.pop();
                match next {
                    Next::At(next) => at = next,
                    Next::Done => return Ok(Next::Done),
                }
                continue;
            }
            let value_end = value_at.checked_add(len as usize);
            let value =
                value_end.and_then(|end| self.bytes.get(value_at..end)).ok_or_else(|| {
                    format!("a value of {len} bytes at byte {value_at} of {}", self.bytes.len())
                })?;
            if !(self.visit)(Visit::Value { path, tag, value }) {
                return Ok(Next::Done);
            }
            at = value_at + len as usize;
        }
    }

    fn sequence(&mut self, mut at: usize, len: u32, path: &mut Vec<Tag>) -> Result<Next, Fault> {
        let end = (len != UNDEFINED).then(|| at.saturating_add(len as usize));
        loop {
            if end.is_some_and(|end| at >= end) {
                return Ok(Next::At(at));
            }
            match self.tag(at)? {
                SEQUENCE_END => return Ok(Next::At(at + 8)),
                ITEM => {}
                (group, element) => {
                    return Err(format!("({group:04X},{element:04X}) where an item should be"));
                }
            }
            let item_len = self.u32(at + 4)?;
            let item_end =
                (item_len != UNDEFINED).then(|| (at + 8).saturating_add(item_len as usize));
            if !(self.visit)(Visit::Item { path }) {
                return Ok(Next::Done);
            }
            match self.dataset(at + 8, item_end, path)? {
                Next::At(next) => at = next,
                Next::Done => return Ok(Next::Done),
            }
        }
    }

    /// Representation, length and place of the value of the attribute at `at`.
    fn value(&self, at: usize) -> Result<([u8; 2], u32, usize), Fault> {
        let Some(&[a, b, low, high]) = self.bytes.get(at + 4..at + 8) else {
            return Err(format!("an attribute cut short at byte {at}"));
        };
        if !a.is_ascii_uppercase() || !b.is_ascii_uppercase() {
            return Err(format!("an attribute without explicit representation at byte {at}"));
        }
        let long = matches!(
            &[a, b],
            b"OB"
                | b"OW"
                | b"OF"
                | b"OD"
                | b"OL"
                | b"OV"
                | b"SQ"
                | b"UC"
                | b"UN"
                | b"UR"
                | b"UT"
                | b"SV"
                | b"UV"
        );
        if long {
            Ok(([a, b], self.u32(at + 8)?, at + 12))
        } else {
            Ok(([a, b], u32::from(u16::from_le_bytes([low, high])), at + 8))
        }
    }

    fn tag(&self, at: usize) -> Result<Tag, Fault> {
        let value = self.u32(at)?;
        Ok((value as u16, (value >> 16) as u16))
    }

    fn u32(&self, at: usize) -> Result<u32, Fault> {
        read_u32(self.bytes, at).ok_or_else(|| format!("an end at byte {at}"))
    }
}

/// A little-endian number.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).trim().to_string()
}

/// US, SS, UL or SL by their length.
fn uint(value: &[u8]) -> Option<u32> {
    match value {
        [a, b] => Some(u32::from(u16::from_le_bytes([*a, *b]))),
        [a, b, c, d, ..] => Some(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}
