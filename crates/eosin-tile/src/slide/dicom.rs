// SPDX-License-Identifier: MIT OR Apache-2.0

//! DICOM whole-slide microscopy: frames are pieces, and each level is a file of one series.
//!
//! Source: DICOM PS3.3 A.32.8 (VL Whole Slide Microscopy), PS3.5 A.4 (encapsulated frames).

mod dataset;
mod frames;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eosin_core::{Error, Result, RgbImage};

use super::pyramid::{Parts, Pyramid, Spacing, level, unknown_associated};
use super::{AssociatedImage, SlideFormat};
use crate::codec::jpeg2000;
use crate::tiff::FileBytes;
use dataset::Header;
use frames::Frames;

/// Files of a folder beyond which the other levels are not looked for.
const MAX_FILES: usize = 10_000;

#[derive(Debug)]
struct DicomPyramid {
    levels: Vec<DicomImage>,
    associated: Vec<(String, DicomImage)>,
}

/// One file: a level or an associated image.
#[derive(Debug)]
struct DicomImage {
    path: PathBuf,
    bytes: FileBytes,
    header: Header,
    frames: Frames,
}

/// Opens a file and the other files of its series in the same folder.
pub(crate) fn parts(path: &Path) -> Result<Parts> {
    let first = DicomImage::open(path)?;
    if first.header.flavour() != "VOLUME" {
        return Err(Error::data(
            path,
            "a whole-slide image (image type VOLUME)",
            format!("image type {}", first.header.image_type.join(", ")),
            "open a file of the series that holds the tissue",
        ));
    }
    let series = first.header.series.clone();
    let mut images = vec![first];
    for other in siblings(path, &series) {
        // A damaged neighbour must not keep a sound file from being read.
        match DicomImage::open(&other) {
            Ok(image) => images.push(image),
            Err(error) => tracing::warn!(file = %other.display(), %error, "left out of the series"),
        }
    }
    let mut levels: Vec<DicomImage> = Vec::new();
    let mut associated = Vec::new();
    for image in images {
        match image.header.flavour() {
            "VOLUME" => levels.push(image),
            "LABEL" => associated.push(("label".to_string(), image)),
            "OVERVIEW" => associated.push(("macro".to_string(), image)),
            "THUMBNAIL" => associated.push(("thumbnail".to_string(), image)),
            _ => {}
        }
    }
    levels.sort_by_key(|image| std::cmp::Reverse(image.header.area()));
    // The same level may be there twice; the file that was asked for comes first among equals.
    levels.dedup_by_key(|image| (image.header.width, image.header.height));
    let Some(finest) = levels.first() else {
        return Err(Error::data(path, "a level", "none", "copy the series again"));
    };
    let size = |image: &DicomImage| (image.header.width, image.header.height);
    let finest_size = size(finest);
    let spacing = finest.spacing();
    let properties = finest.header.properties();
    let listed = associated
        .iter()
        .map(|(name, image)| {
            let (width, height) = size(image);
            AssociatedImage { name: name.clone(), width, height }
        })
        .collect();
    Ok(Parts {
        format: SlideFormat::Dicom,
        levels: levels
            .iter()
            .map(|i| level(size(i), (i.header.columns, i.header.rows), finest_size))
            .collect(),
        spacing,
        properties,
        associated: listed,
        pyramid: Box::new(DicomPyramid { levels, associated }),
    })
}

impl Pyramid for DicomPyramid {
    fn piece(&self, level: usize, column: u32, row: u32) -> Result<Option<RgbImage>> {
        match self.levels.get(level) {
            Some(image) => image.piece(column, row),
            None => Ok(None),
        }
    }

    fn placed(&self, level: usize) -> Option<Vec<(u32, u32)>> {
        self.levels.get(level)?.frames.placed()
    }

    fn associated(&self, known: &[AssociatedImage], name: &str) -> Result<RgbImage> {
        match self.associated.iter().find(|(other, _)| other == name) {
            Some((_, image)) => image.whole(),
            None => Err(unknown_associated(known, name)),
        }
    }

    fn icc_profile(&self) -> Option<&[u8]> {
        let profile = &self.levels.first()?.header.icc_profile;
        (!profile.is_empty()).then_some(profile)
    }

    fn files(&self) -> Vec<PathBuf> {
        let associated = self.associated.iter().map(|(_, image)| image);
        self.levels.iter().chain(associated).map(|image| image.path.clone()).collect()
    }
}

impl DicomImage {
    fn open(path: &Path) -> Result<Self> {
        let bytes = FileBytes::map(path)?;
        let fault = |found: String| {
            Error::data(
                path,
                "a DICOM whole-slide image",
                found,
                "copy the file again; other DICOM images are not slides",
            )
        };
        let header = Header::read(&bytes).map_err(fault)?;
        if header.is_jpeg2000() {
            jpeg2000::require(path)?;
        }
        let frames = Frames::read(&bytes, &header).map_err(fault)?;
        Ok(Self { path: path.to_path_buf(), bytes, header, frames })
    }

    fn piece(&self, column: u32, row: u32) -> Result<Option<RgbImage>> {
        self.frames.decode(&self.bytes, &self.header, column, row).map_err(|found| {
            Error::data(
                &self.path,
                format!("frame at {column}, {row}"),
                found,
                "copy the file again, or convert it to JPEG frames",
            )
        })
    }

    fn whole(&self) -> Result<RgbImage> {
        let (width, height) = (self.header.width, self.header.height);
        crate::codec::checked_pixels(u64::from(width), u64::from(height)).map_err(|found| {
            Error::data(&self.path, "a small image", found, "open the file as a slide")
        })?;
        let mut whole = RgbImage::filled(width, height, [255; 3]);
        let (columns, rows) =
            (width.div_ceil(self.header.columns), height.div_ceil(self.header.rows));
        let all = || (0..rows).flat_map(|row| (0..columns).map(move |c| (c, row))).collect();
        for (column, row) in self.frames.placed().unwrap_or_else(all) {
            if let Some(piece) = self.piece(column, row)? {
                let at = (
                    i64::from(column) * i64::from(self.header.columns),
                    i64::from(row) * i64::from(self.header.rows),
                );
                crate::image_file::paste(&mut whole, &piece, at);
            }
        }
        Ok(whole)
    }

    fn spacing(&self) -> Spacing {
        let um = self.header.spacing_mm.map(|[row, column]| [column * 1000.0, row * 1000.0]);
        um.map_or(Spacing::Unknown, Spacing::of)
    }
}

/// Files beside `path` whose headers name the same series, sorted by name.
fn siblings(path: &Path, series: &str) -> Vec<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return Vec::new(),
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|other| other.file_name() != path.file_name() && other.is_file())
        .take(MAX_FILES)
        .collect();
    files.sort();
    files.retain(|file| {
        dataset::series_of(file).is_some_and(|other| other == series && !series.is_empty())
    });
    files
}

/// The instances of a series by what its files are, for listing.
pub(super) fn first_text(properties: &mut BTreeMap<String, String>, key: &str, value: &str) {
    if !value.is_empty() {
        properties.insert(key.to_string(), value.to_string());
    }
}
