// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use eosin_core::{Error, Result, irregularity};

use crate::names;

/// A folder in the layout of the hub's Python client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// What is read of a note of a commit, which is 40 digits.
const MAX_COMMIT_BYTES: u64 = 1000;

/// A repository's part of the cache.
pub struct RepoCache {
    folder: PathBuf,
    locks: PathBuf,
}

impl Cache {
    /// The cache in a folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// A file that was fetched before, by the commit that the revision last was; names that are
    /// none are not there.
    pub fn find(&self, repo: &str, revision: &str, file: &str) -> Option<PathBuf> {
        names::check(repo, revision, file).ok()?;
        let repo = self.repo(repo);
        let path = repo.snapshot(&repo.commit(revision)?, file);
        path.is_file().then_some(path)
    }

    pub(crate) fn repo(&self, repo: &str) -> RepoCache {
        let name = format!("models--{}", repo.replace('/', "--"));
        RepoCache { locks: self.folder.join(".locks").join(&name), folder: self.folder.join(name) }
    }
}

impl RepoCache {
    /// The commit that a revision was when it was last asked for; a commit is itself.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if self.folder.join("snapshots").join(revision).is_dir() {
            return Some(revision.to_string());
        }
        let file = open_regular(&self.folder.join("refs").join(revision)).ok()?;
        let mut commit = String::new();
        file.take(MAX_COMMIT_BYTES).read_to_string(&mut commit).ok()?;
        let commit = commit.trim();
        names::is_plain(commit).then(|| commit.to_string())
    }

    /// Notes which commit a revision is.
    pub fn set_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        create_parent(&path)?;
        std::fs::write(&path, commit).map_err(|e| Error::io("write", &path, e))
    }

    /// Where a file of a commit is, or would be.
    pub fn snapshot(&self, commit: &str, file: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit).join(file)
    }

    /// Where the bytes of an etag are, or would be.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// Where bytes of an etag gather.
    pub fn incomplete(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// Waits until no other process writes this etag; the lock lasts as long as the file is open.
    pub fn lock(&self, etag: &str) -> Result<File> {
        let path = self.locks.join(format!("{etag}.lock"));
        create_parent(&path)?;
        let file = File::create(&path).map_err(|e| Error::io("write", &path, e))?;
        file.lock().map_err(|e| Error::io("lock", &path, e))?;
        Ok(file)
    }

    /// Gives a blob its name in a commit: by a relative link, or by a copy where the file system
    /// has none.
    pub fn link(&self, etag: &str, commit: &str, file: &str) -> Result<PathBuf> {
        let path = self.snapshot(commit, file);
        create_parent(&path)?;
        let up = "../".repeat(2 + file.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{etag}"));
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("replace", &path, e));
            }
            _ => {}
        }
        if symlink(&target, &path).is_err() {
            let blob = self.blob(etag);
            std::fs::copy(&blob, &path).map_err(|e| Error::io("write", &path, e))?;
        }
        Ok(path)
    }
}

/// Opens a file of the cache, which is no pipe that would wait for its writer and no device that
/// never ends.
pub fn open_regular(path: &Path) -> Result<File> {
    let failed = |e| Error::io("read", path, e);
    let check = |metadata: &Metadata| match irregularity(metadata) {
        None => Ok(()),
        Some(found) => {
            let hint = "remove it and fetch again";
            Err(Error::data(path, "a regular file of the cache", found, hint))
        }
    };
    check(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    check(&file.metadata().map_err(failed)?)?;
    Ok(file)
}

/// Makes the folder of a file.
pub fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(parent).map_err(|e| Error::io("create", parent, e))
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn symlink(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_target: &Path, _path: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
