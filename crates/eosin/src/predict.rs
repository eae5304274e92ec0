// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{EmbeddingBatch, Error, Head, HeadRecord, Progress, Result};
use eosin_head::{HeadFile, load_head};
use eosin_store::ParquetStore;
use eosin_tile::TilingOptions;

use crate::backbones::Places;
use crate::config::EngineConfig;
use crate::embed::{EmbedOptions, Skipped, contract, embed};
use crate::input::open_input;
use crate::session::load_backbone;

/// Where predictions come from and go to.
#[derive(Clone, Debug)]
pub struct PredictOptions<'a> {
    /// A manifest, a folder of images or a slide.
    pub input: &'a Path,
    /// How a slide is cut.
    pub tiling: TilingOptions,
    /// A saved head.
    pub head: &'a Path,
    /// The CSV to write.
    pub out: &'a Path,
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
}

/// What predicting did.
#[derive(Clone, Debug)]
pub struct PredictOutcome {
    /// Rows that were written.
    pub n_tiles: usize,
    /// Tiles called by each class.
    pub called: Vec<(String, usize)>,
    /// Tiles that could not be read.
    pub skipped: Vec<Skipped>,
}

/// Fields that a user may accept as different: how tiles were cut, not how they were embedded.
const ACCEPTABLE: [&str; 4] = ["mpp_policy", "reader", "tile_px", "tile_um"];

/// Embeds what is not embedded yet, applies the head, and writes a CSV.
pub fn predict(options: &PredictOptions, progress: &dyn Progress) -> Result<PredictOutcome> {
    if let Some(field) = options.accept.iter().find(|f| !ACCEPTABLE.contains(&f.as_str())) {
        return Err(Error::input(
            "--accept",
            format!("one of {}", ACCEPTABLE.join(", ")),
            field.as_str(),
            "other fields change what an embedding means",
        ));
    }
    let file = load_head(options.head)?;
    let head = restore(&file.record)?;
    let (source, geometry) = open_input(options.input, &options.tiling)?;
    let backbone =
        load_backbone(options.configs, &file.contract.backbone, &options.engine, &options.places)?;
    let ours = contract(backbone.info(), source.as_ref(), &geometry, None);
    let differences: Vec<_> = file
        .contract
        .differences(&ours)
        .into_iter()
        .filter(|d| !options.accept.contains(&d.field))
        .collect();
    if !differences.is_empty() {
        return Err(Error::Contract { differences });
    }
    let store = ParquetStore::open(options.store)?;
    let embed_options =
        EmbedOptions { batch_size: options.engine.batch_size, views: None, only: None };
    let outcome =
        embed(source.as_ref(), &geometry, backbone.as_ref(), &store, &embed_options, progress)?;
    let skipped: Vec<&str> = outcome.skipped.iter().map(|s| s.tile.as_str()).collect();
    let ids: Vec<&str> = source
        .tiles()
        .iter()
        .map(|meta| meta.tile_id.as_str())
        .filter(|id| !skipped.contains(id))
        .collect();
    let rows = if ids.is_empty() {
        return Err(Error::data(
            options.input,
            "tiles that can be read",
            format!("none among {}", source.tiles().len()),
            "`eosin inspect` tells what is wrong with each",
        ));
    } else {
        store.read_tiles(&outcome.fingerprint, &ids)?
    };
    let called = write(options.out, &file, head.as_ref(), &rows)?;
    Ok(PredictOutcome { n_tiles: ids.len(), called, skipped: outcome.skipped })
}

fn write(
    path: &Path,
    file: &HeadFile,
    head: &dyn Head,
    rows: &EmbeddingBatch,
) -> Result<Vec<(String, usize)>> {
    let decided = file.decide(&head.predict(&rows.embeddings)?)?;
    let classes = head.classes();
    let fault = |e: csv::Error| Error::io("write", path, std::io::Error::other(e));
    let partial = path.with_extension("partial");
    let mut csv = csv::Writer::from_path(&partial).map_err(fault)?;
    let fixed = ["tile", "slide", "x", "y", "size_level0_px"].map(str::to_string);
    let named = classes.iter().map(|class| format!("prob_{class}"));
    let set = decided.sets.as_ref().map(|_| "set".to_string());
    csv.write_record(fixed.into_iter().chain(named).chain(["called".to_string()]).chain(set))
        .map_err(fault)?;
    let mut counts = vec![0; classes.len()];
    let mut uncalled = 0;
    for (i, meta) in rows.metas.iter().enumerate() {
        // A tile about which the head is too unsure is left empty.
        let called = if let Some(class) = decided.called[i] {
            counts[class as usize] += 1;
            classes[class as usize].clone()
        } else {
            uncalled += 1;
            String::new()
        };
        let fixed = [
            meta.tile_id.clone(),
            meta.slide.clone(),
            meta.x.to_string(),
            meta.y.to_string(),
            meta.size_level0_px.to_string(),
        ];
        let values = decided.probabilities.row(i).iter().map(|p| format!("{p:.6}"));
        let set = decided.sets.as_ref().map(|sets| {
            let names: Vec<&str> =
                sets[i].iter().map(|&class| classes[class as usize].as_str()).collect();
            names.join("|")
        });
        csv.write_record(fixed.into_iter().chain(values).chain([called]).chain(set))
            .map_err(fault)?;
    }
    csv.flush().map_err(|e| Error::io("write", &partial, e))?;
    std::fs::rename(&partial, path).map_err(|e| Error::io("write", path, e))?;
    let mut told: Vec<(String, usize)> = classes.iter().cloned().zip(counts).collect();
    if uncalled > 0 {
        told.push(("left uncalled".into(), uncalled));
    }
    Ok(told)
}

/// Makes a saved head again, whichever crate its kind is from.
pub fn restore(record: &HeadRecord) -> Result<Box<dyn Head>> {
    if eosin_network::KINDS.contains(&record.kind.as_str()) {
        eosin_network::head_from_record(record)
    } else {
        eosin_head::head_from_record(record)
    }
}
