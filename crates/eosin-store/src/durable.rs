// SPDX-License-Identifier: MIT OR Apache-2.0

//! The file operations of a commit: what they leave behind survives a crash, or is not there.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use eosin_core::{Error, Result};

/// Prefix of files that no reader looks at.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// A name in `folder` that no other writer uses.
///
/// The process and a count tell writers apart; `create_new` at the caller settles what is left,
/// such as two machines on one network disk.
pub(crate) fn temporary_path(folder: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{TEMPORARY}{}-{count}", std::process::id()))
}

/// Opens a new temporary file in `folder`.
pub(crate) fn create_temporary(folder: &Path) -> Result<(PathBuf, File)> {
    loop {
        let path = temporary_path(folder);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io("create", &path, e)),
        }
    }
}

/// Makes a folder and its parents, durably.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_folder(parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        // Another writer was first.
        Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(Error::io("create", path, e)),
    }
}

/// Makes the names in a folder survive a crash.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // Only Unix opens folders; elsewhere the file system orders renames itself.
    if cfg!(unix) {
        File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::io("sync", path, e))?;
    }
    Ok(())
}

/// Puts `bytes` at `path` whole and durably, unless something is there already.
///
/// Returns whether it was put. A hard link is used because, unlike a rename, it never overwrites.
pub(crate) fn create_if_absent(path: &Path, bytes: &[u8]) -> Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (temporary, mut file) = create_temporary(folder)?;
    let linked = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&temporary, path));
    drop(file);
    // A leftover temporary is harmless and swept by gc, so a refusal here is no failure.
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_folder(folder).map(|()| true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(Error::io("commit", path, e)),
    }
}
