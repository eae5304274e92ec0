// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pyramids in TIFF files: which directories are levels and which are associated images.

use std::collections::BTreeMap;

use eosin_core::{Error, Mpp, Result, RgbImage};

use super::pyramid::{Parts, Pyramid, Spacing, level, unknown_associated};
use super::xml;
use super::{AssociatedImage, SlideFormat};
use crate::image_file::whole_tiff_image;
use crate::tiff::{Directory, Tiff, TiffImage, tag};

/// Levels of a file beyond which it is taken for damaged.
const MAX_LEVELS: usize = 64;

/// Properties of a description beyond which it is taken for damaged; scanners write some fifty.
const MAX_PROPERTIES: usize = 4096;

/// Aspect ratios of levels differ by rounding only; an image that differs more is another image.
const ASPECT_TOLERANCE: f64 = 0.05;

/// A TIFF whose levels are images of their own.
#[derive(Debug)]
struct TiffPyramid {
    tiff: Tiff,
    levels: Vec<TiffImage>,
    associated: Vec<(String, Directory)>,
}

/// What a file's directories were sorted into.
pub(crate) struct Sorted {
    pub(crate) format: SlideFormat,
    /// The finest first.
    pub(crate) levels: Vec<TiffImage>,
    /// Sizes of the levels where they are smaller than what is stored; otherwise empty.
    pub(crate) sizes: Vec<(u32, u32)>,
    pub(crate) associated: Vec<(String, Directory)>,
    pub(crate) spacing: Spacing,
    pub(crate) properties: BTreeMap<String, String>,
}

/// Reads the headers of a TIFF slide.
pub(crate) fn parts(tiff: Tiff) -> Result<Parts> {
    let Some(first) = tiff.directories().first() else {
        return Err(tiff.fault("an image", "none"));
    };
    let description = tiff.text(first, tag::DESCRIPTION)?.unwrap_or_default();
    let software = tiff.text(first, tag::SOFTWARE)?.unwrap_or_default();
    if let Some(vendor) = overlapping(&tiff, first, &software)? {
        return Err(Error::unsupported(
            format!("{}: {vendor}, whose pieces overlap,", tiff.name().display()),
            &[],
            "the plugin openslide reads it (cargo feature `openslide`)",
        ));
    }
    let sorted = if description.starts_with("Aperio") {
        aperio(&tiff, &description)?
    } else if software.starts_with("Philips") && description.contains("DPUfsImport") {
        xml::philips(&tiff, &description)?
    } else if description.contains("leica-microsystems.com/scn") {
        xml::leica(&tiff, &description)?
    } else if description.contains("<OME") {
        xml::ome(&tiff, &description)?
    } else {
        generic(&tiff)?
    };
    let sizes: Vec<(u32, u32)> = sorted
        .levels
        .iter()
        .enumerate()
        .map(|(i, image)| sorted.sizes.get(i).copied().unwrap_or((image.width, image.height)))
        .collect();
    let Some(&finest) = sizes.first() else {
        return Err(tiff.fault("a tiled or striped image", "none"));
    };
    let levels = sorted
        .levels
        .iter()
        .zip(sizes)
        .map(|(image, size)| level(size, (image.piece_width, image.piece_height), finest))
        .collect();
    let associated = sorted
        .associated
        .iter()
        .map(|(name, directory)| {
            let side =
                |tag| Ok::<_, eosin_core::Error>(tiff.first_uint(directory, tag)?.unwrap_or(0));
            Ok(AssociatedImage {
                name: name.clone(),
                width: side(tag::WIDTH)? as u32,
                height: side(tag::HEIGHT)? as u32,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Parts {
        format: sorted.format,
        levels,
        spacing: sorted.spacing,
        properties: sorted.properties,
        associated,
        pyramid: Box::new(TiffPyramid {
            tiff,
            levels: sorted.levels,
            associated: sorted.associated,
        }),
    })
}

/// Vendors whose pieces overlap by amounts that only their own metadata says: laid side by side they
/// would give wrong places.
fn overlapping(tiff: &Tiff, first: &Directory, software: &str) -> Result<Option<&'static str>> {
    let xmp = tiff.raw(first, tag::XMP).unwrap_or_default();
    let has = |bytes: &[u8], mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
    let mut ventana = has(xmp, b"iScan");
    for directory in tiff.directories() {
        // Ventana keeps its own description in any of the first images.
        let text = tiff.text(directory, tag::DESCRIPTION)?.unwrap_or_default();
        let xmp = tiff.raw(directory, tag::XMP).unwrap_or_default();
        ventana |= text.starts_with("level=0 mag=") && has(xmp, b"EncodeInfo");
    }
    Ok(if ventana {
        Some("a Ventana slide (BIF)")
    } else if software.starts_with("MedScan") {
        Some("a Trestle slide")
    } else {
        None
    })
}

impl Pyramid for TiffPyramid {
    fn piece(&self, level: usize, column: u32, row: u32) -> Result<Option<RgbImage>> {
        match self.levels.get(level) {
            Some(image) => image.decode(&self.tiff, column, row),
            None => Ok(None),
        }
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

/// Aperio: tiled images are levels; the rest are the thumbnail, the label and the macro.
fn aperio(tiff: &Tiff, description: &str) -> Result<Sorted> {
    let properties = aperio_properties(tiff, description)?;
    let spacing = properties
        .get("MPP")
        .and_then(|text| text.parse().ok())
        .and_then(|value| Mpp::new(value).ok())
        .map_or(Spacing::Unknown, Spacing::Square);
    let mut levels = Vec::new();
    let mut associated = Vec::new();
    for (i, directory) in tiff.directories().iter().enumerate() {
        if directory.has(tag::TILE_WIDTH) {
            push_level(tiff, &mut levels, directory)?;
        } else {
            // The name is the first word of the description's second line.
            let text = tiff.text(directory, tag::DESCRIPTION)?.unwrap_or_default();
            let word = text.lines().nth(1).and_then(|line| line.split_whitespace().next());
            let name = match word {
                Some(word @ ("label" | "macro")) => word.to_string(),
                _ if i == 1 => "thumbnail".to_string(),
                _ => format!("image-{i}"),
            };
            associated.push((name, directory.clone()));
        }
    }
    sort_levels(&mut levels);
    Ok(Sorted {
        format: SlideFormat::Aperio,
        levels,
        sizes: Vec::new(),
        associated,
        spacing,
        properties,
    })
}

/// `key = value` pairs between bars in the description.
fn aperio_properties(tiff: &Tiff, description: &str) -> Result<BTreeMap<String, String>> {
    let n_bars = description.bytes().filter(|&byte| byte == b'|').count();
    if n_bars > MAX_PROPERTIES {
        return Err(tiff.fault(format!("at most {MAX_PROPERTIES} properties"), n_bars.to_string()));
    }
    let pairs = description
        .split('|')
        .skip(1)
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim().to_string(), value.trim().to_string()));
    Ok(pairs.collect())
}

/// Any other TIFF: the first image and all smaller ones of its shape, in the main chain and in its
/// SubIFDs.
fn generic(tiff: &Tiff) -> Result<Sorted> {
    let mut levels: Vec<TiffImage> = Vec::new();
    let mut associated = Vec::new();
    for (i, directory) in tiff.directories().iter().enumerate() {
        let fits = match levels.first() {
            None => true,
            Some(finest) => is_reduction(tiff, directory, finest)?,
        };
        if fits {
            push_level(tiff, &mut levels, directory)?;
        } else {
            associated.push((format!("image-{i}"), directory.clone()));
        }
    }
    if let (Some(first), Some(finest)) = (tiff.directories().first(), levels.first().cloned()) {
        for directory in tiff.sub_directories(first)? {
            if is_reduction(tiff, &directory, &finest)? {
                push_level(tiff, &mut levels, &directory)?;
            }
        }
    }
    sort_levels(&mut levels);
    let spacing = match tiff.directories().first() {
        Some(first) => resolution(tiff, first)?,
        None => Spacing::Unknown,
    };
    let mut properties = BTreeMap::new();
    for (name, number) in [("Make", tag::MAKE), ("Software", tag::SOFTWARE)] {
        if let Some(first) = tiff.directories().first()
            && let Some(text) = tiff.text(first, number)?
        {
            properties.insert(name.to_string(), text);
        }
    }
    let (format, sizes) = (SlideFormat::Tiff, Vec::new());
    Ok(Sorted { format, levels, sizes, associated, spacing, properties })
}

pub(crate) fn push_level(
    tiff: &Tiff,
    levels: &mut Vec<TiffImage>,
    directory: &Directory,
) -> Result<()> {
    if levels.len() == MAX_LEVELS {
        return Err(tiff.fault(format!("at most {MAX_LEVELS} levels"), "more"));
    }
    upright(tiff, directory)?;
    levels.push(TiffImage::read(tiff, directory)?);
    Ok(())
}

/// Refuses a level that would have to be turned: places on a slide are those of its pieces.
pub(crate) fn upright(tiff: &Tiff, directory: &Directory) -> Result<()> {
    match tiff.first_uint(directory, tag::ORIENTATION)?.unwrap_or(1) {
        1 => Ok(()),
        other => Err(Error::unsupported(
            format!(
                "{}: reading a slide whose TIFF tag Orientation ({}) is {other}",
                tiff.name().display(),
                tag::ORIENTATION
            ),
            &["1 (the first row on top, the first column left)"],
            "turn it upright, for example with `vips autorot`",
        )),
    }
}

/// The finest first; of two of one size, the one that stands first in the file stays.
pub(crate) fn sort_levels(levels: &mut Vec<TiffImage>) {
    levels.sort_by_key(|image| std::cmp::Reverse(u64::from(image.width) * u64::from(image.height)));
    levels.dedup_by_key(|image| (image.width, image.height));
}

/// Whether a directory is a smaller image of the same shape and the same kind of pieces.
pub(crate) fn is_reduction(tiff: &Tiff, directory: &Directory, finest: &TiffImage) -> Result<bool> {
    let side =
        |tag| Ok::<_, eosin_core::Error>(tiff.first_uint(directory, tag)?.unwrap_or(0) as f64);
    let (width, height) = (side(tag::WIDTH)?, side(tag::HEIGHT)?);
    if width < 1.0 || height < 1.0 || directory.has(tag::TILE_WIDTH) != finest.tiled {
        return Ok(false);
    }
    let ratio_x = f64::from(finest.width) / width;
    let ratio_y = f64::from(finest.height) / height;
    // Small levels are rounded by up to a pixel, which is a large share of them.
    let rounding = 1.5 / width.min(height);
    Ok(ratio_x >= 1.0
        && ratio_x.max(ratio_y) > 1.2
        && (ratio_x / ratio_y - 1.0).abs() < ASPECT_TOLERANCE + rounding)
}

/// µm per pixel by the resolution tags; 1 and 72 per inch are writers' defaults and fall outside
/// the range that [`Mpp`] takes.
pub(crate) fn resolution(tiff: &Tiff, directory: &Directory) -> Result<Spacing> {
    let um_per_unit = match tiff.first_uint(directory, tag::RESOLUTION_UNIT)?.unwrap_or(2) {
        2 => 25_400.0,
        3 => 10_000.0,
        _ => return Ok(Spacing::Unknown),
    };
    let mut sides = [0.0; 2];
    for (side, tag) in sides.iter_mut().zip([tag::X_RESOLUTION, tag::Y_RESOLUTION]) {
        match tiff.real(directory, tag)? {
            Some(per_unit) if per_unit > 0.0 => *side = um_per_unit / per_unit,
            _ => return Ok(Spacing::Unknown),
        }
    }
    Ok(Spacing::of(sides))
}
