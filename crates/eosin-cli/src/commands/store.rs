// SPDX-License-Identifier: MIT OR Apache-2.0

//! `eosin store`: what a store holds, whether it is sound, and ways in and out.

mod arguments;
mod export;
mod import;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use eosin::crates::core::{EmbeddingStore, Error, Fingerprint, SetSummary, TileMeta};
use eosin::crates::store::{ParquetStore, StoreOptions, tell_slides_apart};

pub use self::arguments::StoreArguments;
use self::arguments::{CompactArguments, GcArguments, SetArguments, StoreCommand};
use super::print_facts;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin store`.
pub fn store(arguments: &StoreArguments, bars: &Bars) -> Result<Outcome> {
    match &arguments.command {
        StoreCommand::Ls(at) => ls(&ParquetStore::open(&at.store)?),
        StoreCommand::Info(set) => info(set),
        StoreCommand::Verify(set) => verify(set, bars),
        StoreCommand::Compact(set) => compact(set),
        StoreCommand::Gc(arguments) => gc(arguments),
        StoreCommand::Export(arguments) => export::export(arguments),
        StoreCommand::Import(arguments) => import::import(arguments, bars),
    }
}

fn ls(store: &ParquetStore) -> Result<Outcome> {
    let mut table = table(&["set", "backbone", "rows", "dim", "shards", "MB", "commits", "view"]);
    for column in 2..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let sets = store.sets()?;
    for set in &sets {
        table.add_row([
            set.fingerprint.to_string(),
            set.contract.backbone.clone(),
            set.n_rows.to_string(),
            set.contract.dim.to_string(),
            set.n_shards.to_string(),
            megabytes(set.n_bytes),
            set.version.to_string(),
            set.contract.view.clone(),
        ]);
    }
    if sets.is_empty() {
        println!("no sets in {}", store.root().display());
    } else {
        println!("{table}");
    }
    Ok(Outcome::Done)
}

fn info(arguments: &SetArguments) -> Result<Outcome> {
    let store = ParquetStore::open(&arguments.at.store)?;
    for set in chosen(&store, arguments.set.as_deref())? {
        let contract = &set.contract;
        let (mut metas, _) = store.tiles(&set.fingerprint)?;
        let told_apart = slides_of_one_name(&mut metas);
        let count = |of: fn(&TileMeta) -> &str| {
            metas.iter().map(of).collect::<BTreeSet<_>>().len().to_string()
        };
        println!("set {}", set.fingerprint);
        let mut facts: Vec<(String, String)> = [
            ("rows", set.n_rows.to_string()),
            ("slides", count(|m| &m.slide)),
            ("patients", count(|m| &m.group)),
            ("shards", set.n_shards.to_string()),
            ("size", format!("{} MB", megabytes(set.n_bytes))),
            ("commits", set.version.to_string()),
            ("backbone", contract.backbone.clone()),
            ("weights", contract.weights_sha256.clone()),
            ("dim", contract.dim.to_string()),
            ("pooling", contract.pooling.clone()),
            ("precision", contract.precision.clone()),
            ("input", format!("{} px", contract.input_px)),
            ("mean", format!("{:?}", contract.mean)),
            ("std", format!("{:?}", contract.std)),
            ("resampling", contract.resampling.clone()),
            ("tile", contract.tile_um.map_or("unknown µm".into(), |um| format!("{um} µm"))),
            ("tile px", contract.tile_px.to_string()),
            ("mpp policy", contract.mpp_policy.clone()),
            ("reader", contract.reader.clone()),
            ("view", contract.view.clone()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_string(), value))
        .collect();
        facts.extend(contract.architecture.clone());
        facts.extend(told_apart);
        print_facts(&facts);
    }
    Ok(Outcome::Done)
}

/// Tells slides of one name apart, and names each of them with its file: the first tile's.
fn slides_of_one_name(metas: &mut [TileMeta]) -> Vec<(String, String)> {
    let before: Vec<String> = metas.iter().map(|meta| meta.slide.clone()).collect();
    tell_slides_apart(metas);
    let mut slides = BTreeMap::new();
    for (meta, before) in metas.iter().zip(before) {
        if meta.slide != before {
            slides.entry(format!("slide {}", meta.slide)).or_insert_with(|| meta.source.clone());
        }
    }
    slides.into_iter().collect()
}

fn verify(arguments: &SetArguments, bars: &Bars) -> Result<Outcome> {
    /// Rows with equal content that are named.
    const SHOWN: usize = 3;
    let store = ParquetStore::open(&arguments.at.store)?;
    let mut table = table(&["set", "rows", "shards", "commits", "equal rows", "found"]);
    let (mut problems, mut again) = (Vec::new(), Vec::new());
    for set in chosen(&store, arguments.set.as_deref())? {
        let report = store.verify(&set.fingerprint, bars)?;
        if let Some((key, _)) = report.committed_again.first() {
            again.push((set.fingerprint, report.committed_again.len(), key.tile_id.clone()));
        }
        table.add_row([
            report.set.to_string(),
            report.n_rows.to_string(),
            report.n_shards.to_string(),
            report.version.to_string(),
            report.same_content.len().to_string(),
            match report.problems.len() {
                0 => "sound".to_string(),
                n => format!("{n} problems"),
            },
        ]);
        for (first, other) in report.same_content.iter().take(SHOWN) {
            eprintln!("equal embeddings: tile {} and tile {}", first.tile_id, other.tile_id);
        }
        problems.extend(report.problems);
    }
    println!("{table}");
    for (set, n, tile) in &again {
        println!(
            "{n} rows of set {set} were committed again, as by two writers at once, such as tile \
             {tile}: both are sound, the later count, and `eosin store compact {set}` drops the \
             others"
        );
    }
    for problem in &problems {
        println!("{}: {}", problem.path.display(), problem.what);
    }
    let Some(first) = problems.first() else { return Ok(Outcome::Done) };
    Err(Error::data(
        &first.path,
        "a sound store",
        format!("{} problems, listed above", problems.len()),
        "restore the named files from a copy, or embed their tiles again",
    )
    .into())
}

fn compact(arguments: &CompactArguments) -> Result<Outcome> {
    let options = StoreOptions { cold: arguments.cold, ..StoreOptions::default() };
    let store = ParquetStore::open_with(&arguments.set.at.store, options)?;
    let mut table = table(&["set", "shards before", "after", "rows dropped"]);
    for set in chosen(&store, arguments.set.set.as_deref())? {
        let report = store.compact(&set.fingerprint)?;
        table.add_row([
            set.fingerprint.to_string(),
            report.shards_before.to_string(),
            report.shards_after.to_string(),
            report.rows_dropped.to_string(),
        ]);
    }
    println!("{table}");
    Ok(Outcome::Done)
}

fn gc(arguments: &GcArguments) -> Result<Outcome> {
    let store = ParquetStore::open(&arguments.set.at.store)?;
    let min_age = Duration::from_secs(arguments.min_age.saturating_mul(60));
    let mut table = table(&["set", "files removed", "MB"]);
    for set in chosen(&store, arguments.set.set.as_deref())? {
        let report = store.gc(&set.fingerprint, min_age)?;
        let (files, bytes) = (report.files.to_string(), megabytes(report.bytes));
        table.add_row([set.fingerprint.to_string(), files, bytes]);
    }
    println!("{table}");
    Ok(Outcome::Done)
}

/// All sets, or those that `wanted` names: a fingerprint's beginning or a backbone.
pub fn chosen(store: &ParquetStore, wanted: Option<&str>) -> Result<Vec<SetSummary>> {
    let sets = store.sets()?;
    let Some(wanted) = wanted else { return Ok(sets) };
    let found: Vec<SetSummary> = sets
        .iter()
        .filter(|s| s.fingerprint.as_str().starts_with(wanted) || s.contract.backbone == wanted)
        .cloned()
        .collect();
    if found.is_empty() {
        let known: Vec<String> =
            sets.iter().map(|s| format!("{} ({})", s.fingerprint, s.contract.backbone)).collect();
        return Err(Error::input(
            "set",
            if known.is_empty() { "a set; the store has none".into() } else { known.join(" or ") },
            wanted,
            "name a set by the beginning of its fingerprint or by its backbone",
        )
        .into());
    }
    Ok(found)
}

/// Exactly one set.
pub fn only(store: &ParquetStore, wanted: Option<&str>) -> Result<Fingerprint> {
    let found = chosen(store, wanted)?;
    if let [one] = &found[..] {
        return Ok(one.fingerprint.clone());
    }
    let known: Vec<String> =
        found.iter().map(|s| format!("{} ({})", s.fingerprint, s.contract.backbone)).collect();
    Err(Error::input(
        "set",
        if known.is_empty() { "a set; the store has none".into() } else { known.join(" or ") },
        wanted.unwrap_or("none"),
        "name one set by the beginning of its fingerprint",
    )
    .into())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header.iter().copied());
    table
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
