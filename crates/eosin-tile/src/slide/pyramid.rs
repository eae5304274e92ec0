// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use eosin_core::{Error, Mpp, Result, RgbImage};

use super::{AssociatedImage, Level, SlideFormat};

/// What a format knows of a slide, after its headers were read.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) format: SlideFormat,
    pub(crate) levels: Vec<Level>,
    pub(crate) spacing: Spacing,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) associated: Vec<AssociatedImage>,
    pub(crate) pyramid: Box<dyn Pyramid>,
}

/// What a file says of the distance between its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spacing {
    /// Nothing, or what no scanner has.
    Unknown,
    /// The same along both axes.
    Square(Mpp),
    /// µm across and down that differ. Every later step takes pixels for square, so such a slide
    /// is read only where its resolution is given.
    Unequal([f64; 2]),
}

impl Spacing {
    /// By µm across and down.
    pub(crate) fn of([x, y]: [f64; 2]) -> Self {
        if (x / y - 1.0).abs() > 0.01 {
            return Self::Unequal([x, y]);
        }
        Mpp::new(f64::midpoint(x, y)).map_or(Self::Unknown, Self::Square)
    }
}

/// A format's access to its pieces. Levels, columns and rows come from `Parts::levels`.
pub(crate) trait Pyramid: Send + Sync + fmt::Debug {
    /// Decodes one piece; `None` where the file left it out.
    fn piece(&self, level: usize, column: u32, row: u32) -> Result<Option<RgbImage>>;

    /// Columns and rows of the pieces that a level has, where it lists them because most are left
    /// out; `None` where all are to be asked for.
    fn placed(&self, _level: usize) -> Option<Vec<(u32, u32)>> {
        None
    }

    /// Decodes the associated image `name`.
    fn associated(&self, known: &[AssociatedImage], name: &str) -> Result<RgbImage> {
        Err(unknown_associated(known, name))
    }

    /// The ICC profile of level 0.
    fn icc_profile(&self) -> Option<&[u8]> {
        None
    }

    /// Files that pixels come from, where there are others than the one that was opened.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

pub(crate) fn unknown_associated(known: &[AssociatedImage], name: &str) -> Error {
    let names: Vec<&str> = known.iter().map(|image| image.name.as_str()).collect();
    Error::unsupported(
        format!("associated image {name}"),
        &names,
        "`eosin inspect` lists a slide's associated images",
    )
}

/// The levels of images of these sizes, which must be the finest first.
pub(crate) fn level(size: (u32, u32), piece: (u32, u32), finest: (u32, u32)) -> Level {
    let ratio = |a: u32, b: u32| f64::from(a) / f64::from(b);
    Level {
        width: size.0,
        height: size.1,
        downsample: f64::midpoint(ratio(finest.0, size.0), ratio(finest.1, size.1)),
        piece_width: piece.0,
        piece_height: piece.1,
    }
}
