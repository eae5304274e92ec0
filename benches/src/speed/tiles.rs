// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use anyhow::{Context, Result, ensure};
use eosin::crates::core::{Card, Fold, RgbImage, Tile, TileBatch, TileSource};
use eosin::crates::eval::{ConfusionMatrix, splits};
use eosin::crates::tile::resample::{Filter, resize};
use eosin::crates::tile::{Manifest, ManifestSource, SlideSource, TileFileOptions};
use eosin_testkit::demo::{self, DemoConfig};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tempfile::TempDir;

use super::SpeedOptions;

/// One in so many grouped folds is the validation part.
const FOLDS: usize = 3;

/// Labelled tiles with one split.
pub struct Tiles {
    pub source: ManifestSource,
    pub classes: Vec<String>,
    pub labels: Vec<u32>,
    pub split: Fold,
    name: String,
    n_groups: usize,
    input_px: u32,
    filter: Filter,
    /// Where synthetic tiles lie.
    _drawn: Option<TempDir>,
}

impl Tiles {
    /// Draws `n` tiles of the list, 0 for all, and parts them by groups.
    pub fn open(options: &SpeedOptions, n: usize, card: &Card) -> Result<Self> {
        let (folder, drawn) = if let Some(folder) = &options.data {
            (folder.clone(), None)
        } else {
            let drawn = draw()?;
            (drawn.path().to_owned(), Some(drawn))
        };
        let label =
            options.label.as_deref().unwrap_or(if drawn.is_some() { "h_density" } else { "label" });
        let file = folder.join(&options.manifest);
        let manifest = Manifest::read(&file)?;
        for column in [label, options.group.as_str()] {
            ensure!(
                manifest.columns().iter().any(|c| c == column),
                "{} has no column `{column}`; it has {}",
                file.display(),
                manifest.columns().join(", ")
            );
        }
        let mut rows: Vec<(&str, &str, &str)> = manifest
            .rows()
            .iter()
            .filter_map(|r| Some((r.path.as_str(), r.column(label)?, r.column(&options.group)?)))
            .collect();
        if n > 0 && n < rows.len() {
            rows.shuffle(&mut ChaCha8Rng::seed_from_u64(options.seed));
            rows.truncate(n);
            rows.sort_unstable();
        }
        ensure!(!rows.is_empty(), "{}: no row with a label and a group", file.display());
        let (classes, labels) = numbered(rows.iter().map(|r| r.1));
        let (groups, group_of) = numbered(rows.iter().map(|r| r.2));
        let folds = splits::feasible_folds(&labels, &group_of, classes.len(), FOLDS)?;
        ensure!(
            classes.len() > 1 && folds > 1,
            "two classes with two groups each are needed; there are {} classes; raise --tiles",
            classes.len()
        );
        let split = splits::grouped_stratified_kfold(
            &labels,
            &group_of,
            classes.len(),
            folds,
            options.seed,
        )?
        .swap_remove(0);
        let quoted = |path: &str| format!("\"{}\"\n", path.replace('"', "\"\""));
        let list: String = rows.iter().map(|r| quoted(r.0)).collect();
        let chosen = Manifest::from_csv(&format!("path\n{list}"), folder)?;
        let name = match &options.data {
            Some(folder) => folder.file_name().map_or_else(
                || folder.display().to_string(),
                |name| name.to_string_lossy().into_owned(),
            ),
            None => "synthetic".into(),
        };
        Ok(Self {
            source: ManifestSource::new(chosen, TileFileOptions::default()),
            classes,
            labels,
            split,
            name,
            n_groups: groups.len(),
            input_px: card.input_px,
            filter: card.resampling.parse()?,
            _drawn: drawn,
        })
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn describe_short(&self) -> String {
        format!("{} tiles of {}", self.len(), self.name)
    }

    pub fn describe(&self) -> String {
        let counts: Vec<String> = (0_u32..)
            .zip(&self.classes)
            .map(|(k, class)| {
                format!("{} {class}", self.labels.iter().filter(|label| **label == k).count())
            })
            .collect();
        format!(
            "{} ({}) in {} groups: {} to train on, {} to validate on",
            self.describe_short(),
            counts.join(", "),
            self.n_groups,
            self.split.train.len(),
            self.split.held_out.len()
        )
    }

    /// Reads every tile once, so that no arm pays for a cold page cache.
    pub fn warm(&self) -> Result<()> {
        (0..self.len()).into_par_iter().try_for_each(|i| self.source.read(i).map(drop))?;
        Ok(())
    }

    /// Decodes a tile and brings it to the backbone's size.
    pub fn read(&self, i: usize) -> eosin::crates::core::Result<RgbImage> {
        Ok(resize(&self.source.read(i)?.image, self.input_px, self.input_px, self.filter))
    }

    /// The same for many tiles, on all threads.
    pub fn batch(&self, rows: &[usize]) -> Result<TileBatch> {
        let images: Vec<RgbImage> =
            rows.par_iter().map(|&i| self.read(i)).collect::<Result<_, _>>()?;
        let mut batch = TileBatch::new(self.input_px);
        for (&i, image) in rows.iter().zip(images) {
            batch.push(Tile { meta: self.source.tiles()[i].clone(), image })?;
        }
        Ok(batch)
    }

    /// Mean F1 over the classes of calls on the validation tiles.
    pub fn f1(&self, called: &[u32]) -> Result<f64> {
        let truth: Vec<u32> = self.split.held_out.iter().map(|&i| self.labels[i]).collect();
        Ok(ConfusionMatrix::new(&truth, called, self.classes.len(), None)?.macro_f1())
    }

    /// n / (classes · n_class) of the training tiles, per class.
    pub fn class_weights(&self) -> Vec<f32> {
        let n_classes = self.classes.len();
        let mut counts = vec![0.0_f64; n_classes];
        for &i in &self.split.train {
            counts[self.labels[i] as usize] += 1.0;
        }
        let n = self.split.train.len() as f64;
        counts.iter().map(|&count| (n / (n_classes as f64 * count.max(1.0))) as f32).collect()
    }
}

/// Tissue of the test slide with the demo's labels, as `cargo xtask demo` has them.
fn draw() -> Result<TempDir> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let config = DemoConfig::read(&root.join("configs/demo/tiles.toml"))?;
    let slide = root.join("tests/fixtures/cmu-1-small-region.svs");
    let source = SlideSource::open(&slide, &config.tiling()?)
        .with_context(|| format!("{} is needed without --data", slide.display()))?;
    let folder = tempfile::tempdir()?;
    demo::write(&demo::plan(&source, &config)?, &config, folder.path())?;
    Ok(folder)
}

/// The distinct names in order, and the number of each row's name.
fn numbered<'a>(names: impl Iterator<Item = &'a str> + Clone) -> (Vec<String>, Vec<u32>) {
    let mut known: Vec<&str> = names.clone().collect();
    known.sort_unstable();
    known.dedup();
    let number = |name: &str| known.binary_search(&name).unwrap_or_default() as u32;
    let numbers = names.map(number).collect();
    (known.iter().map(ToString::to_string).collect(), numbers)
}
