// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hamamatsu NDPI: each level is one JPEG, cut at its restart markers.
//!
//! A list of offsets says where each restart interval begins. An interval stands alone once it has
//! a header of its own, so pieces are made of the intervals of one column, one below the other.

use std::collections::BTreeMap;

use eosin_core::{Result, RgbImage};

use super::pyramid::{Parts, Pyramid, Spacing, level, unknown_associated};
use super::tiff_pyramid::{resolution, upright};
use super::{AssociatedImage, SlideFormat};
use crate::budget::check_stored;
use crate::codec::{Fault, jpeg};
use crate::image_file::whole_tiff_image;
use crate::tiff::{Directory, Tiff, TiffImage, tag};

/// Height that pieces come near to; intervals are only 8 or 16 px high.
const PIECE_HEIGHT: u32 = 256;

#[derive(Debug)]
struct NdpiPyramid {
    tiff: Tiff,
    levels: Vec<NdpiLevel>,
    associated: Vec<(String, Directory)>,
}

#[derive(Debug)]
struct NdpiLevel {
    width: u32,
    height: u32,
    /// The JPEG in the file.
    at: u64,
    len: u64,
    /// Where its entropy-coded data begins, from `at`.
    scan: u64,
    frame: jpeg::Frame,
    /// Where each restart interval begins, from `at`; empty where the level is one piece.
    intervals: Vec<u64>,
    interval_width: u32,
    interval_height: u32,
    /// Intervals in a piece.
    stack: u32,
}

/// Whether a TIFF is Hamamatsu's.
pub(crate) fn is_ndpi(tiff: &Tiff) -> bool {
    tiff.directories().first().is_some_and(|first| first.has(tag::NDPI_FORMAT))
}

/// Reads the headers of an NDPI slide.
pub(crate) fn parts(tiff: Tiff) -> Result<Parts> {
    let mut found: Vec<NdpiLevel> = Vec::new();
    let mut associated = Vec::new();
    let mut properties = BTreeMap::new();
    let mut spacing = Spacing::Unknown;
    for directory in tiff.directories() {
        let lens = tiff.real(directory, tag::NDPI_SOURCE_LENS)?.unwrap_or(0.0);
        let in_focus = tiff.first_uint(directory, tag::NDPI_FOCAL_PLANE)?.unwrap_or(0) == 0;
        if lens > 0.0 && in_focus {
            if found.is_empty() {
                spacing = resolution(&tiff, directory)?;
                properties.insert("SourceLens".to_string(), lens.to_string());
            }
            found.push(NdpiLevel::read(&tiff, directory)?);
        } else if lens < 0.0 {
            let name = if lens > -1.5 { "macro" } else { "map" };
            associated.push((name.to_string(), directory.clone()));
        }
    }
    found.sort_by_key(|l| std::cmp::Reverse(u64::from(l.width) * u64::from(l.height)));
    let Some(finest) = found.first().map(|l| (l.width, l.height)) else {
        return Err(tiff.fault("an image taken by an objective", "none"));
    };
    let levels = found.iter().map(|l| level((l.width, l.height), l.piece_size(), finest)).collect();
    let mut listed = Vec::new();
    for (name, directory) in &associated {
        let side = |tag| Ok::<_, eosin_core::Error>(tiff.first_uint(directory, tag)?.unwrap_or(0));
        let (width, height) = (side(tag::WIDTH)? as u32, side(tag::HEIGHT)? as u32);
        listed.push(AssociatedImage { name: name.clone(), width, height });
    }
    Ok(Parts {
        format: SlideFormat::Ndpi,
        levels,
        spacing,
        properties,
        associated: listed,
        pyramid: Box::new(NdpiPyramid { tiff, levels: found, associated }),
    })
}

impl Pyramid for NdpiPyramid {
    fn piece(&self, level: usize, column: u32, row: u32) -> Result<Option<RgbImage>> {
        let Some(level) = self.levels.get(level) else { return Ok(None) };
        level.piece(&self.tiff, column, row).map(Some).map_err(|found| {
            self.tiff.fault(
                format!("piece {column}, {row} of the {} × {} px level", level.width, level.height),
                found,
            )
        })
    }

    fn associated(&self, known: &[AssociatedImage], name: &str) -> Result<RgbImage> {
        match self.associated.iter().find(|(other, _)| other == name) {
            Some((_, directory)) => {
                self.tiff.renew_budget();
                whole_tiff_image(&self.tiff, &TiffImage::read(&self.tiff, directory)?)
            }
            None => Err(unknown_associated(known, name)),
        }
    }

    fn icc_profile(&self) -> Option<&[u8]> {
        self.tiff.icc_profile()
    }
}

impl NdpiLevel {
    fn read(tiff: &Tiff, directory: &Directory) -> Result<Self> {
        let uint = |tag| Ok::<_, eosin_core::Error>(tiff.first_uint(directory, tag)?.unwrap_or(0));
        let (width, height) = (uint(tag::WIDTH)?, uint(tag::HEIGHT)?);
        let (at, len) = (uint(tag::STRIP_OFFSETS)?, uint(tag::STRIP_BYTE_COUNTS)?);
        let sides = 1..=u64::from(u32::MAX >> 1);
        let stored =
            tiff.slice(at, len).filter(|_| sides.contains(&width) && sides.contains(&height));
        let Some(stored) = stored else {
            return Err(tiff.fault("a level's JPEG", format!("{len} bytes at byte {at}")));
        };
        upright(tiff, directory)?;
        // One piece or many, a level of NDPI is stored whole.
        let file_bytes = tiff.bytes().len() as u64;
        check_stored(file_bytes, 1, (width, height), len)
            .map_err(|found| tiff.fault("a level that fits its file", found))?;
        let (frame, scan) = jpeg::Frame::read(stored)
            .map_err(|found| tiff.fault("a level's JPEG header", found))?;
        let (width, height) = (width as u32, height as u32);
        let (mcu_width, mcu_height) = frame.mcu;
        let mut intervals = tiff.uints(directory, tag::NDPI_MCU_STARTS)?;
        let upper = tiff.uints(directory, tag::NDPI_MCU_STARTS_HIGH)?;
        for (start, upper) in intervals.iter_mut().zip(upper) {
            *start |= upper << 32;
        }
        let interval_width = u32::from(frame.restart_interval).saturating_mul(mcu_width);
        let whole = intervals.is_empty() || interval_width == 0;
        let this = Self {
            width,
            height,
            at,
            len,
            scan: scan as u64,
            frame,
            interval_width: if whole { width } else { interval_width },
            interval_height: if whole { height } else { mcu_height },
            stack: if whole { 1 } else { (PIECE_HEIGHT / mcu_height).max(1) },
            intervals: if whole { Vec::new() } else { intervals },
        };
        let (piece_width, piece_height) = this.piece_size();
        crate::codec::checked_pixels(u64::from(piece_width), u64::from(piece_height)).map_err(
            |found| {
                eosin_core::Error::unsupported(
                    format!("{}: reading a level in one piece of {found}", tiff.name().display()),
                    &[],
                    "convert the slide with `vips tiffsave --tile --pyramid`",
                )
            },
        )?;
        if !whole {
            let columns = this.columns();
            // An interval must end where a row of MCUs ends, as all known scanners have it.
            let full =
                width.div_ceil(mcu_width).is_multiple_of(u32::from(this.frame.restart_interval));
            let expected = u64::from(columns) * u64::from(height.div_ceil(mcu_height));
            if !full || (this.intervals.len() as u64) < expected {
                return Err(tiff.fault(
                    format!("{expected} restart intervals in rows of {columns}"),
                    format!("{} of {interval_width} px", this.intervals.len()),
                ));
            }
        }
        Ok(this)
    }

    fn columns(&self) -> u32 {
        self.width.div_ceil(self.interval_width)
    }

    fn piece_size(&self) -> (u32, u32) {
        (
            self.interval_width,
            self.interval_height
                .saturating_mul(self.stack)
                .min(self.height.next_multiple_of(self.interval_height)),
        )
    }

    fn piece(&self, tiff: &Tiff, column: u32, row: u32) -> Result<RgbImage, Fault> {
        let stored = tiff.slice(self.at, self.len).ok_or("a file that became shorter")?;
        if self.intervals.is_empty() {
            let stream =
                self.frame.with_size(stored, self.scan as usize, self.width, self.height)?;
            return jpeg::decode(&[], &stream, jpeg::Colour::Stream);
        }
        let n_rows = self.height.div_ceil(self.interval_height);
        let first = row.saturating_mul(self.stack);
        let last = first.saturating_add(self.stack).min(n_rows);
        if first >= last || column >= self.columns() {
            return Err("no such piece".into());
        }
        let height = (last - first) * self.interval_height;
        let mut stream =
            self.frame.header(stored, self.scan as usize, self.interval_width, height)?;
        for (i, interval_row) in (first..last).enumerate() {
            let index = interval_row as usize * self.columns() as usize + column as usize;
            let start = self.intervals[index] as usize;
            let end = self.intervals.get(index + 1).map_or(stored.len(), |&end| end as usize);
            let data = stored
                .get(start..end)
                .ok_or_else(|| format!("a restart interval from byte {start} to {end}"))?;
            // Intervals lie one behind the other, so together they are no longer than the level.
            if stream.len() + data.len() > stored.len() + 2 * (last - first) as usize {
                return Err(format!("restart intervals that overlap at byte {start}"));
            }
            stream.extend_from_slice(without_marker(data));
            let marker = if interval_row + 1 == last { 0xD9 } else { 0xD0 + (i % 8) as u8 };
            stream.extend_from_slice(&[0xFF, marker]);
        }
        jpeg::decode(&[], &stream, jpeg::Colour::Stream)
    }
}

/// The interval without the restart or end marker that closes it.
fn without_marker(data: &[u8]) -> &[u8] {
    match data {
        [rest @ .., 0xFF, 0xD0..=0xD9] => rest,
        all => all,
    }
}
