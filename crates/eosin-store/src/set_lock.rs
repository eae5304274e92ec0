// SPDX-License-Identifier: MIT OR Apache-2.0

//! The lock that keeps commits of a set and its sweep apart.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use eosin_core::{Error, Result};

use crate::layout::SetPaths;

/// How long to wait for the others, who hold the lock for a few file operations only.
const PATIENCE: Duration = Duration::from_mins(2);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// A lock on a set, held until it is dropped; the system lets it go when the process ends.
///
/// Without it, a commit could find a shard of its own content left by a writer that was cut off,
/// and `gc` could take the file away between that and the commit's entry.
/// Where the file system has no locks there is none, and age alone keeps young files.
#[derive(Debug)]
pub(crate) struct SetLock {
    _file: Option<File>,
}

impl SetLock {
    /// Any number of commits hold it at once.
    pub(crate) fn to_commit(set: &SetPaths) -> Result<Self> {
        acquire(set, File::try_lock_shared)
    }

    /// Nobody else holds it.
    pub(crate) fn to_sweep(set: &SetPaths) -> Result<Self> {
        acquire(set, File::try_lock)
    }
}

fn acquire(set: &SetPaths, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<SetLock> {
    let path = set.lock();
    let file = open(&path).map_err(|e| Error::io("lock", &path, e))?;
    let started = Instant::now();
    loop {
        match lock(&file) {
            Ok(()) => return Ok(SetLock { _file: Some(file) }),
            Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => return Err(held(&path)),
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Interrupted => {}
            Err(TryLockError::Error(e)) => {
                tracing::debug!(path = %path.display(), reason = %e, "no locks here");
                return Ok(SetLock { _file: None });
            }
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    // Writing access, since locks over a network ask for it; nothing is ever written.
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

fn held(path: &Path) -> Error {
    Error::Environment {
        action: "lock",
        path: path.to_owned(),
        source: std::io::Error::new(
            ErrorKind::WouldBlock,
            "another process commits to this set or sweeps it, and does not end",
        ),
        hint: "look for an eosin process that hangs or is stopped, then run again".into(),
    }
}
