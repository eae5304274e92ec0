// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use eosin_backbone::WeightMap;
use eosin_core::{EmbeddingStore, Error, Result, SlideReader, TileSource};
use eosin_head::{HeadFile, METADATA_KEY, load_head};
use eosin_store::ParquetStore;
use eosin_tile::{FolderSource, Manifest, Slide, SourceKind, detect_with};
use sha2::{Digest, Sha256};

use crate::inspect_annotations::{AnnotationView, inspect_annotations, is_annotations};
use eosin_session::input::opener_of;
use eosin_session::{Registry, RegistryExt};

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

/// Most tensors that are named.
const MAX_TENSORS: usize = 8;

/// Bytes at the beginning of a safetensors file in which a head speaks of itself.
const HEADER: u64 = 1 << 20;

/// Tells what a slide, file of annotations, manifest, folder of tiles, store, head or weights file
/// holds.
pub fn inspect(path: &Path, registry: &Registry) -> Result<Inspection> {
    if is_store(path) {
        return store(path);
    }
    if is_annotations(path, registry) {
        return inspect_annotations(path, &AnnotationView::default(), registry);
    }
    match path.extension().and_then(|e| e.to_str()) {
        // A head and weights are of one format; what tells them apart is what a head says of itself.
        Some("safetensors") => {
            return match load_head(path) {
                Ok(file) => Ok(head(&file)),
                Err(error @ Error::Environment { .. }) => Err(error),
                Err(error) if says_head(path) => Err(error),
                Err(_) => weights(path),
            };
        }
        Some("pth" | "pt" | "bin" | "json") => return weights(path),
        Some("onnx") => return onnx(path),
        _ => {}
    }
    if let Some(opener) = opener_of(path, registry) {
        return Ok(tiles(opener.open(path)?.as_ref()));
    }
    let readers = registry.readers();
    match detect_with(path, &readers)? {
        SourceKind::Manifest => manifest(path),
        SourceKind::Slide => slide(path, &readers),
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

/// Whether the header of a safetensors file has the key of a head's metadata, sound or not.
fn says_head(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(HEADER).read_to_end(&mut start));
    let key = format!("\"{METADATA_KEY}\"");
    read.is_ok() && start.windows(key.len()).any(|window| window == key.as_bytes())
}

fn weights(path: &Path) -> Result<Inspection> {
    let (tensors, digest) = WeightMap::read(path)?;
    let mut facts = vec![
        fact("tensors", tensors.iter().len()),
        fact("values", tensors.n_values()),
        fact("SHA-256", digest),
    ];
    for (name, tensor) in tensors.iter().take(MAX_TENSORS) {
        let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
        facts.push(fact(name, if shape.is_empty() { "scalar".into() } else { shape.join(" × ") }));
    }
    if let Some(more) = tensors.iter().len().checked_sub(MAX_TENSORS).filter(|more| *more > 0) {
        facts.push(fact("and", format!("{more} more; `eosin backbone check` compares them all")));
    }
    Ok(Inspection { kind: "weights", facts })
}

/// The graph in it is read by onnxruntime alone, which opens it when it is used.
fn onnx(path: &Path) -> Result<Inspection> {
    let file = std::fs::File::open(path).map_err(|e| Error::io("read", path, e))?;
    let mut hasher = Sha256::default();
    let n_bytes = std::io::copy(&mut std::io::BufReader::new(file), &mut hasher)
        .map_err(|e| Error::io("read", path, e))?;
    let facts = vec![
        fact("bytes", n_bytes),
        fact("SHA-256", format!("{:x}", hasher.finalize())),
        fact("try it with", "eosin doctor CARD --engine onnx --weights FILE"),
    ];
    Ok(Inspection { kind: "weights as an ONNX network", facts })
}

fn head(file: &HeadFile) -> Inspection {
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
    Inspection { kind: "head", facts }
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

fn tiles(source: &dyn TileSource) -> Inspection {
    let reader = format!("{} {}", source.kind(), source.reader_version());
    let facts = vec![fact("reader", reader), fact("tiles", source.tiles().len())];
    Inspection { kind: "source of tiles", facts }
}

fn slide(path: &Path, readers: &[Arc<dyn SlideReader>]) -> Result<Inspection> {
    // Nothing is decoded here, so no memory for pieces is needed.
    let slide = Slide::open_with(path, "auto", readers, 0)?;
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

pub(crate) fn fact(name: impl Into<String>, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}
