// SPDX-License-Identifier: MIT OR Apache-2.0

//! A plugin's slide behind the same pieces, cache and levels as the built-in formats.

use std::path::Path;

use eosin_core::{AssociatedImage, Error, Result, RgbImage, SlideImage};

use super::SlideFormat;
use super::pyramid::{Parts, Pyramid, Spacing, level, unknown_associated};

/// Side of the pieces that are asked of a plugin: large enough that its cost per call is small.
const PIECE_PX: u32 = 512;

/// Pieces of a level beyond which it is taken for damaged: 500,000 px a side. What files a plugin
/// reads is its own matter, so that their size tells nothing.
const MAX_PIECES: u64 = 1 << 20;

#[derive(Debug)]
struct PluginPyramid(Box<dyn SlideImage>);

/// What a plugin knows of a slide.
pub(crate) fn parts(path: &Path, slide: Box<dyn SlideImage>) -> Result<Parts> {
    let sizes = slide.levels();
    for &(width, height) in sizes {
        if u64::from(width.div_ceil(PIECE_PX)) * u64::from(height.div_ceil(PIECE_PX)) > MAX_PIECES {
            let most =
                format!("levels of at most {} gigapixels", (MAX_PIECES << 18) / 1_000_000_000);
            let found = format!("{width} × {height} px");
            return Err(Error::data(path, most, found, "copy the slide again"));
        }
    }
    let finest = sizes.first().copied().unwrap_or((1, 1));
    let spacing = match (slide.mpp(), slide.unequal_spacing()) {
        (Some(mpp), _) => Spacing::Square(mpp),
        (None, Some(sides)) => Spacing::Unequal(sides),
        (None, None) => Spacing::Unknown,
    };
    Ok(Parts {
        format: SlideFormat::Plugin,
        levels: sizes.iter().map(|&size| level(size, (PIECE_PX, PIECE_PX), finest)).collect(),
        spacing,
        properties: slide.properties().clone(),
        associated: slide.associated().to_vec(),
        pyramid: Box::new(PluginPyramid(slide)),
    })
}

impl Pyramid for PluginPyramid {
    fn piece(&self, level: usize, column: u32, row: u32) -> Result<Option<RgbImage>> {
        let Some(&(width, height)) = self.0.levels().get(level) else { return Ok(None) };
        let (x, y) = (column.saturating_mul(PIECE_PX), row.saturating_mul(PIECE_PX));
        if x >= width || y >= height {
            return Ok(None);
        }
        let size = (PIECE_PX.min(width - x), PIECE_PX.min(height - y));
        self.0.read_region(level, (x, y), size).map(Some)
    }

    fn associated(&self, known: &[AssociatedImage], name: &str) -> Result<RgbImage> {
        if known.iter().any(|image| image.name == name) {
            self.0.read_associated(name)
        } else {
            Err(unknown_associated(known, name))
        }
    }

    fn icc_profile(&self) -> Option<&[u8]> {
        self.0.icc_profile()
    }
}
