// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tiles that are image files already: listed in a manifest or lying in a folder.

use std::path::{Path, PathBuf};

use eosin_core::{Error, Mpp, Result, RgbImage, Tile, TileMeta, TileSource};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::digest::{head, of_file, source_below};
use crate::image_file::{is_image, probe_size, read_image};
use crate::manifest::{Manifest, ManifestRow, normal_path};

/// How image files become tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TileFileOptions {
    /// Resolution of the files; a manifest's column `mpp` goes before it.
    pub mpp: Option<Mpp>,
    /// What is done with a file that is not square.
    pub not_square: NotSquare,
}

/// What is done with an image that is not square.
///
/// Stretching is not offered: it would change the shape of nuclei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotSquare {
    /// The tile is an error, because the file may be something else than a tile.
    #[default]
    Refuse,
    /// The middle of it is taken, as long and wide as its shorter side.
    CentreCrop,
}

/// The tiles of a manifest, in the manifest's order.
#[derive(Debug)]
pub struct ManifestSource {
    manifest: Manifest,
    files: TileFiles,
}

/// The image files of a folder and the folders in it, sorted by path.
#[derive(Debug)]
pub struct FolderSource {
    files: TileFiles,
}

#[derive(Debug)]
struct TileFiles {
    paths: Vec<PathBuf>,
    metas: Vec<TileMeta>,
    not_square: NotSquare,
}

/// Version of the pixels that come from image files.
const READER_VERSION: &str = "4";

impl ManifestSource {
    /// Plans the tiles of a manifest.
    ///
    /// A file that is missing or damaged is an error when it is read, not here, so that one bad
    /// tile never ends a run; its digest is empty.
    pub fn new(manifest: Manifest, options: TileFileOptions) -> Self {
        let plans: Vec<(PathBuf, TileMeta)> = manifest
            .rows()
            .par_iter()
            .map(|row| {
                let path = manifest.resolve(row);
                let meta = manifest_meta(&manifest, row, &path, options);
                (path, meta)
            })
            .collect();
        let (paths, metas) = plans.into_iter().unzip();
        Self { manifest, files: TileFiles { paths, metas, not_square: options.not_square } }
    }

    /// The manifest; row i belongs to tile i.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl FolderSource {
    /// Plans the PNG, JPEG and TIFF files of a folder, told by their content.
    ///
    /// Folders are walked recursively, except those whose name begins with a dot, and links to
    /// folders are not followed. A folder without images is an error.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::with_options(folder, TileFileOptions::default())
    }

    /// As [`FolderSource::open`], with options.
    pub fn with_options(folder: impl AsRef<Path>, options: TileFileOptions) -> Result<Self> {
        let folder = folder.as_ref();
        let mut files = Vec::new();
        list_files(folder, &mut files)?;
        let plan = |path: PathBuf| {
            let head = head(&path).unwrap_or_default();
            let tile_id = normal_path(path.strip_prefix(folder).unwrap_or(&path));
            is_image(&head).then(|| {
                let source = source_below(folder, &tile_id);
                let mut meta = plain_meta(tile_id, source, &head, options.mpp);
                meta.source_digest = of_file(&path).unwrap_or_default();
                (path, meta)
            })
        };
        let mut plans: Vec<(PathBuf, TileMeta)> = files.into_par_iter().filter_map(plan).collect();
        if plans.is_empty() {
            return Err(Error::data(
                folder,
                "PNG, JPEG or TIFF files",
                "none",
                "name the folder that holds the tiles, or give a manifest CSV",
            ));
        }
        plans.sort_by(|a, b| a.1.tile_id.cmp(&b.1.tile_id));
        let (paths, metas) = plans.into_iter().unzip();
        Ok(Self { files: TileFiles { paths, metas, not_square: options.not_square } })
    }
}

impl TileSource for ManifestSource {
    fn kind(&self) -> &'static str {
        "manifest"
    }

    fn reader_version(&self) -> &'static str {
        READER_VERSION
    }

    fn tiles(&self) -> &[TileMeta] {
        &self.files.metas
    }

    fn read(&self, index: usize) -> Result<Tile> {
        self.files.read(index)
    }
}

impl TileSource for FolderSource {
    fn kind(&self) -> &'static str {
        "folder"
    }

    fn reader_version(&self) -> &'static str {
        READER_VERSION
    }

    fn tiles(&self) -> &[TileMeta] {
        &self.files.metas
    }

    fn read(&self, index: usize) -> Result<Tile> {
        self.files.read(index)
    }
}

impl TileFiles {
    fn read(&self, index: usize) -> Result<Tile> {
        let (Some(path), Some(meta)) = (self.paths.get(index), self.metas.get(index)) else {
            return Err(Error::input(
                "tile index",
                format!("a number below {}", self.paths.len()),
                index.to_string(),
                "ask the source for its tiles first",
            ));
        };
        let image = read_image(path).map_err(|error| named(error, path))?;
        if meta.source_digest.is_empty() {
            // Its row would not say what it was made from.
            return Err(Error::data(
                path,
                "a file that can be read from the beginning",
                "one that could not be read when its source was opened",
                "run again",
            ));
        }
        let image = match (image.width() == image.height(), self.not_square) {
            (true, _) => image,
            (false, NotSquare::CentreCrop) => centre_crop(&image),
            (false, NotSquare::Refuse) => {
                return Err(Error::data(
                    path,
                    "a square tile",
                    format!("{} × {} px", image.width(), image.height()),
                    "cut the tile square, or take its middle with not-square = \"centre-crop\"",
                ));
            }
        };
        Ok(Tile { meta: meta.clone(), image })
    }
}

/// A file that cannot be opened is the data's fault here, because the manifest names it.
fn named(error: Error, path: &Path) -> Error {
    match error {
        Error::Environment { source, .. } => Error::data(
            path,
            "a readable image file",
            source.to_string(),
            "check the manifest's paths; they are relative to the manifest's folder",
        ),
        other => other,
    }
}

fn manifest_meta(
    manifest: &Manifest,
    row: &ManifestRow,
    path: &Path,
    options: TileFileOptions,
) -> TileMeta {
    let head = head(path).unwrap_or_default();
    let mpp = row
        .column("mpp")
        .and_then(|cell| cell.parse().ok())
        .and_then(|value| Mpp::new(value).ok())
        .or(options.mpp);
    let source = source_below(manifest.folder(), &row.path);
    let mut meta = plain_meta(row.path.clone(), source, &head, mpp);
    meta.source_digest = of_file(path).unwrap_or_default();
    if let Some(slide) = row.slide() {
        meta.slide = slide.to_string();
    }
    meta.group = row.group().map_or_else(|| meta.slide.clone(), str::to_string);
    meta.centre = row.centre().map(str::to_string);
    meta.scanner = row.scanner().map(str::to_string);
    meta.x = row.x().unwrap_or(0);
    meta.y = row.y().unwrap_or(0);
    meta
}

fn plain_meta(tile_id: String, source: String, head: &[u8], mpp: Option<Mpp>) -> TileMeta {
    let side = probe_size(head).map_or(0, |(width, height)| width.min(height));
    TileMeta {
        slide: tile_id.clone(),
        group: tile_id.clone(),
        tile_id,
        centre: None,
        scanner: None,
        x: 0,
        y: 0,
        size_level0_px: side,
        requested_mpp: mpp,
        effective_mpp: mpp,
        tissue_fraction: 1.0,
        source,
        source_digest: String::new(),
    }
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("list", folder, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("list", folder, e))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let kind = entry.file_type().map_err(|e| Error::io("list", entry.path(), e))?;
        if kind.is_dir() && !hidden {
            list_files(&entry.path(), files)?;
        } else if !kind.is_dir() && !hidden {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn centre_crop(image: &RgbImage) -> RgbImage {
    let side = image.width().min(image.height());
    let mut out = RgbImage::filled(side, side, [0; 3]);
    let at = |whole: u32| -i64::from((whole - side) / 2);
    crate::image_file::paste(&mut out, image, (at(image.width()), at(image.height())));
    out
}

#[cfg(test)]
mod tests;
