// SPDX-License-Identifier: MIT OR Apache-2.0

//! Embeds the arms of a run; what cannot be used or had is left out and told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use eosin_core::{
    Backbone, BackboneInfo, Card, EmbeddingBatch, Error, Result, Tile, TileBatch, Use,
    WeightsSource,
};
use eosin_store::{imported_contract, read_npy};
use eosin_tile::resample;

use super::{CandidateSet, LeftOut};
use eosin_session::config::{ImportedConfig, LicenceFilter, TaskConfig};
use eosin_session::embed::{EmbedOutcome, Skipped};
use eosin_session::embed_plan::{EmbedPlan, Planned, asks_to_replace};
use eosin_session::embed_stats::EmbedStats;
use eosin_session::session::{Embedded, Session, find_card, is_control, manifest_name};

/// The arms of a run on all of its data.
pub struct Arms<'a> {
    /// Those that could be embedded, on the run's own tiles.
    pub embedded: Vec<Embedded>,
    /// Those that could not, and those that may not be used.
    pub left_out: Vec<LeftOut>,
    /// Tiles that one arm or another had to leave out.
    pub skipped: Vec<Skipped>,
    /// Seconds of embedding, and tiles that were new, by arm.
    pub seconds: BTreeMap<String, (f64, usize)>,
    /// Tiles per second of the network alone, by arm, where it was measured.
    pub tiles_per_s: BTreeMap<String, f64>,
    pub(super) beside: Vec<Data<'a>>,
}

/// A manifest of a proxy task's own.
pub(super) struct Data<'a> {
    pub(super) manifest: PathBuf,
    pub(super) session: Session<'a>,
    pub(super) sets: BTreeMap<String, CandidateSet>,
    pub(super) skipped: Vec<Skipped>,
    /// As that of an [`EmbedOutcome`].
    pub(super) kept_as: BTreeMap<String, String>,
}

/// Time for which a network is measured.
const MEASURED_SECONDS: f64 = 0.5;

/// Embeds every backbone of the run, the controls that every ranking contains, and what was
/// imported, on the run's tiles and on those of its proxy tasks.
///
/// A backbone that cannot be loaded or fails while it embeds is left out with the reason; it is an
/// error if that leaves none.
pub fn embed_arms<'a>(session: &Session<'a>, measure: bool) -> Result<Arms<'a>> {
    let mut arms = Arms {
        embedded: Vec::new(),
        left_out: Vec::new(),
        skipped: Vec::new(),
        seconds: BTreeMap::new(),
        tiles_per_s: BTreeMap::new(),
        beside: Vec::new(),
    };
    for (_, task) in &session.config.proxies {
        let Some(manifest) = &task.manifest else { continue };
        if arms.beside.iter().all(|d| d.manifest != *manifest) {
            arms.beside.push(Data {
                manifest: manifest.clone(),
                session: session.beside(manifest)?,
                sets: BTreeMap::new(),
                skipped: Vec::new(),
                kept_as: BTreeMap::new(),
            });
        }
    }
    let mut last = None;
    for name in names(session) {
        let started = Instant::now();
        match embed_arm(session, &name, measure, &mut arms) {
            Ok(embedded) => {
                let seconds = (started.elapsed().as_secs_f64(), embedded.outcome.n_new);
                arms.seconds.insert(name, seconds);
                arms.embedded.push(embedded);
            }
            // It is about the tiles' files, whatever the backbone.
            Err(error) if asks_to_replace(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(backbone = name, %error, "left out");
                let reason = format!("{error}; {}", error.hint());
                arms.left_out.push(LeftOut { backbone: name, reason });
                last = Some(error);
            }
        }
    }
    for imported in &session.config.run.selection.imported {
        let name = imported.name.clone();
        match import_arm(session, imported, &mut arms) {
            Ok(embedded) => arms.embedded.push(embedded),
            Err(error) => {
                let reason = format!("{error}; {}", error.hint());
                arms.left_out.push(LeftOut { backbone: name, reason });
            }
        }
    }
    match last {
        Some(error) if arms.embedded.iter().all(is_control) => return Err(error),
        _ => {}
    }
    arms.skipped = Session::skipped(&arms.embedded);
    Ok(arms)
}

/// The run's backbones, then the controls that are not among them.
fn names(session: &Session) -> Vec<String> {
    let run = &session.config.run;
    let mut names = run.backbones.clone();
    if run.selection.controls {
        for control in [format!("{}-random", run.default_backbone), "colour-statistics".into()] {
            if !names.contains(&control) {
                names.push(control);
            }
        }
    }
    names
}

/// The card of a name; that of an untrained network is made from the trained one's where no file
/// has it.
fn card(session: &Session, name: &str) -> Result<Card> {
    let found = find_card(&session.config.configs, name);
    let trained = name.strip_suffix("-random").filter(|_| found.is_err());
    let Some(Ok(card)) = trained.map(|t| find_card(&session.config.configs, t)) else {
        return found;
    };
    Ok(Card {
        name: name.to_string(),
        summary: format!("{} with random weights; a control", card.name),
        training_sources: Vec::new(),
        weights: WeightsSource::Random { seed: 1 },
        ..card
    })
}

fn embed_arm(session: &Session, name: &str, measure: bool, arms: &mut Arms) -> Result<Embedded> {
    let card = card(session, name)?;
    allowed(session, &card.licence)?;
    let backbone = session.backbone_of(&card)?;
    let embedded = session.embed_with(backbone.as_ref(), None, None)?;
    for data in &mut arms.beside {
        let own = data.session.embed_with(backbone.as_ref(), None, None)?;
        let set = CandidateSet { set: own.outcome.fingerprint, bank: None };
        data.sets.insert(card.name.clone(), set);
        data.skipped.extend(own.outcome.skipped);
        data.kept_as.extend(own.outcome.kept_as);
    }
    if measure {
        arms.tiles_per_s.insert(name.to_string(), tiles_per_s(session, backbone.as_ref())?);
    }
    Ok(embedded)
}

fn allowed(session: &Session, licence: &eosin_core::Licence) -> Result<()> {
    let commercial = session.config.run.selection.licence == LicenceFilter::Commercial;
    if !commercial || licence.is_commercial() {
        return Ok(());
    }
    let found = match licence.allows {
        Use::NonCommercial => "for non-commercial use",
        Use::Research => "for research alone",
        _ => "for uses that nobody knows",
    };
    Err(Error::input(
        format!("licence {}", licence.name),
        "one that allows commercial use",
        found,
        "leave out --licence commercial to compare it all the same",
    ))
}

/// The network alone on real tiles: batches until half a second is over, after one to warm up.
fn tiles_per_s(session: &Session, backbone: &dyn Backbone) -> Result<f64> {
    let (source, px) = (session.source(), backbone.info().input_px);
    let filter: resample::Filter = backbone.info().resampling.parse()?;
    let mut batch = TileBatch::new(px);
    for index in 0..source.tiles().len() {
        if batch.n_tiles() == session.batch_size() {
            break;
        }
        // A tile that cannot be read was told when it was embedded.
        let Ok(tile) = source.read(index) else { continue };
        batch
            .push(Tile { image: resample::resize(&tile.image, px, px, filter), meta: tile.meta })?;
    }
    backbone.embed(&batch)?;
    let started = Instant::now();
    let mut n_tiles = 0;
    while n_tiles == 0 || started.elapsed().as_secs_f64() < MEASURED_SECONDS {
        backbone.embed(&batch)?;
        n_tiles += batch.n_tiles().max(1);
    }
    Ok(n_tiles as f64 / started.elapsed().as_secs_f64())
}

/// Puts another tool's array into the stores, under a contract that says where it is from.
fn import_arm(session: &Session, imported: &ImportedConfig, arms: &mut Arms) -> Result<Embedded> {
    allowed(session, &imported.licence)?;
    let folder = session.weights_folder().join(&imported.folder);
    let (contract, outcome) = import_into(session, imported, &folder)?;
    for data in &mut arms.beside {
        let (_, own) = import_into(&data.session, imported, &folder)?;
        let set = CandidateSet { set: own.fingerprint, bank: None };
        data.sets.insert(imported.name.clone(), set);
        data.kept_as.extend(own.kept_as);
    }
    let info = BackboneInfo {
        name: imported.name.clone(),
        family: "imported".into(),
        architecture: contract.architecture.clone(),
        weights_sha256: contract.weights_sha256.clone(),
        parameters: imported.parameters,
        input_px: contract.input_px,
        mean: contract.mean,
        std: contract.std,
        resampling: contract.resampling.clone(),
        pooling: contract.pooling.clone(),
        dim: contract.dim,
        precision: contract.precision.clone(),
        licence: imported.licence.clone(),
        training_sources: imported.training_sources.clone(),
        engine: "another tool".into(),
    };
    Ok(Embedded { info, contract, outcome })
}

fn import_into(
    session: &Session,
    imported: &ImportedConfig,
    folder: &Path,
) -> Result<(eosin_core::Contract, EmbedOutcome)> {
    let file = session.dataset.manifest().file();
    let path = folder.join(format!("{}.npy", manifest_name(&absolute(file))));
    let matrix = read_npy(&path)?;
    let tiles = session.tiles();
    if matrix.n_rows() != tiles.len() {
        return Err(Error::data(
            path,
            format!("{} rows, one per line of {}", tiles.len(), file.display()),
            matrix.n_rows().to_string(),
            "embed the manifest's tiles in their order",
        ));
    }
    // The digest of the numbers stands for that of the weights, which is not known.
    let digest =
        blake3::hash(&matrix.values().iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    let mut contract = imported_contract("npy", &imported.name, matrix.n_cols() as u32);
    contract.weights_sha256 = format!("values {}", &digest.to_hex()[..32]);
    let fingerprint = contract.fingerprint();
    // An array's rows belong to the lines of the manifest: they follow files that have changed.
    let committed = session.store().committed(&fingerprint)?;
    let (only, n_views, batch_size) = (None, 1, tiles.len());
    let todo = EmbedPlan::new(&Planned { tiles, only, n_views, batch_size, committed: &committed });
    let lines: Vec<usize> = todo.batches.iter().flatten().copied().collect();
    if !lines.is_empty() {
        let metas = lines.iter().map(|&i| tiles[i].clone()).collect();
        let views = vec![0; lines.len()];
        let batch = EmbeddingBatch::new(fingerprint.clone(), metas, views, matrix.select(&lines))?;
        let mut writer = session.store().superseding_writer(&contract, todo.superseded)?;
        writer.append(batch)?;
        writer.commit()?;
    }
    let outcome = EmbedOutcome {
        fingerprint,
        n_new: lines.len(),
        n_kept: todo.n_kept,
        n_unreadable: todo.kept_as.len(),
        n_replaced: todo.n_replaced,
        kept_as: todo.kept_as,
        skipped: Vec::new(),
        stats: EmbedStats::default(),
    };
    Ok((contract, outcome))
}

/// The digests under which arms have tiles that cannot be read.
pub(super) fn kept_as(embedded: &[Embedded]) -> BTreeMap<String, String> {
    embedded.iter().flat_map(|e| e.outcome.kept_as.clone()).collect()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The views of some of the run's tiles under every arm, for the invariance proxy.
pub(super) fn embed_views(
    session: &Session,
    arms: &Arms,
    data: Option<&Data>,
    tiles: &[String],
) -> Result<BTreeMap<String, CandidateSet>> {
    let views = session.views()?.unwrap_or_default();
    let only: BTreeSet<String> = tiles.iter().cloned().collect();
    let place = data.map_or(session, |d| &d.session);
    let mut sets = BTreeMap::new();
    for embedded in &arms.embedded {
        let name = &embedded.info.name;
        // What another tool embedded has no views.
        let Ok(card) = card(session, name) else { continue };
        let backbone = session.backbone_of(&card)?;
        let bank = place.embed_with(backbone.as_ref(), Some(&views), Some(&only))?;
        let set = match data {
            Some(data) => data.sets.get(name).map(|s| s.set.clone()),
            None => Some(embedded.outcome.fingerprint.clone()),
        };
        let Some(set) = set else { continue };
        let bank = Some((bank.outcome.fingerprint, views.n_stored()));
        sets.insert(name.clone(), CandidateSet { set, bank });
    }
    Ok(sets)
}

/// Which data a task's tiles are of.
pub(super) fn data_of<'b, 'a>(arms: &'b Arms<'a>, task: &TaskConfig) -> Option<&'b Data<'a>> {
    let manifest = task.manifest.as_ref()?;
    arms.beside.iter().find(|d| d.manifest == *manifest)
}
