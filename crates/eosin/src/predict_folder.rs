// SPDX-License-Identifier: MIT OR Apache-2.0

//! Predictions as files of each slide, by the registry's writers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::{
    EmbeddingBatch, Error, Mpp, PredictedTile, PredictionWriter, Progress, Registry, Result,
    SlidePredictions, SlideThumbnail, TileMeta,
};
use eosin_prediction::Aggregates;
use eosin_session::RegistryExt;
use eosin_session::input::opener_of;
use eosin_session::writable::require_writable;
use eosin_tile::{Slide, SourceKind, detect_with};

use crate::predict::{Calls, PredictOptions};

/// Largest probabilities of a slide whose mean stands in `slides.csv`.
const TOP_K: usize = 10;

/// What is written without a word: tile images have no slide to be drawn on.
const OF_SLIDES: [&str; 3] = ["csv", "heatmap", "geojson"];
const OF_TILES: [&str; 1] = ["csv"];

/// What is written for each slide.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    /// Kinds of the registry's writers; of none, `csv`, and for slides `heatmap` and `geojson` too.
    pub kinds: Vec<String>,
    /// Options of kinds that are written.
    pub options: BTreeMap<String, toml::Table>,
}

impl Formats {
    /// Makes the writers; options of a kind that is not written are an error.
    fn writers(
        &self,
        usual: &[&str],
        registry: &Registry,
    ) -> Result<Vec<Arc<dyn PredictionWriter>>> {
        let named: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        let kinds = if named.is_empty() { usual } else { &named };
        let mut seen = BTreeSet::new();
        if let Some(twice) = kinds.iter().find(|kind| !seen.insert(**kind)) {
            return Err(Error::input("--format", "each format once", *twice, "name it once"));
        }
        if let Some(kind) = self.options.keys().find(|kind| !seen.contains(kind.as_str())) {
            return Err(Error::input(
                format!("options of format {kind}"),
                format!("options of what is written: {}", kinds.join(", ")),
                kind.clone(),
                format!("add {kind} to --format"),
            ));
        }
        let none = toml::Table::new();
        let make = |kind: &&str| registry.writer(kind, self.options.get(*kind).unwrap_or(&none));
        kinds.iter().map(make).collect()
    }

    fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.options.is_empty()
    }
}

/// A folder that gets the files of each slide.
pub(crate) struct Folder {
    writers: Vec<Arc<dyn PredictionWriter>>,
    slide: Option<Slide>,
}

impl Folder {
    /// The writers that are asked for, and the slide that they draw on; nothing where the output
    /// is one table.
    pub fn open(options: &PredictOptions, tiles: &[TileMeta]) -> Result<Option<Self>> {
        if is_table(options.out) {
            if options.formats.is_empty() {
                return Ok(None);
            }
            return Err(Error::input(
                "--out",
                "a folder, for --format and what belongs to it",
                options.out.display().to_string(),
                "name a folder; a path that ends in .csv is one table of all rows",
            ));
        }
        require_writable(options.out)?;
        let registry = options.apply.registry;
        let slide = open_slide(options)?;
        let usual = if slide.is_some() { &OF_SLIDES[..] } else { &OF_TILES };
        let writers = options.formats.writers(usual, registry)?;
        let drawn = writers.iter().find(|writer| writer.thumbnail_px().is_some());
        if let (Some(writer), None) = (drawn, &slide) {
            return Err(Error::input(
                format!("--format {}", writer.kind()),
                "a slide to draw on",
                format!("tile images in {}", options.input.display()),
                "predict on the slide itself, or write --format csv",
            ));
        }
        if tiles.len() > 1 && tiles.iter().all(|meta| meta.slide == meta.tile_id) {
            return Err(Error::input(
                "--out",
                "one CSV for tiles of which nobody says of which slides they are",
                options.out.display().to_string(),
                "end the path in .csv, or give the manifest a column `slide`",
            ));
        }
        Ok(Some(Self { writers, slide }))
    }

    /// Writes every slide's files and what slides and patients add up to; names them.
    pub fn write(
        &self,
        options: &PredictOptions,
        rows: &EmbeddingBatch,
        calls: &Calls,
        progress: &dyn Progress,
    ) -> Result<Vec<PathBuf>> {
        let out = options.out;
        std::fs::create_dir_all(out).map_err(|e| Error::io("make the folder", out, e))?;
        let px: BTreeSet<u32> = self.writers.iter().filter_map(|w| w.thumbnail_px()).collect();
        let mut thumbnails = BTreeMap::new();
        for px in px {
            let Some(slide) = &self.slide else { continue };
            let thumbnail = slide.thumbnail(px)?;
            let downsample = thumbnail.downsample;
            thumbnails.insert(px, SlideThumbnail { image: thumbnail.image, downsample });
        }
        let slides = calls.slides(rows);
        let mut written = Vec::new();
        let mut aggregates = Aggregates::new(TOP_K);
        progress.start("write", slides.len() as u64);
        for mut predictions in slides {
            predictions.path = options.input;
            predictions.size = self.slide.as_ref().map(Slide::size);
            predictions.mpp =
                self.slide.as_ref().and_then(|slide| mpp(slide, options, &predictions));
            aggregates.add(&predictions)?;
            for writer in &self.writers {
                predictions.thumbnail = writer.thumbnail_px().and_then(|px| thumbnails.get(&px));
                written.extend(writer.write(&predictions, out)?);
            }
            progress.advance(1);
        }
        progress.finish();
        written.extend(aggregates.write(out)?);
        Ok(written)
    }
}

/// Whether a path is that of one table; everything else is a folder.
fn is_table(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    [".csv", ".csv.gz"].iter().any(|ending| name.ends_with(ending))
}

/// The slide that the input is; nothing where it is made of tile images.
fn open_slide(options: &PredictOptions) -> Result<Option<Slide>> {
    let registry = options.apply.registry;
    if opener_of(options.input, registry).is_some() {
        return Ok(None);
    }
    let readers = registry.readers();
    if detect_with(options.input, &readers)? != SourceKind::Slide {
        return Ok(None);
    }
    let tiling = &options.apply.tiling;
    let cache_bytes = (tiling.cache_mib as usize) << 20;
    Slide::open_with(options.input, &tiling.reader, &readers, cache_bytes).map(Some)
}

/// Width of a level-0 pixel: what was said of the slide, or what its tiles were cut by.
fn mpp(slide: &Slide, options: &PredictOptions, predictions: &SlidePredictions) -> Option<Mpp> {
    let tiling = &options.apply.tiling;
    let of_tiles = || {
        let side = predictions.tiles.first()?.meta.size_level0_px;
        Mpp::new(tiling.tile_um.get() / f64::from(side)).ok()
    };
    let said = match tiling.mpp_csv {
        None => tiling.mpp.or(slide.mpp()),
        Some(_) => tiling.mpp,
    };
    said.or_else(of_tiles)
}

impl Calls {
    /// What was said of each slide, by name; tiles stay in the order of the source.
    fn slides<'a>(&'a self, rows: &'a EmbeddingBatch) -> Vec<SlidePredictions<'a>> {
        let slide = |tiles: Vec<PredictedTile<'a>>, call| {
            let first = tiles.first().map(|tile| tile.meta);
            SlidePredictions {
                slide: first.map_or("", |meta| &meta.slide),
                patient: first.map_or("", |meta| &meta.group),
                path: Path::new(""),
                size: None,
                mpp: None,
                thumbnail: None,
                classes: &self.classes,
                tiles,
                call,
            }
        };
        if let Some(of) = &self.of_slides {
            let slides = of.bags.bags().iter().zip(&of.attention).enumerate();
            let with_tiles = slides.map(|(i, (bag, attention))| {
                let tiles = of.order[bag.rows.clone()].iter().zip(attention);
                let tiles = tiles.map(|(&row, &attention)| PredictedTile {
                    meta: &rows.metas[row],
                    prediction: None,
                    attention: Some(attention),
                });
                slide(tiles.collect(), Some(self.prediction(i)))
            });
            return with_tiles.collect();
        }
        let mut by_name: BTreeMap<&str, Vec<PredictedTile>> = BTreeMap::new();
        for (i, meta) in rows.metas.iter().enumerate() {
            let prediction = Some(self.prediction(i));
            let tile = PredictedTile { meta, prediction, attention: None };
            by_name.entry(&meta.slide).or_default().push(tile);
        }
        by_name.into_values().map(|tiles| slide(tiles, None)).collect()
    }
}
