// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use eosin_core::spreadsheet::guard;
use eosin_core::{Error, Progress, Result, RgbImage, Tile, TileMeta, TileSource};
use eosin_tile::geometry::write_contours;
use eosin_tile::tissue::tissue_of_slide;
use eosin_tile::{PipelineOptions, SlideSource, TilingOptions, contours, for_each_tile, preview};

use crate::cut_folder;
use eosin_session::embed::Skipped;
use eosin_session::writable::require_writable;
use eosin_session::{Registry, RegistryExt};

/// What cutting slides into tiles left behind.
#[derive(Clone, Debug)]
pub struct CutOutcome {
    /// The manifest that lists the tiles.
    pub manifest: PathBuf,
    /// Tiles that were written.
    pub n_tiles: usize,
    /// Tiles that could not be read, of slides of which others could.
    pub skipped: Vec<Skipped>,
    /// Slides that could not be read, or of which no tile could.
    pub refused: Vec<RefusedSlide>,
}

/// A slide that was left out whole.
#[derive(Clone, Debug)]
pub struct RefusedSlide {
    /// Its file.
    pub slide: PathBuf,
    /// Why it could not be read.
    pub reason: String,
}

/// How slides are cut into a folder.
#[derive(Clone, Debug)]
pub struct CutOptions<'a> {
    /// How tiles are laid over slides.
    pub tiling: &'a TilingOptions,
    /// The folder for the tiles and the manifest.
    pub out: &'a Path,
    /// Whether the tiles of another cut are removed from it first.
    pub replace: bool,
    /// What reads the slides.
    pub registry: &'a Registry,
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

/// Lays the grid over a slide, with every reader of the registry.
pub fn open_slide(
    slide: &Path,
    tiling: &TilingOptions,
    registry: &Registry,
) -> Result<SlideSource> {
    SlideSource::open_with(slide, tiling, &registry.readers())
}

/// Writes what an overview asks for and names the files; several slides go into folders.
pub fn draw(
    slides: &[PathBuf],
    tiling: &TilingOptions,
    overview: &Overview,
    registry: &Registry,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (slide, name) in slides.iter().zip(folders(slides)?) {
        let source = open_slide(slide, tiling, registry)?;
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
            let name = format!("{name}.{extension}");
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

/// Refuses a folder that [`cut`] would refuse.
pub fn check_cut_folder(slides: &[PathBuf], options: &CutOptions) -> Result<()> {
    let CutOptions { tiling, out, replace, .. } = options;
    require_writable(out)?;
    folders(slides)?;
    cut_folder::check(out, slides, tiling, *replace)
}

/// Cuts slides into PNG tiles and writes a manifest of them.
///
/// A slide that cannot be read is left out and told; where that leaves none, it is the error of
/// the first, and no manifest is written. The folder is that of this cut alone: see
/// `cut_folder::claim`.
pub fn cut(
    slides: &[PathBuf],
    options: &CutOptions,
    progress: &dyn Progress,
) -> Result<CutOutcome> {
    let CutOptions { tiling, out, replace, registry } = *options;
    let folders = folders(slides)?;
    let (mut list, mut n_tiles) = (None, 0);
    let mut written: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let (mut skipped, mut refused, mut first) = (Vec::new(), Vec::new(), None);
    for (slide, name) in slides.iter().zip(&folders) {
        let source = match open_slide(slide, tiling, registry) {
            Ok(source) => source,
            Err(error) => {
                refused.push(RefusedSlide::new(slide, &error));
                first.get_or_insert(error);
                continue;
            }
        };
        // Nothing in the folder is touched for slides of which none can be read.
        if list.is_none() {
            cut_folder::claim(out, slides, tiling, replace)?;
        }
        let csv = match &mut list {
            Some(csv) => csv,
            none => none.insert(TileList::start(out)?),
        };
        let folder = out.join(name);
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("make the folder", &folder, e))?;
        progress.start(&format!("tile {name}"), source.tiles().len() as u64);
        let indices: Vec<usize> = (0..source.tiles().len()).collect();
        let pipeline =
            PipelineOptions { threads: rayon::current_num_threads(), ..PipelineOptions::default() };
        let write = |tile: Tile| {
            let file = format!("{}_{}.png", tile.meta.x, tile.meta.y);
            write_png(&folder.join(&file), &tile.image)?;
            Ok(file)
        };
        let files = written.entry(name).or_default();
        let mut unread = Vec::new();
        for_each_tile(&source, &indices, pipeline, write, |i, file| {
            progress.advance(1);
            let meta = &source.tiles()[i];
            match file {
                Ok(file) => {
                    csv.add(format!("{name}/{file}"), name, meta)?;
                    files.insert(file);
                }
                Err(error @ Error::Environment { .. }) => return Err(error),
                Err(error) => unread.push((meta.tile_id.clone(), error)),
            }
            Ok(())
        })?;
        progress.finish();
        let n_read = files.len();
        n_tiles += n_read;
        let mut unread = unread.into_iter();
        match unread.next() {
            // No tile of it could be read: that is the slide's fault, not a few tiles'.
            Some((_, error)) if n_read == 0 => {
                refused.push(RefusedSlide::new(slide, &error));
                first.get_or_insert(error);
            }
            one => skipped.extend(
                one.into_iter()
                    .chain(unread)
                    .map(|(tile, e)| Skipped { tile, reason: e.to_string() }),
            ),
        }
    }
    match (list, first) {
        (_, Some(error)) if refused.len() == slides.len() => Err(error),
        (Some(list), _) => {
            let manifest = list.finish()?;
            for (name, files) in &written {
                cut_folder::sweep(&out.join(name), files)?;
            }
            Ok(CutOutcome { manifest, n_tiles, skipped, refused })
        }
        (None, _) => Err(Error::input("slides", "at least one", "none", "name the slides to cut")),
    }
}

/// The manifest of a cut, which gets its name when it is whole.
struct TileList {
    path: PathBuf,
    csv: csv::Writer<File>,
}

impl TileList {
    fn start(out: &Path) -> Result<Self> {
        let path = out.join(cut_folder::MANIFEST).with_extension("partial");
        let csv = csv::Writer::from_path(&path).map_err(|e| csv_error(&path, e))?;
        let mut list = Self { path, csv };
        let header = ["path", "slide", "x", "y", "size_level0_px", "mpp", "tissue_fraction"];
        list.row(header.map(String::from))?;
        Ok(list)
    }

    fn add(&mut self, path: String, slide: &str, meta: &TileMeta) -> Result<()> {
        self.row([
            guard(&path).into_owned(),
            guard(slide).into_owned(),
            meta.x.to_string(),
            meta.y.to_string(),
            meta.size_level0_px.to_string(),
            meta.effective_mpp.map_or(String::new(), |m| m.get().to_string()),
            meta.tissue_fraction.to_string(),
        ])
    }

    fn row(&mut self, cells: [String; 7]) -> Result<()> {
        self.csv.write_record(cells).map_err(|e| csv_error(&self.path, e))
    }

    fn finish(mut self) -> Result<PathBuf> {
        self.csv.flush().map_err(|e| Error::io("write", &self.path, e))?;
        let manifest = self.path.with_file_name(cut_folder::MANIFEST);
        std::fs::rename(&self.path, &manifest).map_err(|e| Error::io("write", &manifest, e))?;
        Ok(manifest)
    }
}

/// The name of each slide's folder or file: the slide's own, with the beginning of its digest
/// where another slide has the same name.
fn folders(slides: &[PathBuf]) -> Result<Vec<String>> {
    let stem = |slide: &Path| slide.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut n_named: BTreeMap<String, usize> = BTreeMap::new();
    for slide in slides {
        *n_named.entry(stem(slide)).or_default() += 1;
    }
    let mut seen = BTreeSet::new();
    let folder = |slide: &PathBuf| {
        let mut name = stem(slide);
        if n_named[&name] > 1 {
            // Of the whole content, so that the name stays when the file is copied; a file that
            // cannot be read is refused when its turn comes.
            let digest = content_digest(slide).unwrap_or_else(|_| "unreadable".into());
            name = format!("{name}-{}", &digest[..8]);
        }
        if seen.insert(name.clone()) {
            return Ok(name);
        }
        Err(Error::input(
            slide.display().to_string(),
            "different slides",
            format!("the content of `{name}` a second time"),
            "name each slide once",
        ))
    };
    slides.iter().map(folder).collect()
}

fn content_digest(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

impl RefusedSlide {
    /// A slide with why it could not be read.
    pub fn new(slide: &Path, error: &Error) -> Self {
        let mut reason = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            reason = format!("{reason}: {cause}");
        }
        // Most faults of a file begin with its name, which stands before the reason already.
        let named = format!("{}: ", slide.display());
        let reason = reason.strip_prefix(&named).unwrap_or(&reason).to_string();
        Self { slide: slide.to_owned(), reason }
    }
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
