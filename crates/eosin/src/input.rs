// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{Result, TileSource};
use eosin_tile::{SourceKind, TileFileOptions, TilingOptions, detect_with};

use crate::registry::Registry;

/// What the contract says of a source's tile size.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// Side in µm, where the resolution is known.
    pub tile_um: Option<f64>,
    /// Side in pixels, 0 where tiles are taken as they come.
    pub tile_px: u32,
    /// How the requested resolution is met.
    pub mpp_policy: String,
}

impl Geometry {
    /// Image files are embedded as they are: nobody says what a pixel of them measures.
    pub fn as_given() -> Self {
        Self { tile_um: None, tile_px: 0, mpp_policy: "tiles as given".into() }
    }
}

/// Opens a manifest, a folder of images or a slide, told apart by content; slides also by every
/// plugin of this build.
pub fn open_input(path: &Path, tiling: &TilingOptions) -> Result<(Box<dyn TileSource>, Geometry)> {
    let registry = Registry::with_defaults();
    let readers = registry.slide_readers();
    let source = eosin_tile::open_with(path, tiling, TileFileOptions::default(), readers)?;
    let geometry = match detect_with(path, readers)? {
        SourceKind::Slide => Geometry {
            tile_um: Some(tiling.tile_um.get()),
            tile_px: tiling.tile_px,
            mpp_policy: tiling.mpp_policy(),
        },
        SourceKind::Folder | SourceKind::Manifest => Geometry::as_given(),
    };
    Ok((source, geometry))
}
