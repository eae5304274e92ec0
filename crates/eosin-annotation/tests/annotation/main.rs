// SPDX-License-Identifier: MIT OR Apache-2.0

//! Formats, areas and labels against files that shapely's results stand in.

mod formats;
mod geometry;
mod labels;
mod refusals;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_annotation::{AnnotationSet, ReadOptions, read_annotations};
use eosin_core::{AnnotationFormat, Kinds, Registry, Result};

/// A file of `tests/golden/annotation`.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/annotation").join(name)
}

/// What a JSON file of `tests/golden/annotation` holds.
fn golden_json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

/// The formats of the crate.
fn formats() -> Kinds<Arc<dyn AnnotationFormat>> {
    let mut registry = Registry::default();
    eosin_annotation::register(&mut registry);
    registry.annotations
}

/// Reads a file with the usual limits.
fn read(path: impl AsRef<Path>) -> Result<AnnotationSet> {
    read_annotations(path, &formats(), &ReadOptions::default())
}

/// Reads a text as a file of this name.
fn read_text(name: &str, text: &str) -> Result<AnnotationSet> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    read(path)
}

/// Panics where two numbers differ by more.
#[track_caller]
fn close_to(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "expected {expected}, found {found}");
}
