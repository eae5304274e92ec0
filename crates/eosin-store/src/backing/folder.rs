// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use eosin_core::{Error, Result};

use super::read_at::FileAt;
use super::{Backing, Draft, FileInfo, Guard, Listing, LockPurpose, ReadAt, digest_of};
use crate::durable::{create_folder, create_if_absent, create_temporary, place, sync_folder};
use crate::set_lock;

/// A store's files in a folder on the disk, for any number of processes at once.
///
/// A file gets its name by a hard link, or by a rename that does not replace where there are no
/// hard links, and is synced before with its folder after.
#[derive(Clone, Debug)]
pub struct FolderBacking {
    root: PathBuf,
}

impl FolderBacking {
    /// A store in `root`, which is made at the first commit.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        if root.exists() && !root.is_dir() {
            return Err(Error::input(
                "embedding store",
                "a folder, or a path where one can be made",
                root.display().to_string(),
                "name the folder that holds the sets, not a file in it",
            ));
        }
        Ok(Self { root })
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        key.split('/').filter(|part| !part.is_empty()).fold(self.root.clone(), |p, k| p.join(k))
    }

    /// The path of a file and its folder, which is there from now on.
    fn path_to_make(&self, key: &str) -> Result<(PathBuf, PathBuf)> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        create_folder(&folder)?;
        Ok((path, folder))
    }
}

impl Backing for FolderBacking {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self, folder: &str) -> Result<Listing> {
        let path = self.path(folder);
        let mut listing = Listing::default();
        let items = match fs::read_dir(&path) {
            Ok(items) => items,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(listing),
            Err(e) => return Err(Error::io("list", path, e)),
        };
        for item in items {
            let item = item.map_err(|e| Error::io("list", &path, e))?;
            // No file of a store has a name that is no text.
            let Some(name) = item.file_name().to_str().map(ToString::to_string) else { continue };
            let metadata = fs::metadata(item.path());
            if metadata.as_ref().is_ok_and(fs::Metadata::is_dir) {
                listing.folders.push(name);
                continue;
            }
            let age = |m: &fs::Metadata| SystemTime::now().duration_since(m.modified().ok()?).ok();
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            listing.files.push(FileInfo {
                key,
                n_bytes: metadata.as_ref().map_or(0, fs::Metadata::len),
                age: metadata.ok().as_ref().and_then(age).unwrap_or(Duration::ZERO),
            });
        }
        listing.files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        listing.folders.sort_unstable();
        Ok(listing)
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(key);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path, e)),
        }
    }

    fn open(&self, key: &str) -> Result<Option<Arc<dyn ReadAt>>> {
        let path = self.path(key);
        match File::open(&path).and_then(FileAt::new) {
            Ok(file) => Ok(Some(Arc::new(file))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path, e)),
        }
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        let (path, _) = self.path_to_make(key)?;
        // Whoever is first from here on is found out by the link.
        if path.exists() { Ok(false) } else { create_if_absent(&path, bytes) }
    }

    fn publish(&self, key: &str, mut draft: Draft) -> Result<()> {
        let (path, folder) = self.path_to_make(key)?;
        let placed = if let Some(temporary) = draft.path() {
            place(temporary, &path)?
        } else {
            let (temporary, mut file) = create_temporary(&folder)?;
            let copied = draft
                .reader()
                .and_then(|mut from| std::io::copy(&mut from, &mut file))
                .and_then(|_| file.sync_all());
            if let Err(e) = copied {
                let _ = fs::remove_file(&temporary);
                return Err(Error::io("write", temporary, e));
            }
            place(&temporary, &path)?
        };
        if !placed {
            use_existing(&path, draft.blake3())?;
        }
        sync_folder(&folder)
    }

    fn remove(&self, key: &str) -> Result<bool> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("remove", path, e)),
        }
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn place(&self, key: &str) -> PathBuf {
        self.path(key)
    }

    fn lock(&self, set: &str, purpose: LockPurpose) -> Result<Guard> {
        let folder = self.path(set);
        create_folder(&folder)?;
        let held = set_lock::acquire(&folder.join(set_lock::NAME), purpose)?;
        Ok(held.map_or_else(Guard::none, Guard::holding))
    }
}

/// Makes sure that the file at `path` has the content that its name says, and is young.
fn use_existing(path: &Path, blake3: &str) -> Result<()> {
    let digest = File::open(path).and_then(FileAt::new).and_then(|file| digest_of(&file));
    let found = digest.map_err(|e| Error::io("read", path, e))?;
    if found != blake3 {
        return Err(Error::data(
            path,
            format!("a shard with the BLAKE3 {blake3}, as its name says"),
            format!("the BLAKE3 {found}"),
            "the file is damaged; remove it, then run again",
        ));
    }
    // Where locks do not work, its age alone keeps it from a sweep. A file that is not ours to
    // date is as it was.
    let _ = File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()));
    Ok(())
}
