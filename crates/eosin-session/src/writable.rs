// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a place can be written in, and files that appear whole.

use std::io::ErrorKind;
use std::path::Path;

use eosin_core::{Error, Result};

/// Refuses a folder in which nothing can be written, whether it is there yet or would be made.
///
/// What says so for sure is a file: an empty one is made in the folder, or in the one above in
/// which it would be made, and removed at once.
pub fn require_writable(folder: &Path) -> Result<()> {
    let absolute = std::path::absolute(folder).map_err(|e| Error::io("write", folder, e))?;
    let Some(there) = absolute.ancestors().find(|path| path.exists() || path.is_symlink()) else {
        return Ok(());
    };
    if !there.is_dir() {
        return Err(Error::io("write in", there, ErrorKind::NotADirectory.into()));
    }
    let made = tempfile::Builder::new().prefix(".eosin-").tempfile_in(there);
    made.and_then(tempfile::NamedTempFile::close).map_err(|e| Error::io("write in", there, e))
}

/// Refuses a file that cannot be written; its folder must be there, since nobody would make it.
pub fn require_writable_file(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.exists() {
        return Err(Error::io("write", file, ErrorKind::NotFound.into()));
    }
    if file.is_dir() {
        return Err(Error::io("write", file, ErrorKind::IsADirectory.into()));
    }
    require_writable(folder)
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text).map_err(|e| Error::io("write", &partial, e))?;
    std::fs::rename(&partial, path).map_err(|e| Error::io("write", path, e))
}
