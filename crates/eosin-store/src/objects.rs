// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eosin_core::{Error, Result};

/// What is told of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key, from the store's root on.
    pub key: String,
    /// Its bytes.
    pub bytes: u64,
    /// How long ago it was written.
    pub age: Duration,
}

/// A bucket, or something like one, that holds a store.
///
/// The caller names objects by keys with `/` between their parts.
/// The implementer makes an object visible whole or not at all, and of two callers of `create`
/// with one key lets exactly one succeed, also from two machines: commits stand on that.
pub trait Objects: Debug + Send + Sync {
    /// Puts an object unless there is one, and returns whether it did.
    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool>;
    /// Puts the bytes of a file, over an object of the same key.
    fn upload(&self, key: &str, file: &Path) -> Result<()>;
    /// An object's bytes; `None` where there is none.
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>>;
    /// Writes an object's bytes to `out` piece by piece; `false` where there is none.
    fn download(&self, key: &str, out: &mut dyn Write) -> Result<bool>;
    /// The objects whose keys begin with `prefix`, in the order of their keys.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>>;
    /// Removes an object, if there is one.
    fn remove(&self, key: &str) -> Result<()>;
    /// Where it is, for messages.
    fn name(&self) -> String;
}

/// A bucket in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryObjects {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryObjects {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> T {
        // The map is changed by single calls, so a panic elsewhere leaves it whole.
        act(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Objects for MemoryObjects {
    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        Ok(self.with(|objects| {
            let absent = !objects.contains_key(key);
            if absent {
                objects.insert(key.to_string(), bytes.to_vec());
            }
            absent
        }))
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let bytes = std::fs::read(file).map_err(|e| Error::io("read", file, e))?;
        self.with(|objects| objects.insert(key.to_string(), bytes));
        Ok(())
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.with(|objects| objects.get(key).cloned()))
    }

    fn download(&self, key: &str, out: &mut dyn Write) -> Result<bool> {
        let Some(bytes) = self.read(key)? else { return Ok(false) };
        out.write_all(&bytes).map_err(|e| Error::io("write", "the mirror", e))?;
        Ok(true)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let info = |(key, bytes): (&String, &Vec<u8>)| ObjectInfo {
            key: key.clone(),
            bytes: bytes.len() as u64,
            age: Duration::ZERO,
        };
        Ok(self.with(|objects| {
            objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(info).collect()
        }))
    }

    fn remove(&self, key: &str) -> Result<()> {
        self.with(|objects| objects.remove(key));
        Ok(())
    }

    fn name(&self) -> String {
        "memory".into()
    }
}
