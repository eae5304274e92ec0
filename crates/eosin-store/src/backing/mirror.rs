// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::{Error, Result};

use super::read_at::for_each_piece;
use super::{Backing, Draft, FolderBacking, Guard, Listing, LockPurpose, ReadAt};
use crate::durable::{create_folder, create_temporary, place};

/// Bytes that are asked for at a time.
const PIECE: u64 = 8 << 20;

/// Files whose truth is elsewhere, as in a bucket, with a folder that mirrors what was needed so
/// far and may be deleted at any time.
///
/// What is committed counts once it is there. Published files are named by their content and log
/// entries never change, so whatever the mirror has is right, and only what it lacks is fetched.
#[derive(Debug)]
pub struct MirrorBacking {
    far: Arc<dyn Backing>,
    near: FolderBacking,
}

impl MirrorBacking {
    /// The files of `far`, mirrored in the folder `near`.
    pub fn new(far: Arc<dyn Backing>, near: impl Into<PathBuf>) -> Result<Self> {
        Ok(Self { far, near: FolderBacking::new(near)? })
    }

    /// Writes a far file to a new one, and gives it its name if its digest is right.
    fn copy(&self, key: &str, from: &dyn ReadAt, blake3: &str) -> Result<()> {
        let path = self.near.path(key);
        let folder = path.parent().unwrap_or(Path::new("."));
        create_folder(folder)?;
        let (temporary, mut file) = create_temporary(folder)?;
        let mut hasher = blake3::Hasher::new();
        let copied = for_each_piece(from, PIECE, |piece| {
            hasher.update(piece);
            file.write_all(piece)
        });
        let placed = copied.map_err(|e| Error::io("read", self.far.place(key), e)).and_then(|()| {
            let found = hasher.finalize().to_hex();
            if found.as_str() != blake3 {
                return Err(self.damaged(key, blake3, format!("the BLAKE3 {found}")));
            }
            file.sync_all().map_err(|e| Error::io("write", &temporary, e))?;
            // Whoever was first fetched the same bytes.
            place(&temporary, &path).map(|_| ())
        });
        if placed.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        placed
    }

    fn damaged(&self, key: &str, blake3: &str, found: String) -> Error {
        Error::data(
            self.far.place(key),
            format!("a shard with the BLAKE3 {blake3}"),
            found,
            "restore the object from a copy, or embed its tiles again",
        )
    }
}

impl Backing for MirrorBacking {
    fn name(&self) -> String {
        self.far.name()
    }

    fn list(&self, folder: &str) -> Result<Listing> {
        self.far.list(folder)
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.near.read(key)? {
            return Ok(Some(bytes));
        }
        let bytes = self.far.read(key)?;
        if let Some(bytes) = &bytes {
            self.near.create(key, bytes)?;
        }
        Ok(bytes)
    }

    fn open(&self, key: &str) -> Result<Option<Arc<dyn ReadAt>>> {
        match self.near.open(key)? {
            Some(file) => Ok(Some(file)),
            None => self.far.open(key),
        }
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        let created = self.far.create(key, bytes)?;
        if created {
            // It is decided; another process may have fetched the file already.
            self.near.create(key, bytes)?;
        }
        Ok(created)
    }

    fn publish(&self, key: &str, draft: Draft) -> Result<()> {
        let blake3 = draft.blake3().to_string();
        self.near.publish(key, draft)?;
        let path = self.near.path(key);
        let file = File::open(&path).map_err(|e| Error::io("read", path, e))?;
        self.far.publish(key, Draft::of_file(file, blake3))
    }

    fn remove(&self, key: &str) -> Result<bool> {
        self.near.remove(key)?;
        self.far.remove(key)
    }

    fn folder(&self) -> Option<&Path> {
        self.near.folder()
    }

    fn place(&self, key: &str) -> PathBuf {
        self.near.place(key)
    }

    fn fetch(&self, key: &str, blake3: &str) -> Result<()> {
        if self.near.path(key).exists() {
            return Ok(());
        }
        match self.far.open(key)? {
            Some(file) => self.copy(key, file.as_ref(), blake3),
            None => Err(self.damaged(key, blake3, "nothing".into())),
        }
    }

    fn lock(&self, set: &str, purpose: LockPurpose) -> Result<Guard> {
        self.near.lock(set, purpose)
    }

    fn near(&self) -> Option<&dyn Backing> {
        Some(&self.near)
    }
}
