// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use eosin_core::{Error, Progress, Result, RgbImage, Tile, TileSource};
use eosin_tile::geometry::write_contours;
use eosin_tile::tissue::tissue_of_slide;
use eosin_tile::{PipelineOptions, SlideSource, TilingOptions, contours, for_each_tile, preview};

use crate::embed::Skipped;
use crate::registry::Registry;

/// What cutting slides into tiles left behind.
#[derive(Clone, Debug)]
pub struct CutOutcome {
    /// The manifest that lists the tiles.
    pub manifest: PathBuf,
    /// Tiles that were written.
    pub n_tiles: usize,
    /// Slides and tiles that could not be read.
    pub skipped: Vec<Skipped>,
}

/// Pictures and outlines of how slides would be cut. Each path is a file, or for several slides a
/// folder that gets a file per slide.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The slide with its tissue outlined and its tiles tinted, as PNG.
    pub preview: Option<PathBuf>,
    /// The tissue mask as PNG, white on black.
    pub mask: Option<PathBuf>,
    /// The outlines of the tissue as GeoJSON in level-0 pixels.
    pub contours: Option<PathBuf>,
}

/// Longer side of a preview.
const PREVIEW_PX: u32 = 1536;

impl Overview {
    /// Whether anything is asked for.
    pub fn is_empty(&self) -> bool {
        self.preview.is_none() && self.mask.is_none() && self.contours.is_none()
    }
}

/// Lays the grid over a slide, with every plugin of this build.
pub fn open_slide(slide: &Path, tiling: &TilingOptions) -> Result<SlideSource> {
    SlideSource::open_with(slide, tiling, Registry::with_defaults().slide_readers())
}

/// Writes what an overview asks for and names the files; several slides go into folders.
pub fn draw(
    slides: &[PathBuf],
    tiling: &TilingOptions,
    overview: &Overview,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for slide in slides {
        let source = open_slide(slide, tiling)?;
        let mask = match source.mask() {
            Some(mask) => mask.clone(),
            None => tissue_of_slide(source.slide(), &tiling.tissue)?,
        };
        let file = |path: &Path, extension: &str| -> Result<PathBuf> {
            let is_file = path.extension().is_some_and(|e| e == extension);
            if is_file && slides.len() > 1 {
                return Err(Error::input(
                    path.display().to_string(),
                    "a folder, for several slides",
                    "one file",
                    "name a folder; each slide gets a file in it",
                ));
            }
            let folder = if is_file { path.parent().unwrap_or(path) } else { path };
            if !folder.as_os_str().is_empty() {
                std::fs::create_dir_all(folder)
                    .map_err(|e| Error::io("make the folder", folder, e))?;
            }
            let name = format!("{}.{extension}", shown_name(&source, slides)?);
            Ok(if is_file { path.to_owned() } else { path.join(name) })
        };
        if let Some(path) = &overview.preview {
            let path = file(path, "png")?;
            write_png(&path, &preview(&source, Some(&mask), PREVIEW_PX)?)?;
            written.push(path);
        }
        if let Some(path) = &overview.mask {
            let path = file(path, "png")?;
            write_png(&path, &mask.image())?;
            written.push(path);
        }
        if let Some(path) = &overview.contours {
            let path = file(path, "geojson")?;
            let out = File::create(&path).map_err(|e| Error::io("write", &path, e))?;
            write_contours(BufWriter::new(out), &contours(&mask))
                .map_err(|e| Error::io("write", &path, e))?;
            written.push(path);
        }
    }
    Ok(written)
}

/// Cuts slides into PNG tiles and writes a manifest of them; a slide that cannot be read is left
/// out and told.
pub fn cut(
    slides: &[PathBuf],
    tiling: &TilingOptions,
    out: &Path,
    progress: &dyn Progress,
) -> Result<CutOutcome> {
    std::fs::create_dir_all(out).map_err(|e| Error::io("make the folder", out, e))?;
    let manifest = out.join("manifest.csv");
    let partial = manifest.with_extension("partial");
    let mut csv = csv::Writer::from_path(&partial).map_err(|e| csv_error(&partial, e))?;
    let header = ["path", "slide", "x", "y", "size_level0_px", "mpp", "tissue_fraction"];
    csv.write_record(header).map_err(|e| csv_error(&partial, e))?;
    let (mut skipped, mut n_tiles, mut stems) = (Vec::new(), 0, BTreeSet::new());
    for slide in slides {
        let source = match open_slide(slide, tiling) {
            Ok(source) => source,
            // A wrong option is the same for every slide; a bad slide is its own affair.
            Err(error @ Error::Input { .. }) if slides.len() == 1 => return Err(error),
            Err(error) => {
                let tile = slide.display().to_string();
                skipped.push(Skipped { tile, reason: error.to_string() });
                continue;
            }
        };
        let stem = shown_name(&source, slides)?;
        if !stems.insert(stem.clone()) {
            return Err(Error::input(
                slide.display().to_string(),
                "different slides",
                format!("the content of `{stem}` a second time"),
                "name each slide once",
            ));
        }
        let folder = out.join(&stem);
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("make the folder", &folder, e))?;
        progress.start(&format!("tile {stem}"), source.tiles().len() as u64);
        let indices: Vec<usize> = (0..source.tiles().len()).collect();
        let pipeline =
            PipelineOptions { threads: rayon::current_num_threads(), ..PipelineOptions::default() };
        let write = |tile: Tile| {
            let name = format!("{stem}/{}_{}.png", tile.meta.x, tile.meta.y);
            write_png(&out.join(&name), &tile.image)?;
            Ok(name)
        };
        for_each_tile(&source, &indices, pipeline, write, |i, name| {
            progress.advance(1);
            let meta = &source.tiles()[i];
            match name {
                Ok(name) => {
                    let mpp = meta.effective_mpp.map_or(String::new(), |m| m.get().to_string());
                    let row = [
                        name,
                        stem.clone(),
                        meta.x.to_string(),
                        meta.y.to_string(),
                        meta.size_level0_px.to_string(),
                        mpp,
                        meta.tissue_fraction.to_string(),
                    ];
                    csv.write_record(row).map_err(|e| csv_error(&partial, e))?;
                    n_tiles += 1;
                }
                Err(error @ Error::Environment { .. }) => return Err(error),
                Err(error) => {
                    skipped.push(Skipped { tile: meta.tile_id.clone(), reason: error.to_string() });
                }
            }
            Ok(())
        })?;
        progress.finish();
    }
    csv.flush().map_err(|e| Error::io("write", &partial, e))?;
    std::fs::rename(&partial, &manifest).map_err(|e| Error::io("write", &manifest, e))?;
    Ok(CutOutcome { manifest, n_tiles, skipped })
}

/// The slide's name, with the beginning of its digest where another slide has the same name.
fn shown_name(source: &SlideSource, slides: &[PathBuf]) -> Result<String> {
    let slide = source.slide();
    let same = |other: &&PathBuf| {
        other.file_stem().is_some_and(|stem| stem.to_string_lossy() == slide.stem())
    };
    if slides.iter().filter(same).count() < 2 {
        return Ok(slide.stem().to_string());
    }
    // Of the whole content, so that the name stays when the file is copied.
    Ok(format!("{}-{}", slide.stem(), &slide.digest_of(true)?[..8]))
}

/// Writes an image as PNG.
pub fn write_png(path: &Path, image: &RgbImage) -> Result<()> {
    image::save_buffer(
        path,
        image.data(),
        image.width(),
        image.height(),
        image::ExtendedColorType::Rgb8,
    )
    .map_err(|error| match error {
        image::ImageError::IoError(source) => Error::io("write", path, source),
        other => Error::io("write", path, std::io::Error::other(other)),
    })
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    Error::io("write", path, std::io::Error::other(error))
}
