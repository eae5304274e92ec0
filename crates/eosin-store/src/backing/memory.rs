// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use eosin_core::{Error, Result};

use super::{Backing, BytesAt, Draft, FileInfo, Listing, ReadAt};

/// A store's files in memory: they end with the process.
#[derive(Debug, Default)]
pub struct MemoryBacking {
    files: Mutex<BTreeMap<String, MemoryFile>>,
}

#[derive(Debug)]
struct MemoryFile {
    bytes: Arc<Vec<u8>>,
    written: Instant,
}

impl MemoryBacking {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, MemoryFile>) -> T) -> T {
        // The map is changed by single calls, so a panic elsewhere leaves it whole.
        act(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn bytes(&self, key: &str) -> Option<Arc<Vec<u8>>> {
        self.with(|files| files.get(key).map(|file| file.bytes.clone()))
    }

    fn put(files: &mut BTreeMap<String, MemoryFile>, key: &str, bytes: Vec<u8>) {
        let file = MemoryFile { bytes: Arc::new(bytes), written: Instant::now() };
        files.insert(key.to_string(), file);
    }
}

impl Backing for MemoryBacking {
    fn name(&self) -> String {
        "memory".into()
    }

    fn list(&self, folder: &str) -> Result<Listing> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(self.with(|files| {
            let (mut found, mut folders) = (Vec::new(), BTreeSet::new());
            for (key, file) in files.iter() {
                let Some(rest) = key.strip_prefix(&prefix) else { continue };
                if let Some((name, _)) = rest.split_once('/') {
                    folders.insert(name.to_string());
                    continue;
                }
                let n_bytes = file.bytes.len() as u64;
                let age = file.written.elapsed();
                found.push(FileInfo { key: key.clone(), n_bytes, age });
            }
            Listing { files: found, folders: folders.into_iter().collect() }
        }))
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.bytes(key).map(|bytes| bytes.to_vec()))
    }

    fn open(&self, key: &str) -> Result<Option<Arc<dyn ReadAt>>> {
        Ok(self.bytes(key).map(|bytes| Arc::new(BytesAt::new(bytes)) as Arc<dyn ReadAt>))
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        Ok(self.with(|files| {
            let absent = !files.contains_key(key);
            if absent {
                Self::put(files, key, bytes.to_vec());
            }
            absent
        }))
    }

    fn publish(&self, key: &str, draft: Draft) -> Result<()> {
        let bytes = draft.into_bytes().map_err(|e| Error::io("write", self.place(key), e))?;
        self.with(|files| Self::put(files, key, bytes));
        Ok(())
    }

    fn remove(&self, key: &str) -> Result<bool> {
        Ok(self.with(|files| files.remove(key).is_some()))
    }
}
