// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where things lie in a store; the drawing is in the crate's documentation.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use eosin_core::{Error, Fingerprint, Result};

use crate::backing::{Backing, ReadAt};

/// Version of the layout on disk, in every log entry and shard.
pub(crate) const FORMAT: u32 = 2;

/// The files of one set.
#[derive(Clone, Debug)]
pub(crate) struct SetFiles {
    backing: Arc<dyn Backing>,
    set: String,
}

impl SetFiles {
    pub(crate) fn new(backing: Arc<dyn Backing>, set: &Fingerprint) -> Self {
        Self { backing, set: set.to_string() }
    }

    pub(crate) fn backing(&self) -> &dyn Backing {
        self.backing.as_ref()
    }

    /// A file's bytes; one that is not there is an error.
    pub(crate) fn read(&self, key: &str) -> Result<Vec<u8>> {
        self.backing.read(key)?.ok_or_else(|| self.missing(key))
    }

    /// Opens a file; one that is not there is an error.
    pub(crate) fn open(&self, key: &str) -> Result<Arc<dyn ReadAt>> {
        self.backing.open(key)?.ok_or_else(|| self.missing(key))
    }

    fn missing(&self, key: &str) -> Error {
        Error::io("read", self.place(key), ErrorKind::NotFound.into())
    }

    /// Where a file is, for messages.
    pub(crate) fn place(&self, key: &str) -> PathBuf {
        self.backing.place(key)
    }

    /// The set's folder, which is its fingerprint.
    pub(crate) fn set(&self) -> &str {
        &self.set
    }

    pub(crate) fn contract(&self) -> String {
        format!("{}/contract.json", self.set)
    }

    pub(crate) fn shards(&self) -> String {
        format!("{}/shards", self.set)
    }

    pub(crate) fn shard(&self, name: &str) -> String {
        format!("{}/{name}.parquet", self.shards())
    }

    pub(crate) fn cache(&self) -> String {
        format!("{}/cache", self.set)
    }

    pub(crate) fn log(&self) -> String {
        format!("{}/_log", self.set)
    }

    pub(crate) fn entry(&self, version: u64) -> String {
        format!("{}/{version:020}.json", self.log())
    }
}
