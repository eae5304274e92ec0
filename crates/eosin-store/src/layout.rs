// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where things lie in a store; the drawing is in the crate's documentation.

use std::path::{Path, PathBuf};

use eosin_core::Fingerprint;

/// Version of the layout on disk, in every log entry and shard.
pub(crate) const FORMAT: u32 = 1;

/// The paths of one set.
#[derive(Clone, Debug)]
pub(crate) struct SetPaths {
    folder: PathBuf,
}

impl SetPaths {
    pub(crate) fn new(root: &Path, set: &Fingerprint) -> Self {
        Self { folder: root.join(set.as_str()) }
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

    pub(crate) fn entry(&self, version: u64) -> PathBuf {
        self.log().join(format!("{version:020}.json"))
    }
}
