// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::Path;

use eosin_core::{EmbeddingStore, Result, TileSource};
use eosin_head::load_head;
use eosin_store::ParquetStore;
use eosin_tile::{FolderSource, Manifest, Slide, SourceKind, detect_with};

use crate::registry::Registry;

/// What a path holds, as a heading and lines of name and value.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What it is.
    pub kind: &'static str,
    /// What is known of it.
    pub facts: Vec<(String, String)>,
}

/// Most values of a column that are counted one by one.
const MAX_VALUES: usize = 12;

/// Tells what a slide, manifest, folder of tiles, store or head holds.
pub fn inspect(path: &Path) -> Result<Inspection> {
    if is_store(path) {
        return store(path);
    }
    if path.extension().is_some_and(|e| e == "safetensors") {
        return head(path);
    }
    match detect_with(path, Registry::with_defaults().slide_readers())? {
        SourceKind::Manifest => manifest(path),
        SourceKind::Slide => slide(path),
        SourceKind::Folder => {
            let n = FolderSource::open(path)?.tiles().len();
            Ok(Inspection { kind: "folder of tiles", facts: vec![fact("tiles", n)] })
        }
    }
}

/// A store's folder has sets, each with a contract.
fn is_store(path: &Path) -> bool {
    std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.path().join("contract.json").is_file())
}

fn store(path: &Path) -> Result<Inspection> {
    let mut facts = Vec::new();
    for set in ParquetStore::open(path)?.sets()? {
        let contract = &set.contract;
        facts.push((
            set.fingerprint.to_string(),
            format!(
                "{} · {} rows × {} · {} shards · {:.1} MB · view {}",
                contract.backbone,
                set.n_rows,
                contract.dim,
                set.n_shards,
                set.n_bytes as f64 / 1e6,
                contract.view
            ),
        ));
    }
    Ok(Inspection { kind: "embedding store", facts })
}

fn head(path: &Path) -> Result<Inspection> {
    let file = load_head(path)?;
    let mut facts = vec![
        fact("kind", &file.record.kind),
        fact("classes", file.record.classes.join(", ")),
        fact("backbone", &file.contract.backbone),
        fact("contract", file.contract.fingerprint()),
        fact("penalty", file.penalty.map_or("none".into(), |p| p.to_string())),
        fact("threshold", file.threshold.map_or("most probable class".into(), |t| t.to_string())),
        fact("licence", &file.licence.name),
        fact("fitted on rows", &file.training_digest),
        fact("eosin", &file.eosin_version),
    ];
    facts.extend(file.metrics.iter().map(|(name, value)| fact(name, format!("{value:.4}"))));
    Ok(Inspection { kind: "head", facts })
}

fn manifest(path: &Path) -> Result<Inspection> {
    let manifest = Manifest::read(path)?;
    let missing = manifest.rows().iter().filter(|row| !manifest.resolve(row).is_file()).count();
    let mut facts = vec![fact("tiles", manifest.rows().len()), fact("missing files", missing)];
    for column in manifest.columns().iter().filter(|c| *c != "path") {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for row in manifest.rows() {
            *counts.entry(row.column(column).unwrap_or("(empty)")).or_default() += 1;
        }
        let value = if counts.len() <= MAX_VALUES {
            let each: Vec<String> = counts.iter().map(|(v, n)| format!("{v} {n}")).collect();
            each.join(", ")
        } else {
            format!("{} different values", counts.len())
        };
        facts.push((format!("column {column}"), value));
    }
    Ok(Inspection { kind: "manifest", facts })
}

fn slide(path: &Path) -> Result<Inspection> {
    // Nothing is decoded here, so no memory for pieces is needed.
    let slide = Slide::open_with(path, "auto", Registry::with_defaults().slide_readers(), 0)?;
    let mpp = match (slide.mpp(), slide.unequal_spacing()) {
        (Some(mpp), _) => format!("{} µm/px", mpp.get()),
        (None, Some([x, y])) => format!("{x} × {y} µm/px, not square; give --mpp or --mpp-csv"),
        (None, None) => "unknown; give --mpp or --mpp-csv".into(),
    };
    let mut facts = vec![
        fact("format", slide.format().name()),
        fact("reader", format!("{} {}", slide.reader(), slide.reader_version())),
        fact("resolution", mpp),
        fact("ICC profile", if slide.icc_profile().is_some() { "yes" } else { "no" }),
    ];
    for (i, level) in slide.levels().iter().enumerate() {
        let text =
            format!("{} × {} px, downsample {:.3}", level.width, level.height, level.downsample);
        facts.push((format!("level {i}"), text));
    }
    let associated: Vec<&str> = slide.associated().iter().map(|a| a.name.as_str()).collect();
    facts.push(fact("associated images", associated.join(", ")));
    Ok(Inspection { kind: "slide", facts })
}

fn fact(name: impl Into<String>, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}
