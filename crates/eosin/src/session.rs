// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use eosin_backbone::{Card, EngineOptions, LoadOptions};
use eosin_core::{
    Backbone, BackboneInfo, Contract, Error, Fingerprint, Matrix, Mpp, Progress, Result, TileSource,
    TileUm,
};
use eosin_store::ParquetStore;
use eosin_tile::views::ViewBank;
use eosin_tile::{FolderSource, Manifest, ManifestSource, SlideSource, TilingOptions};
use serde::Deserialize;

use crate::config::{AugmentConfig, ComponentConfig, EngineConfig, LoadedRun, part};
use crate::dataset::Dataset;
use crate::embed::{EmbedOptions, EmbedOutcome, Skipped, contract, embed};
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FolderOptions {
    folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlideOptions {
    file: PathBuf,
    tile_um: TileUm,
    tile_px: u32,
    #[serde(default)]
    overlap: f64,
    #[serde(default)]
    min_tissue: f64,
    #[serde(default)]
    mpp: Option<Mpp>,
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
        let file: ManifestOptions = toml_file::options("tiles manifest", &config.run.tiles.options)?;
        let dataset = Dataset::new(Manifest::read(data.join(file.file))?);
        let (source, geometry) = open_tiles(&config.run.tiles, &data)?;
        let mut engine = config.run.engine.clone();
        if let Some(kind) = options.engine {
            engine.kind = kind;
        }
        let store = ParquetStore::open(options.out.join("store"))?;
        Ok(Self {
            config,
            dataset,
            registry,
            progress,
            out: options.out,
            store,
            source,
            geometry,
            engine,
        })
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

    /// A set's embeddings of the given tiles, views of a tile together, in the order asked for.
    pub fn matrix(&self, set: &Fingerprint, tile_ids: &[String], n_views: usize) -> Result<Matrix> {
        let (metas, views, all) = self.store.read_all(set)?;
        let at: BTreeMap<(&str, u16), usize> = metas
            .iter()
            .zip(&views)
            .enumerate()
            .map(|(i, (meta, &view))| ((meta.tile_id.as_str(), view), i))
            .collect();
        let mut rows = Vec::with_capacity(tile_ids.len() * n_views);
        for id in tile_ids {
            for view in 0..n_views as u16 {
                let row = at.get(&(id.as_str(), view)).ok_or_else(|| {
                    Error::data(
                        self.out.join("store").join(set.as_str()),
                        format!("view {view} of tile {id}"),
                        "none",
                        "run `eosin embed` again; it adds what is missing",
                    )
                })?;
                rows.push(*row);
            }
        }
        Ok(all.select(&rows))
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
    } else if name.ends_with(".toml") {
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

/// Opens a source of tiles by its kind.
pub fn open_tiles(
    config: &ComponentConfig,
    data: &Path,
) -> Result<(Box<dyn TileSource>, Geometry)> {
    let as_given =
        || Geometry { tile_um: None, tile_px: 0, mpp_policy: "tiles as given".to_string() };
    match config.kind.as_str() {
        "manifest" => {
            let options: ManifestOptions = toml_file::options("tiles manifest", &config.options)?;
            let manifest = Manifest::read(data.join(options.file))?;
            Ok((Box::new(ManifestSource::new(manifest)), as_given()))
        }
        "folder" => {
            let options: FolderOptions = toml_file::options("tiles folder", &config.options)?;
            Ok((Box::new(FolderSource::open(data.join(options.folder))?), as_given()))
        }
        "slide" => {
            let options: SlideOptions = toml_file::options("tiles slide", &config.options)?;
            let geometry = Geometry {
                tile_um: Some(options.tile_um.get()),
                tile_px: options.tile_px,
                mpp_policy: "exact".into(),
            };
            let tiling = TilingOptions {
                tile_um: options.tile_um,
                tile_px: options.tile_px,
                overlap: options.overlap,
                min_tissue: options.min_tissue,
                mpp: options.mpp,
                ..TilingOptions::default()
            };
            Ok((Box::new(SlideSource::open(data.join(options.file), &tiling)?), geometry))
        }
        other => Err(Error::unsupported(
            format!("tiles of kind `{other}`"),
            &["folder", "manifest", "slide"],
            "set `kind` of [tiles] to a known one",
        )),
    }
}

fn manifest_file() -> PathBuf {
    "manifest.csv".into()
}
