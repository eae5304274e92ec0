// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;
use std::time::Duration;

use eosin_core::{Error, Result};
use eosin_store::{Backing, Draft, Listing, MemoryBacking, ReadAt};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    CreateReplaces,
    CreateSaysItDid,
    LooksThenPuts,
    CutsWhatIsLarge,
    IgnoresOffset,
    EndsWithoutError,
    WrongLength,
    MissingIsAnError,
    MissingFolderIsAnError,
    ListsFilesBelow,
    ListsNeighbours,
    ListsBackwards,
    RemoveKeeps,
}

/// Files in memory, with a fault.
#[derive(Debug)]
pub struct Files {
    fault: Fault,
    files: MemoryBacking,
}

impl Files {
    pub fn new(fault: Fault) -> Self {
        Self { fault, files: MemoryBacking::new() }
    }

    fn bytes(&self, key: &str) -> Result<Vec<u8>> {
        self.files.read(key)?.ok_or_else(missing)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.files.publish(key, Draft::of_bytes(bytes.to_vec()))
    }
}

fn missing() -> Error {
    Error::io("read", "a file", std::io::ErrorKind::NotFound.into())
}

impl Backing for Files {
    fn name(&self) -> String {
        "test".into()
    }

    fn list(&self, folder: &str) -> Result<Listing> {
        let mut listing = self.files.list(folder)?;
        let is_missing = listing == Listing::default();
        match self.fault {
            Fault::MissingFolderIsAnError if is_missing => return Err(missing()),
            Fault::ListsFilesBelow => {
                for name in &listing.folders {
                    let below =
                        if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                    listing.files.extend(self.files.list(&below)?.files);
                }
            }
            // A prefix is no folder.
            Fault::ListsNeighbours if !folder.is_empty() => {
                for name in self.files.list("")?.folders {
                    if name.starts_with(folder) && name != folder {
                        listing.files.extend(self.files.list(&name)?.files);
                    }
                }
            }
            Fault::ListsBackwards => listing.files.reverse(),
            _ => {}
        }
        Ok(listing)
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>> {
        if self.fault == Fault::MissingIsAnError {
            self.bytes(key).map(Some)
        } else {
            self.files.read(key)
        }
    }

    fn open(&self, key: &str) -> Result<Option<Arc<dyn ReadAt>>> {
        let Some(bytes) = self.files.read(key)? else { return Ok(None) };
        Ok(Some(Arc::new(Part { fault: self.fault, bytes })))
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        match self.fault {
            Fault::CreateReplaces => {
                let created = self.files.read(key)?.is_none();
                self.put(key, bytes)?;
                Ok(created)
            }
            Fault::CreateSaysItDid => self.files.create(key, bytes).map(|_| true),
            Fault::LooksThenPuts => {
                if self.files.read(key)?.is_some() {
                    return Ok(false);
                }
                std::thread::sleep(Duration::from_millis(20));
                self.put(key, bytes).map(|()| true)
            }
            _ => self.files.create(key, bytes),
        }
    }

    fn publish(&self, key: &str, draft: Draft) -> Result<()> {
        let mut bytes = draft.into_bytes().map_err(|e| Error::io("write", key, e))?;
        if self.fault == Fault::CutsWhatIsLarge {
            bytes.truncate(8 << 20);
        }
        self.put(key, &bytes)
    }

    fn remove(&self, key: &str) -> Result<bool> {
        if self.fault == Fault::RemoveKeeps {
            return Ok(self.files.read(key)?.is_some());
        }
        self.files.remove(key)
    }
}

#[derive(Debug)]
struct Part {
    fault: Fault,
    bytes: Vec<u8>,
}

impl ReadAt for Part {
    fn n_bytes(&self) -> u64 {
        self.bytes.len() as u64 + u64::from(self.fault == Fault::WrongLength)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        let from = if self.fault == Fault::IgnoresOffset { 0 } else { offset as usize };
        match self.bytes.get(from..from + bytes.len()) {
            Some(found) => bytes.copy_from_slice(found),
            None if self.fault == Fault::EndsWithoutError => {}
            None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }
}
