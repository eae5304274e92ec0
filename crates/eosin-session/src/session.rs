// SPDX-License-Identifier: MIT OR Apache-2.0

//! A run, opened: its tiles, its store, its backbones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use eosin_backbone::{builtin_card, builtin_cards, read_card};
use eosin_core::{
    Backbone, BackboneInfo, Card, Contract, Error, Matrix, Progress, Result, TileMeta, TileSource,
};
use eosin_store::{ParquetStore, TileKey};
use eosin_tile::views::ViewBank;
use eosin_tile::{Manifest, ManifestSource, TileFileOptions};
use serde::Deserialize;

use crate::backbones::{Places, open_card};
use crate::config::{AugmentConfig, EngineConfig, LoadedRun, TaskConfig, names, unknown_part};
use crate::dataset::{Dataset, TaskRows};
use crate::embed::{EmbedOptions, EmbedOutcome, Skipped, contract, embed};
use crate::input::Geometry;
use crate::leakage::part_groups;
use crate::registry::Registry;
use crate::rehearsal::{self, RehearsalBackbone, RehearsalSource};
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
    /// Folder with weights that cards leave to the user, `<card>.safetensors`, `.pth`, `.pt` or
    /// `.bin`.
    pub weights: Option<PathBuf>,
    /// Why a split that leaks is used all the same; the reason stands in the report.
    pub allow_leakage: Option<String>,
    /// Whether many rows of files that have changed may be replaced.
    pub replace: bool,
    /// Where backbones find what is no part of the program, other than `weights`.
    pub places: Places,
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
    options: SessionOptions,
    /// Whether noise stands for embeddings.
    rehearses: bool,
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

/// Backbones that say what a score means: without training, or without a network.
pub fn is_control(embedded: &Embedded) -> bool {
    embedded.info.parameters == 0 || embedded.info.weights_sha256.starts_with("random")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestOptions {
    #[serde(default = "manifest_file")]
    file: PathBuf,
    /// Several files that are read as one; `file` is not read then.
    #[serde(default)]
    files: Vec<PathBuf>,
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
        if config.run.tiles.kind != "manifest" {
            return Err(Error::unsupported(
                format!("a run on tiles of kind `{}`", config.run.tiles.kind),
                &["manifest"],
                "labels come from a manifest; cut slides into one with `eosin tile`",
            ));
        }
        let file: ManifestOptions =
            toml_file::options("tiles manifest", &config.run.tiles.options)?;
        let data = options.data.clone().unwrap_or_default();
        let manifest = if file.files.is_empty() {
            Manifest::read(data.join(&file.file))?
        } else {
            Manifest::read_joined(data, &file.files)?
        };
        Self::on(config, manifest, "store", options, registry, progress, false)
    }

    /// The same run in another folder, on noise instead of embeddings; see
    /// [`rehearse`](crate::rehearse).
    pub fn rehearsal(&self, out: &Path, progress: &'a dyn Progress) -> Result<Session<'a>> {
        let config = rehearsal::shortened(self.config.clone());
        let manifest = self.dataset.manifest().clone();
        let options = SessionOptions { out: out.to_owned(), ..self.options.clone() };
        Self::on(config, manifest, "store", options, self.registry.clone(), progress, true)
    }

    /// The same run on another manifest, relative to the folder of the data: for proxy tasks whose
    /// tiles are not the run's. It has a store of its own, because tile ids may be the same.
    pub fn beside(&self, manifest: &Path) -> Result<Session<'a>> {
        let store = format!("store-{}", manifest_name(manifest));
        let (config, options) = (self.config.clone(), self.options.clone());
        let manifest = Manifest::read(options.data.clone().unwrap_or_default().join(manifest))?;
        let registry = self.registry.clone();
        Self::on(config, manifest, &store, options, registry, self.progress, self.rehearses)
    }

    fn on(
        config: LoadedRun,
        manifest: Manifest,
        store: &str,
        options: SessionOptions,
        registry: Registry,
        progress: &'a dyn Progress,
        rehearses: bool,
    ) -> Result<Self> {
        let source = ManifestSource::new(manifest.clone(), TileFileOptions::default());
        let source: Box<dyn TileSource> = if rehearses {
            Box::new(RehearsalSource::new(Box::new(source)))
        } else {
            Box::new(source)
        };
        let mut engine = config.run.engine.clone();
        if let Some(kind) = &options.engine {
            engine.kind.clone_from(kind);
        }
        let store = ParquetStore::open(options.out.join(store))?;
        Ok(Self {
            config,
            dataset: Dataset::new(manifest),
            registry,
            progress,
            out: options.out.clone(),
            store,
            source,
            geometry: Geometry::as_given(),
            engine,
            options,
            rehearses,
        })
    }

    /// Why a split that leaks is used all the same, where somebody has said so.
    pub fn allow_leakage(&self) -> Option<&str> {
        self.options.allow_leakage.as_deref()
    }

    /// The rows that `task` uses; where leakage is allowed, groups of both sides are parted.
    pub fn rows(&self, task: &TaskConfig, skipped: &[Skipped]) -> Result<TaskRows> {
        let mut rows = self.dataset.rows(task, skipped)?;
        if self.options.allow_leakage.is_some() {
            part_groups(&mut rows);
        }
        rows.warnings.extend(self.unreadable_note(skipped));
        Ok(rows)
    }

    /// What a reader must know where tiles cannot be read now and were embedded before; `skipped`
    /// are those that were not.
    pub fn unreadable_note(&self, skipped: &[Skipped]) -> Option<String> {
        let skipped: BTreeSet<&str> = skipped.iter().map(|s| s.tile.as_str()).collect();
        let unreadable =
            |t: &&TileMeta| t.source_digest.is_empty() && !skipped.contains(t.tile_id.as_str());
        match self.tiles().iter().filter(unreadable).count() {
            0 => None,
            n => Some(format!(
                "{n} tiles cannot be read now; their rows were embedded before and are used"
            )),
        }
    }

    /// Where embeddings are kept.
    pub fn store(&self) -> &ParquetStore {
        &self.store
    }

    /// Where tiles are read.
    pub fn source(&self) -> &dyn TileSource {
        self.source.as_ref()
    }

    /// Tiles per forward pass.
    pub fn batch_size(&self) -> usize {
        self.engine.batch_size
    }

    /// The folder for weights, or the current one.
    pub fn weights_folder(&self) -> PathBuf {
        self.options.weights.clone().unwrap_or_default()
    }

    /// What is known of the run's tiles, in manifest order.
    pub fn tiles(&self) -> &[TileMeta] {
        self.source.tiles()
    }

    /// Loads a backbone by the name of its card.
    pub fn backbone(&self, name: &str) -> Result<Box<dyn Backbone>> {
        let card = find_card(&self.config.configs, name)?;
        self.backbone_of(&card)
    }

    /// Makes a card's backbone, with the user's weights where the card leaves them to the user.
    pub fn backbone_of(&self, card: &Card) -> Result<Box<dyn Backbone>> {
        let backbone = open_card(&self.registry, card, &self.engine, &self.places())?;
        if self.rehearses {
            return Ok(Box::new(RehearsalBackbone::of(backbone.as_ref())));
        }
        Ok(backbone)
    }

    /// Where backbones find what is no part of the program.
    fn places(&self) -> Places {
        Places { weights: self.options.weights.clone(), ..self.options.places.clone() }
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
        self.embed_with(self.backbone(name)?.as_ref(), views, only)
    }

    /// Embeds the run's tiles, or the views of some, with a backbone that is loaded.
    pub fn embed_with(
        &self,
        backbone: &dyn Backbone,
        views: Option<&ViewBank>,
        only: Option<&BTreeSet<String>>,
    ) -> Result<Embedded> {
        let options = EmbedOptions {
            batch_size: self.engine.batch_size,
            views,
            only,
            replace: self.options.replace,
        };
        let outcome = embed(
            self.source.as_ref(),
            &self.geometry,
            backbone,
            &self.store,
            &options,
            self.progress,
        )?;
        let contract = contract(backbone.info(), self.source.as_ref(), &self.geometry, views);
        Ok(Embedded { info: backbone.info().clone(), contract, outcome })
    }

    /// The embeddings of the given tiles, the `n_views` views of a tile together, in the order asked
    /// for: those of the files that the session has open, whatever else the set holds under their
    /// names.
    pub fn matrix(
        &self,
        embedded: &EmbedOutcome,
        tile_ids: &[String],
        n_views: usize,
    ) -> Result<Matrix> {
        let set = &embedded.fingerprint;
        let tiles = self.keys(&embedded.kept_as, tile_ids);
        let rows = self.store.read_tiles(set, &tiles)?;
        if rows.embeddings.n_rows() == tiles.len() * n_views {
            return Ok(rows.embeddings);
        }
        Err(Error::data(
            self.store.root().join(set.as_str()),
            format!("{n_views} views of each of {} tiles", tiles.len()),
            format!("{} rows", rows.embeddings.n_rows()),
            "run `eosin embed` again; it adds what is missing",
        ))
    }

    /// Keys of the given tiles in the session's sets; `kept_as` is that of an [`EmbedOutcome`].
    pub fn keys(&self, kept_as: &BTreeMap<String, String>, tile_ids: &[String]) -> Vec<TileKey> {
        let digests: HashMap<&str, &str> = self
            .tiles()
            .iter()
            .map(|tile| (tile.tile_id.as_str(), tile.source_digest.as_str()))
            .collect();
        let key = |id: &String| {
            let told = digests.get(id.as_str()).copied().unwrap_or_default();
            TileKey::new(id, kept_as.get(id).map_or(told, String::as_str))
        };
        tile_ids.iter().map(key).collect()
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

/// How each stored view of the given tiles is made, for a bank of their embeddings.
pub fn view_parameters(views: &ViewBank, tile_ids: &[String]) -> Result<Matrix> {
    let told = |id: &String| -> Vec<Vec<f32>> {
        views.stored_views().map(|view| views.parameters(id, view)).collect()
    };
    Matrix::from_rows(&tile_ids.iter().flat_map(told).collect::<Vec<_>>())
}

/// The image views of an augmentation.
pub fn views(augment: &AugmentConfig) -> Result<Option<ViewBank>> {
    augment.views.as_ref().map(view_bank).transpose()
}

/// A bank of views as a table tells it.
pub fn view_bank(table: &toml::Table) -> Result<ViewBank> {
    let bank: ViewBank = toml_file::options("views", table)?;
    bank.validate()?;
    Ok(bank)
}

/// Loads a backbone by the name of its card, or by a card's path.
pub fn load_backbone(
    registry: &Registry,
    configs: &Path,
    name: &str,
    engine: &EngineConfig,
    places: &Places,
) -> Result<Box<dyn Backbone>> {
    open_card(registry, &find_card(configs, name)?, engine, places)
}

/// A card by the name of its file in `configs/backbone/`, by its path, or by its name in the program.
pub fn find_card(configs: &Path, name: &str) -> Result<Card> {
    let file = configs.join("backbone").join(format!("{name}.toml"));
    if file.is_file() {
        return read_card(&file);
    }
    if Path::new(name).extension().is_some_and(|e| e == "toml") {
        return read_card(Path::new(name));
    }
    // Where no file is, the cards of the program serve; a wrong name lists both.
    builtin_card(name).or_else(|_| {
        let mut known = names(configs, "backbone");
        known.extend(builtin_cards()?.into_iter().map(|card| card.name));
        Err(unknown_part(configs, "backbone", name, known))
    })
}

/// What tells a manifest from others: its folder's name, or its own.
pub fn manifest_name(manifest: &Path) -> String {
    let folder = manifest.parent().filter(|p| !p.as_os_str().is_empty());
    let named = folder.unwrap_or(manifest).file_stem().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    named.to_string_lossy().chars().map(plain).collect()
}

fn manifest_file() -> PathBuf {
    "manifest.csv".into()
}
