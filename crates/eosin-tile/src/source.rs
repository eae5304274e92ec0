// SPDX-License-Identifier: MIT OR Apache-2.0

//! What lies at a path, told by its content.

use std::path::Path;
use std::sync::Arc;

use eosin_core::{Error, Result, SlideReader, TileSource};

use crate::digest::head;
use crate::manifest::Manifest;
use crate::regular_file::{ensure_regular, not_regular};
use crate::slide::is_slide;
use crate::tile_files::{FolderSource, ManifestSource, TileFileOptions};
use crate::tiling::{SlideSource, TilingOptions};

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A folder with image files.
    Folder,
    /// A CSV or Parquet file that lists image files.
    Manifest,
    /// A whole-slide image.
    Slide,
}

/// Tells what lies at a path by its content; the name plays no part.
pub fn detect(path: impl AsRef<Path>) -> Result<SourceKind> {
    detect_with(path, &[])
}

/// As [`detect`], with plugins that recognise further slides.
pub fn detect_with(path: impl AsRef<Path>, readers: &[Arc<dyn SlideReader>]) -> Result<SourceKind> {
    let path = path.as_ref();
    let metadata = std::fs::metadata(path).map_err(|e| Error::io("open", path, e))?;
    if metadata.is_dir() {
        return Ok(SourceKind::Folder);
    }
    // Before a plugin opens it.
    ensure_regular(&metadata).map_err(|e| not_regular(path, &e))?;
    if is_slide(path) || readers.iter().any(|reader| reader.recognises(path)) {
        return Ok(SourceKind::Slide);
    }
    let head = head(path).map_err(|e| Error::io("read", path, e))?;
    let first_line = head.split(|&b| b == b'\n').next().unwrap_or_default();
    let is_text = !head.is_empty() && std::str::from_utf8(first_line).is_ok();
    if head.starts_with(b"PAR1") || (is_text && !head.contains(&0)) {
        Ok(SourceKind::Manifest)
    } else {
        Err(Error::data(
            path,
            "a folder of tiles, a manifest (CSV or Parquet) or a slide",
            if head.is_empty() { "an empty file" } else { "a file of another kind" },
            "slides of other formats need the plugin openslide (cargo feature `openslide` and the library \
             libopenslide), or convert them with `vips tiffsave --tile --pyramid`",
        ))
    }
}

/// Opens what lies at a path as tiles; `tiling` is for slides and `files` for image files.
pub fn open(
    path: impl AsRef<Path>,
    tiling: &TilingOptions,
    files: TileFileOptions,
) -> Result<Box<dyn TileSource>> {
    open_with(path, tiling, files, &[])
}

/// As [`open`], with plugins for slides that the built-in reader leaves out.
pub fn open_with(
    path: impl AsRef<Path>,
    tiling: &TilingOptions,
    files: TileFileOptions,
    readers: &[Arc<dyn SlideReader>],
) -> Result<Box<dyn TileSource>> {
    let path = path.as_ref();
    Ok(match detect_with(path, readers)? {
        SourceKind::Folder => Box::new(FolderSource::with_options(path, files)?),
        SourceKind::Manifest => Box::new(ManifestSource::new(Manifest::read(path)?, files)),
        SourceKind::Slide => Box::new(SlideSource::open_with(path, tiling, readers)?),
    })
}
