// SPDX-License-Identifier: MIT OR Apache-2.0

//! TIFF slides whose levels and resolution stand in an XML description.

mod limits;

use std::collections::{BTreeMap, BTreeSet};

use eosin_core::{Error, Result};
use roxmltree::{Document, Node, ParsingOptions};

use super::SlideFormat;
use super::pyramid::Spacing;
use super::tiff_pyramid::{Sorted, is_reduction, push_level, sort_levels};
use crate::tiff::{Directory, Tiff, TiffImage, tag};

/// Nodes of a description beyond which it is taken for damaged.
const MAX_NODES: u32 = 2_000_000;

fn parse<'a>(tiff: &Tiff, text: &'a str) -> Result<Document<'a>> {
    let fault = |found| tiff.fault("a description in XML", found);
    limits::check(text).map_err(fault)?;
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|e| fault(e.to_string()))
}

/// The elements of a name in `node` itself, not in what is in it, whatever their namespace. Below
/// elements that may hold others of their name, looking at all of them would look at each of them
/// as often as it is deep.
fn children<'a, 'i>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |n| n.is_element() && n.tag_name().name() == name)
}

/// Elements of a name, whatever their namespace.
fn elements<'a, 'i>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(move |n| n.is_element() && n.tag_name().name() == name)
}

fn number(node: Node, attribute: &str) -> Option<f64> {
    node.attribute(attribute)?.trim().parse().ok().filter(|v: &f64| v.is_finite())
}

/// OME-TIFF: the largest image of the main chain, with its SubIFDs as levels.
///
/// Source: OME-TIFF specification 6.0, "Sub-resolutions".
pub(crate) fn ome(tiff: &Tiff, description: &str) -> Result<Sorted> {
    let document = parse(tiff, description)?;
    let images: Vec<Node> = children(document.root_element(), "Image").collect();
    let area = |image: &Node| {
        children(*image, "Pixels").next().map_or(0.0, |pixels| {
            number(pixels, "SizeX").unwrap_or(0.0) * number(pixels, "SizeY").unwrap_or(0.0)
        })
    };
    let Some((index, main)) = images
        .iter()
        .enumerate()
        .max_by(|a, b| area(a.1).total_cmp(&area(b.1)).then(b.0.cmp(&a.0)))
    else {
        return Err(tiff.fault("an Image in the OME description", "none"));
    };
    let Some(main_pixels) = children(*main, "Pixels").next() else {
        return Err(tiff.fault("the Pixels of the OME image", "none"));
    };
    let first_ifd = |image: &Node, otherwise: usize| {
        children(*image, "Pixels")
            .flat_map(|pixels| children(pixels, "TiffData"))
            .find_map(|data| number(data, "IFD"))
            .map_or(otherwise, |ifd| ifd as usize)
    };
    let ifd = first_ifd(main, index);
    let Some(directory) = tiff.directories().get(ifd) else {
        return Err(
            tiff.fault(format!("image directory {ifd}"), tiff.directories().len().to_string())
        );
    };
    let samples = tiff.first_uint(directory, tag::SAMPLES_PER_PIXEL)?.unwrap_or(1);
    let channels = number(main_pixels, "SizeC").unwrap_or(1.0);
    if samples < 3 && channels > 1.0 {
        return Err(Error::unsupported(
            format!("{}: an OME-TIFF of {channels} single channels", tiff.name().display()),
            &["RGB in one image", "one grey channel"],
            "merge the channels to RGB, for example in QuPath's export",
        ));
    }
    let mut levels = Vec::new();
    push_level(tiff, &mut levels, directory)?;
    for smaller in tiff.sub_directories(directory)? {
        push_level(tiff, &mut levels, &smaller)?;
    }
    sort_levels(&mut levels);
    let mut associated = Vec::new();
    let mut taken = BTreeSet::from([ifd]);
    for (i, image) in images.iter().enumerate() {
        let other = first_ifd(image, i);
        if let Some(directory) = tiff.directories().get(other)
            && i != index
            && taken.insert(other)
        {
            let name =
                image.attribute("Name").map_or_else(|| format!("image-{i}"), str::to_lowercase);
            associated.push((name, directory.clone()));
        }
    }
    // Older writers put the levels into the main chain instead.
    if let Some(finest) = levels.first().cloned()
        && levels.len() == 1
        && images.len() == 1
    {
        for directory in &tiff.directories()[ifd + 1..] {
            if is_reduction(tiff, directory, &finest)? {
                push_level(tiff, &mut levels, directory)?;
            }
        }
        sort_levels(&mut levels);
    }
    let side = |axis: &str| {
        let value = number(main_pixels, &format!("PhysicalSize{axis}"))?;
        let unit =
            main_pixels.attribute(format!("PhysicalSize{axis}Unit").as_str()).unwrap_or("µm");
        Some(value * um_per(unit)?)
    };
    let spacing = match (side("X"), side("Y")) {
        (Some(x), Some(y)) if x > 0.0 && y > 0.0 => Spacing::of([x, y]),
        _ => Spacing::Unknown,
    };
    let mut properties = BTreeMap::new();
    for (key, node, attribute) in [
        ("Name", *main, "Name"),
        ("Type", main_pixels, "Type"),
        ("Creator", document.root_element(), "Creator"),
    ] {
        if let Some(value) = node.attribute(attribute) {
            properties.insert(key.to_string(), value.to_string());
        }
    }
    Ok(Sorted {
        format: SlideFormat::OmeTiff,
        levels,
        sizes: Vec::new(),
        associated,
        spacing,
        properties,
    })
}

fn um_per(unit: &str) -> Option<f64> {
    match unit {
        // The micro sign and the Greek letter both occur.
        "µm" | "μm" | "um" | "micron" => Some(1.0),
        "nm" => Some(1e-3),
        "mm" => Some(1e3),
        "cm" => Some(1e4),
        "m" => Some(1e6),
        _ => None,
    }
}

/// Philips: all tiled images are levels. They are stored padded to whole tiles; their true sizes
/// follow from the pixel spacings in the description.
pub(crate) fn philips(tiff: &Tiff, description: &str) -> Result<Sorted> {
    let document = parse(tiff, description)?;
    // Two quoted lengths in mm: between rows, then between columns.
    let spacings: Vec<[f64; 2]> = elements(document.root_element(), "Attribute")
        .filter(|node| node.attribute("Name") == Some("DICOM_PIXEL_SPACING"))
        .filter_map(|node| {
            let text = node.text()?;
            let mut values = text.split('"').filter_map(|part| part.trim().parse::<f64>().ok());
            Some([values.next()?, values.next()?])
        })
        .filter(|spacing| spacing.iter().all(|s| *s > 0.0 && s.is_finite()))
        .collect();
    let mut levels = Vec::new();
    let mut associated = Vec::new();
    for (i, directory) in tiff.directories().iter().enumerate() {
        if directory.has(tag::TILE_WIDTH) {
            push_level(tiff, &mut levels, directory)?;
        } else {
            let text = tiff.text(directory, tag::DESCRIPTION)?.unwrap_or_default().to_lowercase();
            let name = ["macro", "label"].into_iter().find(|name| text.starts_with(name));
            associated.push((
                name.map_or_else(|| format!("image-{i}"), str::to_string),
                directory.clone(),
            ));
        }
    }
    sort_levels(&mut levels);
    let spacing = match spacings.first() {
        Some(&[row, column]) => Spacing::of([column * 1000.0, row * 1000.0]),
        None => Spacing::Unknown,
    };
    let sizes = philips_sizes(&levels, &spacings);
    let mut properties = BTreeMap::new();
    for name in ["DICOM_MANUFACTURER", "DICOM_MANUFACTURERS_MODEL_NAME"] {
        let node = elements(document.root_element(), "Attribute")
            .find(|node| node.attribute("Name") == Some(name));
        if let Some(text) = node.and_then(|node| node.text()) {
            properties.insert(name.to_string(), text.trim().to_string());
        }
    }
    let format = SlideFormat::Philips;
    Ok(Sorted { format, levels, sizes, associated, spacing, properties })
}

/// Level i is level 0 scaled by the ratio of spacings, never larger than what is stored. The first
/// spacing is the slide's, then each level's follows.
fn philips_sizes(levels: &[TiffImage], spacings: &[[f64; 2]]) -> Vec<(u32, u32)> {
    let per_level = match spacings.len() {
        n if n == levels.len() + 1 => &spacings[1..],
        n if n == levels.len() => spacings,
        _ => return Vec::new(),
    };
    let (Some(finest), Some(&[row0, column0])) = (levels.first(), per_level.first()) else {
        return Vec::new();
    };
    levels
        .iter()
        .zip(per_level)
        .map(|(level, [row, column])| {
            let scaled = |len: u32, ratio: f64, stored: u32| {
                ((f64::from(len) * ratio).round() as u32).clamp(1, stored)
            };
            (
                scaled(finest.width, column0 / column, level.width),
                scaled(finest.height, row0 / row, level.height),
            )
        })
        .collect()
}

/// Leica SCN: the collection lists images, each with the directories of its levels.
pub(crate) fn leica(tiff: &Tiff, description: &str) -> Result<Sorted> {
    let document = parse(tiff, description)?;
    let root = document.root_element();
    let Some(collection) = elements(root, "collection").next() else {
        return Err(tiff.fault("a collection in the Leica description", "none"));
    };
    let mut scans: Vec<LeicaImage> = Vec::new();
    let mut associated = Vec::new();
    for image in children(collection, "image") {
        let Some(read) = LeicaImage::read(tiff, collection, image)? else { continue };
        if read.is_macro {
            if let Some(directory) = read.directories.first() {
                associated.push(("macro".to_string(), directory.clone()));
            }
        } else {
            scans.push(read);
        }
    }
    let n_scans = scans.len();
    let Some(main) = scans.into_iter().next().filter(|_| n_scans == 1) else {
        return Err(Error::unsupported(
            format!("{}: a Leica slide with {n_scans} scanned regions", tiff.name().display()),
            &["one scanned region"],
            "convert it with `vips tiffsave --tile --pyramid`, or read it through OpenSlide",
        ));
    };
    let mut levels = Vec::new();
    for directory in &main.directories {
        push_level(tiff, &mut levels, directory)?;
    }
    sort_levels(&mut levels);
    let spacing = match levels.first() {
        Some(finest) if main.view_nm.0 > 0.0 && main.view_nm.1 > 0.0 => Spacing::of([
            main.view_nm.0 / 1000.0 / f64::from(finest.width),
            main.view_nm.1 / 1000.0 / f64::from(finest.height),
        ]),
        _ => Spacing::Unknown,
    };
    let properties = main.objective.map(|o| ("objective".to_string(), o)).into_iter().collect();
    Ok(Sorted {
        format: SlideFormat::Leica,
        levels,
        sizes: Vec::new(),
        associated,
        spacing,
        properties,
    })
}

struct LeicaImage {
    is_macro: bool,
    view_nm: (f64, f64),
    directories: Vec<Directory>,
    objective: Option<String>,
}

impl LeicaImage {
    /// Takes the first focal plane; an image without directories is left out.
    fn read(tiff: &Tiff, collection: Node, image: Node) -> Result<Option<Self>> {
        let Some(view) = elements(image, "view").next() else { return Ok(None) };
        let size = |node: Node| {
            (number(node, "sizeX").unwrap_or(0.0), number(node, "sizeY").unwrap_or(0.0))
        };
        let mut directories = Vec::new();
        for dimension in elements(image, "dimension") {
            let first_plane = number(dimension, "z").unwrap_or(0.0) == 0.0;
            let Some(ifd) = number(dimension, "ifd").filter(|_| first_plane) else { continue };
            match tiff.directories().get(ifd as usize) {
                Some(directory) => directories.push(directory.clone()),
                None => {
                    return Err(tiff.fault(
                        format!("image directory {ifd}"),
                        tiff.directories().len().to_string(),
                    ));
                }
            }
        }
        if directories.is_empty() {
            return Ok(None);
        }
        let at_corner =
            number(view, "offsetX") == Some(0.0) && number(view, "offsetY") == Some(0.0);
        Ok(Some(Self {
            is_macro: at_corner && size(view) == size(collection),
            view_nm: size(view),
            directories,
            objective: elements(image, "objective")
                .next()
                .and_then(|node| node.text().map(|text| text.trim().to_string())),
        }))
    }
}

#[cfg(test)]
mod tests;
