// SPDX-License-Identifier: MIT OR Apache-2.0

//! A whole-slide image: levels of decreasing resolution, read by region.

mod cache;
#[cfg(feature = "dicom")]
mod dicom;
mod ndpi;
mod open;
mod plugin;
mod pyramid;
mod thumbnail;
mod tiff_pyramid;
mod xml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use eosin_core::AssociatedImage;
use eosin_core::{Error, Mpp, Result, RgbImage, SlideReader};

use cache::{Found, PieceCache};
pub(crate) use open::is_slide;
use pyramid::{Parts, Spacing};
pub use thumbnail::Thumbnail;

use crate::digest::{Coverage, of_slide, source_text};
use crate::image_file::paste;

/// The kind of file a slide was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlideFormat {
    /// Tiled or striped TIFF or BigTIFF that no vendor's mark was found in.
    Tiff,
    /// Aperio SVS.
    Aperio,
    /// Hamamatsu NDPI.
    Ndpi,
    /// OME-TIFF.
    OmeTiff,
    /// Philips TIFF.
    Philips,
    /// Leica SCN.
    Leica,
    /// DICOM whole-slide microscopy.
    Dicom,
    /// Whatever a plugin reads; the slide's properties say what it is.
    Plugin,
}

/// One resolution of a slide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Level-0 pixels per pixel of this level.
    pub downsample: f64,
    /// Width of the pieces that the file stores.
    pub piece_width: u32,
    /// Height of the pieces that the file stores.
    pub piece_height: u32,
}

/// An open slide. Reading takes `&self`, from any number of threads.
#[derive(Debug)]
pub struct Slide {
    path: PathBuf,
    stem: String,
    source: String,
    reader: &'static str,
    reader_version: String,
    parts: Parts,
    cache: PieceCache,
}

/// Version of the pixels that come from slides by the built-in reader.
const READER_VERSION: &str = "4";

/// Bytes of decoded pieces that a slide keeps unless told otherwise.
pub(crate) const DEFAULT_CACHE_BYTES: usize = 128 << 20;

impl Slide {
    /// Opens a slide; its format is told by its content, not its name.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::with_cache(path, DEFAULT_CACHE_BYTES)
    }

    /// As [`Slide::open`], keeping at most `cache_bytes` of decoded pieces.
    ///
    /// Two rows of pieces should fit; with less, pieces are decoded more than once.
    pub fn with_cache(path: impl AsRef<Path>, cache_bytes: usize) -> Result<Self> {
        Self::open_with(path, "built-in", &[], cache_bytes)
    }

    /// As [`Slide::with_cache`], by the reader `reader`: `built-in`, a plugin of `readers` by its
    /// kind, or `auto` for the built-in one first and then the first plugin that reads the file.
    pub fn open_with(
        path: impl AsRef<Path>,
        reader: &str,
        readers: &[Arc<dyn SlideReader>],
        cache_bytes: usize,
    ) -> Result<Self> {
        let path = path.as_ref();
        let open::Opened { parts, reader, version } = open::open(path, reader, readers)?;
        let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        Ok(Self {
            path: path.to_path_buf(),
            stem,
            source: source_text(path),
            reader,
            reader_version: version.unwrap_or_else(|| READER_VERSION.into()),
            parts,
            cache: PieceCache::new(cache_bytes),
        })
    }

    /// What read the slide: `slide` for the built-in reader, else the plugin's kind.
    pub fn reader(&self) -> &'static str {
        self.reader
    }

    /// Version of the reader's pixels.
    pub fn reader_version(&self) -> &str {
        &self.reader_version
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name without its extension, which names the slide.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The file as an absolute path, by which its tiles tell where they are from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Tells by a digest what the slide's files hold: those of its whole series, where it has
    /// several.
    ///
    /// With `verify` every byte is read. Without it, length, time of the last change, and the first
    /// and last 64 KiB of each file count, so that a change in the middle that keeps length and time
    /// is not noticed. The two are never equal. A plugin's further files are not known.
    pub fn digest_of(&self, verify: bool) -> Result<String> {
        let coverage = if verify { Coverage::Whole } else { Coverage::Ends };
        let mut files = self.parts.pyramid.files();
        files.push(self.path.clone());
        of_slide(&files, coverage).map_err(|e| Error::io("read", &self.path, e))
    }

    /// The kind of file.
    pub fn format(&self) -> SlideFormat {
        self.parts.format
    }

    /// The levels, the finest first.
    pub fn levels(&self) -> &[Level] {
        &self.parts.levels
    }

    /// Width and height of level 0.
    pub fn size(&self) -> (u32, u32) {
        self.parts.levels.first().map_or((0, 0), |level| (level.width, level.height))
    }

    /// Resolution of level 0, where the file says one for both axes.
    pub fn mpp(&self) -> Option<Mpp> {
        match self.parts.spacing {
            Spacing::Square(mpp) => Some(mpp),
            Spacing::Unknown | Spacing::Unequal(_) => None,
        }
    }

    /// µm per pixel across and down, where the file says two that differ. Such a slide has no
    /// [`mpp`](Self::mpp) of its own, and is read where [`TilingOptions`](crate::TilingOptions)
    /// give one for both axes.
    pub fn unequal_spacing(&self) -> Option<[f64; 2]> {
        match self.parts.spacing {
            Spacing::Unequal(sides) => Some(sides),
            Spacing::Unknown | Spacing::Square(_) => None,
        }
    }

    /// What else the file says of itself, by the file's own names.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.parts.properties
    }

    /// Images beside the tissue, such as label and macro. A label may name the patient: list
    /// freely, show with care.
    pub fn associated(&self) -> &[AssociatedImage] {
        &self.parts.associated
    }

    /// Decodes an associated image by name.
    pub fn read_associated(&self, name: &str) -> Result<RgbImage> {
        self.parts.pyramid.associated(&self.parts.associated, name)
    }

    /// The ICC profile of level 0, where the file has one. Regions are read without it; see
    /// [`TilingOptions::icc`](crate::TilingOptions::icc).
    pub fn icc_profile(&self) -> Option<&[u8]> {
        self.parts.pyramid.icc_profile()
    }

    /// Reads `width` × `height` pixels of a level from `(x, y)`, in that level's pixels.
    ///
    /// What lies outside the level, or was left out of a sparse file, is white.
    pub fn read_region(
        &self,
        level: usize,
        x: i64,
        y: i64,
        width: u32,
        height: u32,
    ) -> Result<RgbImage> {
        let Some(shape) = self.parts.levels.get(level) else {
            return Err(Error::input(
                "level",
                format!("a number below {}", self.parts.levels.len()),
                level.to_string(),
                "`eosin inspect` lists a slide's levels",
            ));
        };
        crate::codec::checked_pixels(u64::from(width), u64::from(height)).map_err(|found| {
            Error::input("region", "a smaller region", found, "read it in parts")
        })?;
        let mut region = RgbImage::filled(width, height, [255; 3]);
        let (piece_w, piece_h) = (i64::from(shape.piece_width), i64::from(shape.piece_height));
        let end_x = x.saturating_add(i64::from(width)).min(i64::from(shape.width));
        let end_y = y.saturating_add(i64::from(height)).min(i64::from(shape.height));
        let (first_left, first_top) = (x.max(0) / piece_w * piece_w, y.max(0) / piece_h * piece_h);
        let places = (first_top..end_y).step_by(piece_h as usize).flat_map(|top| {
            (first_left..end_x).step_by(piece_w as usize).map(move |left| (left, top))
        });
        let key = |left, top| (level, (left / piece_w) as u32, (top / piece_h) as u32);
        let decode = |(level, column, row)| self.parts.pyramid.piece(level, column, row);
        let mut put = |piece: Option<Arc<RgbImage>>, left, top| {
            if let Some(piece) = piece {
                paste(&mut region, &piece, (left - x, top - y));
            }
        };
        // Neighbouring regions share pieces: what another thread decodes comes last, so that
        // threads that read neighbours do not take turns.
        let mut busy = Vec::new();
        for (left, top) in places {
            let key = key(left, top);
            match self.cache.get_unless_busy(key, || decode(key))? {
                Found::Piece(piece) => put(piece, left, top),
                Found::Busy => busy.push((left, top)),
            }
        }
        for (left, top) in busy {
            let key = key(left, top);
            put(self.cache.get(key, || decode(key))?, left, top);
        }
        // The last pieces may reach past the level; what they hold there is not the slide's.
        whiten_outside(&mut region, end_x - x, end_y - y);
        Ok(region)
    }

    /// Columns and rows of the pieces of a level that are to be asked for, row by row.
    pub(crate) fn places(&self, level: usize) -> Box<dyn Iterator<Item = (u32, u32)> + '_> {
        let Some(shape) = self.parts.levels.get(level) else { return Box::new(std::iter::empty()) };
        if let Some(mut placed) = self.parts.pyramid.placed(level) {
            placed.sort_unstable_by_key(|&(column, row)| (row, column));
            return Box::new(placed.into_iter());
        }
        let columns = shape.width.div_ceil(shape.piece_width);
        let rows = shape.height.div_ceil(shape.piece_height);
        Box::new((0..rows).flat_map(move |row| (0..columns).map(move |column| (column, row))))
    }

    /// A piece past the cache, for work that visits every piece once.
    pub(crate) fn piece(&self, level: usize, column: u32, row: u32) -> Result<Option<RgbImage>> {
        self.parts.pyramid.piece(level, column, row)
    }
}

impl SlideFormat {
    /// The format's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiff => "tiff",
            Self::Aperio => "aperio",
            Self::Ndpi => "ndpi",
            Self::OmeTiff => "ome-tiff",
            Self::Philips => "philips",
            Self::Leica => "leica",
            Self::Dicom => "dicom",
            Self::Plugin => "plugin",
        }
    }
}

fn whiten_outside(region: &mut RgbImage, width: i64, height: i64) {
    let row_bytes = region.width() as usize * 3;
    let keep = (width.max(0) as usize * 3).min(row_bytes);
    for (y, row) in region.data_mut().chunks_exact_mut(row_bytes).enumerate() {
        let from = if (y as i64) < height { keep } else { 0 };
        row[from..].fill(255);
    }
}

#[cfg(test)]
mod tests;
