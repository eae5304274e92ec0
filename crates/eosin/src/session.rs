// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use eosin_backbone::{Card, EngineOptions, LoadOptions};
use eosin_core::{
    Backbone, BackboneInfo, Contract, Error, Fingerprint, Matrix, Progress, Result, TileMeta,
    TileSource,
};
use eosin_store::ParquetStore;
use eosin_tile::views::ViewBank;
use eosin_tile::{Manifest, ManifestSource, TileFileOptions};
use serde::Deserialize;

use crate::config::{AugmentConfig, EngineConfig, LoadedRun, part};
use crate::dataset::Dataset;
use crate::embed::{EmbedOptions, EmbedOutcome, Skipped, contract, embed};
use crate::input::Geometry;
use crate::registry::Registry;
use crate::toml_file;

/// Where a run reads and writes.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Folder that paths of `[tiles]` are relative to; the current folder where absent.
    pub data: Option<PathBuf>,
    /// Folder for the store, heads and reports.
    pub out: PathBuf,
    /// Engine to use instead of the configuration's.
    pub engine: Option<String>,
}

/// A run's files, opened: its tiles, its store, its registry.
pub struct Session<'a> {
    /// The run and everything it names.
    pub config: LoadedRun,
    /// The list of tiles with labels.
    pub dataset: Dataset,
    /// What `kind`s stand for.
    pub registry: Registry,
    /// Hears how far work has come.
    pub progress: &'a dyn Progress,
    /// Folder for the store, heads and reports.
    pub out: PathBuf,
    store: ParquetStore,
    source: Box<dyn TileSource>,
    geometry: Geometry,
    engine: EngineConfig,
}

/// One backbone's embeddings of a source.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// What is known of the backbone.
    pub info: BackboneInfo,
    /// The contract of the embeddings.
    pub contract: Contract,
    /// What embedding did.
    pub outcome: EmbedOutcome,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestOptions {
    #[serde(default = "manifest_file")]
    file: PathBuf,
}

impl<'a> Session<'a> {
    /// Opens what a run's configuration names.
    pub fn open(
        config: &Path,
        options: SessionOptions,
        registry: Registry,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let config = LoadedRun::read(config)?;
        let data = options.data.clone().unwrap_or_default();
        if config.run.tiles.kind != "manifest" {
            return Err(Error::unsupported(
                format!("a run on tiles of kind `{}`", config.run.tiles.kind),
                &["manifest"],
                "labels come from a manifest; cut slides into one with `eosin tile`",
            ));
        }
        let file: ManifestOptions =
            toml_file::options("tiles manifest", &config.run.tiles.options)?;
        let manifest = Manifest::read(data.join(file.file))?;
        let source = ManifestSource::new(manifest.clone(), TileFileOptions::default());
        let mut engine = config.run.engine.clone();
        if let Some(kind) = options.engine {
            engine.kind = kind;
        }
        let store = ParquetStore::open(options.out.join("store"))?;
        Ok(Self {
            config,
            dataset: Dataset::new(manifest),
            registry,
            progress,
            out: options.out,
            store,
            source: Box::new(source),
            geometry: Geometry::as_given(),
            engine,
        })
    }

    /// What is known of the run's tiles, in manifest order.
    pub fn tiles(&self) -> &[TileMeta] {
        self.source.tiles()
    }

    /// Loads a backbone by the name of its card.
    pub fn backbone(&self, name: &str) -> Result<Box<dyn Backbone>> {
        load_backbone(&self.config.configs, name, &self.engine)
    }

    /// The run's image views, where its augmentation has any.
    pub fn views(&self) -> Result<Option<ViewBank>> {
        views(&self.config.augment)
    }

    /// Embeds the run's tiles, or the views of some, with one backbone.
    pub fn embed(
        &self,
        name: &str,
        views: Option<&ViewBank>,
        only: Option<&BTreeSet<String>>,
    ) -> Result<Embedded> {
        let backbone = self.backbone(name)?;
        let options = EmbedOptions { batch_size: self.engine.batch_size, views, only };
        let outcome = embed(
            self.source.as_ref(),
            &self.geometry,
            backbone.as_ref(),
            &self.store,
            &options,
            self.progress,
        )?;
        let contract = contract(backbone.info(), self.source.as_ref(), &self.geometry, views);
        Ok(Embedded { info: backbone.info().clone(), contract, outcome })
    }

    /// A set's embeddings of the given tiles, the `n_views` views of a tile together, in the order
    /// asked for.
    pub fn matrix(&self, set: &Fingerprint, tile_ids: &[String], n_views: usize) -> Result<Matrix> {
        let ids: Vec<&str> = tile_ids.iter().map(String::as_str).collect();
        let rows = self.store.read_tiles(set, &ids)?;
        if rows.embeddings.n_rows() == ids.len() * n_views {
            return Ok(rows.embeddings);
        }
        Err(Error::data(
            self.store.root().join(set.as_str()),
            format!("{n_views} views of each of {} tiles", ids.len()),
            format!("{} rows", rows.embeddings.n_rows()),
            "run `eosin embed` again; it adds what is missing",
        ))
    }

    /// Tiles that one embedding or another had to leave out.
    pub fn skipped(embedded: &[Embedded]) -> Vec<Skipped> {
        let all: BTreeSet<Skipped> =
            embedded.iter().flat_map(|e| e.outcome.skipped.iter().cloned()).collect();
        // One reason per tile is enough, and the same tile fails alike under every backbone.
        let mut by_tile: BTreeMap<String, Skipped> = BTreeMap::new();
        for skipped in all {
            by_tile.entry(skipped.tile.clone()).or_insert(skipped);
        }
        by_tile.into_values().collect()
    }
}

/// The image views of an augmentation.
pub fn views(augment: &AugmentConfig) -> Result<Option<ViewBank>> {
    augment.views.as_ref().map(|table| toml_file::options("views", table)).transpose()
}

/// Loads a backbone by the name of its card in `configs/backbone/`, or by a card's path.
pub fn load_backbone(
    configs: &Path,
    name: &str,
    engine: &EngineConfig,
) -> Result<Box<dyn Backbone>> {
    let file = configs.join("backbone").join(format!("{name}.toml"));
    let card = if file.is_file() {
        Card::read(&file)?
    } else if Path::new(name).extension().is_some_and(|e| e == "toml") {
        Card::read(Path::new(name))?
    } else {
        // Without a checkout the cards of the program serve; a wrong name lists the files.
        match Card::builtin(name) {
            Ok(card) => card,
            Err(error) if file.parent().is_some_and(Path::is_dir) => {
                return Err(part::<toml::Table>(configs, "backbone", name).err().unwrap_or(error));
            }
            Err(error) => return Err(error),
        }
    };
    let engine = EngineOptions { engine: engine.kind.clone(), device: engine.device };
    eosin_backbone::load(&card, &LoadOptions { engine, ..LoadOptions::default() })
}

fn manifest_file() -> PathBuf {
    "manifest.csv".into()
}
