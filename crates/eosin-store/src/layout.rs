// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where things lie in a store; the drawing is in the crate's documentation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::Fingerprint;

use crate::objects::Objects;

/// Version of the layout on disk, in every log entry and shard.
pub(crate) const FORMAT: u32 = 2;

/// The paths of one set.
#[derive(Clone, Debug)]
pub(crate) struct SetPaths {
    folder: PathBuf,
    /// Where the set truly is, if the folder only mirrors it.
    bucket: Option<Arc<dyn Objects>>,
}

impl SetPaths {
    pub(crate) fn new(root: &Path, bucket: Option<&Arc<dyn Objects>>, set: &Fingerprint) -> Self {
        Self { folder: root.join(set.as_str()), bucket: bucket.cloned() }
    }

    pub(crate) fn bucket(&self) -> Option<&dyn Objects> {
        self.bucket.as_deref()
    }

    /// The key of a file of the set, which is its path from the store's root on.
    pub(crate) fn key(&self, path: &Path) -> String {
        let root = self.folder.parent().unwrap_or(Path::new(""));
        let path = path.strip_prefix(root).unwrap_or(path);
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn contract(&self) -> PathBuf {
        self.folder.join("contract.json")
    }

    pub(crate) fn shards(&self) -> PathBuf {
        self.folder.join("shards")
    }

    pub(crate) fn shard(&self, name: &str) -> PathBuf {
        self.shards().join(format!("{name}.parquet"))
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("_log")
    }

    /// The file whose lock keeps commits and sweeps apart.
    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join(".lock")
    }

    pub(crate) fn entry(&self, version: u64) -> PathBuf {
        self.log().join(format!("{version:020}.json"))
    }
}
