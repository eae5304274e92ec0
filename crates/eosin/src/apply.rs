// SPDX-License-Identifier: MIT OR Apache-2.0

//! A saved head on tiles: opened, found to fit, and the tiles embedded where they are not yet.
//! What predicts and what evaluates share it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use eosin_core::{
    Backbone, Bags, EmbeddingBatch, Error, Head, HeadRecord, Probabilities, Progress, Result,
    SlideHead, TileMeta, TileSource,
};
use eosin_head::{HeadFile, load_head};
use eosin_store::{ParquetStore, TileKey};
use eosin_tile::TilingOptions;

use eosin_core::Registry;
use eosin_session::backbones::Places;
use eosin_session::config::EngineConfig;
use eosin_session::embed::{EmbedOptions, EmbedOutcome, contract, embed};
use eosin_session::input::{Geometry, open_input};
use eosin_session::session::load_backbone;

/// How a saved head is applied to tiles.
#[derive(Clone, Debug)]
pub struct ApplyOptions<'a> {
    /// How a slide is cut.
    pub tiling: TilingOptions,
    /// What reads slides and makes the head and its backbone again.
    pub registry: &'a Registry,
    /// A saved head.
    pub head: &'a Path,
    /// Keeps the embeddings, so that tiles are embedded once.
    pub store: &'a Path,
    /// Engine that embeds.
    pub engine: EngineConfig,
    /// Where backbones find what is no part of the program.
    pub places: Places,
    /// Folder with backbone cards.
    pub configs: &'a Path,
    /// Contract fields in which the tiles may differ from those of the head's training.
    pub accept: &'a [String],
    /// Whether many rows of files that have changed may be replaced.
    pub replace: bool,
}

/// Fields that a user may accept as different: how tiles were cut, not how they were embedded.
const ACCEPTABLE: [&str; 4] = ["mpp_policy", "reader", "tile_px", "tile_um"];

/// A saved head that can be applied.
pub(crate) struct Applicable {
    pub file: HeadFile,
    pub head: AnyHead,
    backbone: Box<dyn Backbone>,
}

/// Tiles that a head fits.
pub(crate) struct Opened {
    pub source: Box<dyn TileSource>,
    geometry: Geometry,
}

impl Applicable {
    /// Opens the head and its backbone.
    pub fn open(options: &ApplyOptions) -> Result<Self> {
        if let Some(field) = options.accept.iter().find(|f| !ACCEPTABLE.contains(&f.as_str())) {
            return Err(Error::input(
                "--accept",
                format!("one of {}", ACCEPTABLE.join(", ")),
                field.as_str(),
                "other fields change what an embedding means",
            ));
        }
        let file = load_head(options.head)?;
        let head = restore_any(options.registry, &file.record)?;
        let name = &file.contract.backbone;
        let backbone = load_backbone(
            options.registry,
            options.configs,
            name,
            &options.engine,
            &options.places,
        )?;
        Ok(Self { file, head, backbone })
    }

    /// Opens tiles; refuses those that were not cut as the head's training was.
    pub fn input(&self, input: &Path, options: &ApplyOptions) -> Result<Opened> {
        let (source, geometry) = open_input(input, &options.tiling, options.registry)?;
        let ours = contract(self.backbone.info(), source.as_ref(), &geometry, None);
        let differences: Vec<_> = self
            .file
            .contract
            .differences(&ours)
            .into_iter()
            .filter(|d| !options.accept.contains(&d.field))
            .collect();
        if differences.is_empty() {
            return Ok(Opened { source, geometry });
        }
        let settled = differences.iter().all(|d| ACCEPTABLE.contains(&d.field.as_str()));
        if !settled {
            return Err(Error::contract(differences));
        }
        let flags: Vec<String> =
            differences.iter().map(|d| format!("--accept {}", d.field)).collect();
        let hint = format!(
            "cut the tiles as those of the head's training were, or take them as they are with {}",
            flags.join(" ")
        );
        Err(Error::Contract { differences, hint })
    }

    /// Embeds what is not embedded yet; the rows are those of `wanted` tiles that can be read, in
    /// the order of the source.
    pub fn embed(
        &self,
        input: &Path,
        opened: &Opened,
        wanted: Option<&BTreeSet<String>>,
        options: &ApplyOptions,
        progress: &dyn Progress,
    ) -> Result<(EmbedOutcome, EmbeddingBatch)> {
        let store = ParquetStore::open(options.store)?;
        let embed_options = EmbedOptions {
            batch_size: options.engine.batch_size,
            views: None,
            only: wanted,
            replace: options.replace,
        };
        let source = opened.source.as_ref();
        let outcome = embed(
            source,
            &opened.geometry,
            self.backbone.as_ref(),
            &store,
            &embed_options,
            progress,
        )?;
        let skipped: BTreeSet<&str> = outcome.skipped.iter().map(|s| s.tile.as_str()).collect();
        let tiles: Vec<TileKey> = source
            .tiles()
            .iter()
            .filter(|meta| !skipped.contains(meta.tile_id.as_str()))
            .filter(|meta| wanted.is_none_or(|wanted| wanted.contains(&meta.tile_id)))
            .map(|meta| outcome.key(meta))
            .collect();
        if tiles.is_empty() {
            return Err(Error::data(
                input,
                "tiles that can be read",
                format!("none among {}", source.tiles().len()),
                "`eosin inspect` tells what is wrong with each",
            ));
        }
        let mut rows = store.read_tiles(&outcome.fingerprint, &tiles)?;
        // The store keeps what was said of a tile when it was embedded; a manifest may say since
        // then that it is of another slide or patient.
        let said: HashMap<&str, &TileMeta> =
            source.tiles().iter().map(|meta| (meta.tile_id.as_str(), meta)).collect();
        for meta in &mut rows.metas {
            if let Some(now) = said.get(meta.tile_id.as_str()) {
                meta.slide.clone_from(&now.slide);
                meta.group.clone_from(&now.group);
            }
        }
        Ok((outcome, rows))
    }
}

/// A head of tiles or of slides.
pub(crate) enum AnyHead {
    Tiles(Box<dyn Head>),
    Slides(Box<dyn SlideHead>),
}

/// What a head of slides says of each slide.
pub(crate) struct OfSlides {
    /// Positions of the rows, those of a slide together and in their own order.
    pub order: Vec<usize>,
    pub bags: Bags,
    pub raw: Probabilities,
}

/// Gathers tiles by slide and predicts each slide.
pub(crate) fn predict_slides(head: &dyn SlideHead, rows: &EmbeddingBatch) -> Result<OfSlides> {
    let mut order: Vec<usize> = (0..rows.metas.len()).collect();
    order.sort_by(|&a, &b| rows.metas[a].slide.cmp(&rows.metas[b].slide));
    let slides: Vec<&str> = order.iter().map(|&i| rows.metas[i].slide.as_str()).collect();
    let bags = Bags::from_slides(rows.embeddings.select(&order), &slides)?;
    let raw = head.predict(&bags)?;
    Ok(OfSlides { order, bags, raw })
}

fn restore_any(registry: &Registry, record: &HeadRecord) -> Result<AnyHead> {
    if registry.is_slide_head(&record.kind) {
        return Ok(AnyHead::Slides(registry.restore_slide_head(record)?));
    }
    Ok(AnyHead::Tiles(registry.restore_head(record)?))
}
