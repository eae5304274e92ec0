// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a path holds, opened as tiles.

use std::path::Path;

use eosin_core::{Result, TileSource, TileSourceOpener};
use eosin_tile::{SourceKind, TileFileOptions, TilingOptions, detect_with};

use crate::registry::{Registry, RegistryExt};

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

/// Opens a manifest, a folder of images or a slide, told apart by content, or what an opener of the
/// registry recognises; slides also by every reader of the registry.
pub fn open_input(
    path: &Path,
    tiling: &TilingOptions,
    registry: &Registry,
) -> Result<(Box<dyn TileSource>, Geometry)> {
    if let Some(opener) = opener_of(path, registry) {
        return Ok((opener.open(path)?, Geometry::as_given()));
    }
    let readers = registry.readers();
    let source = eosin_tile::open_with(path, tiling, TileFileOptions::default(), &readers)?;
    let geometry = match detect_with(path, &readers)? {
        SourceKind::Slide => Geometry {
            tile_um: Some(tiling.tile_um.get()),
            tile_px: tiling.tile_px,
            mpp_policy: tiling.mpp_policy(),
        },
        SourceKind::Folder | SourceKind::Manifest => Geometry::as_given(),
    };
    Ok((source, geometry))
}

/// The registered opener that recognises what lies at a path.
pub fn opener_of<'a>(path: &Path, registry: &'a Registry) -> Option<&'a dyn TileSourceOpener> {
    // A pipe would block whoever opens it.
    let about = std::fs::metadata(path).ok().filter(|about| about.is_file() || about.is_dir());
    about?;
    registry.tile_sources.values().find(|opener| opener.recognises(path)).map(|opener| &**opener)
}
