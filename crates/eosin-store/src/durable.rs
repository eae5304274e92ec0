// SPDX-License-Identifier: MIT OR Apache-2.0

//! The file operations of a commit: what they leave behind survives a crash, or is not there.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use eosin_core::{Error, Result};

/// Prefix of files that no reader looks at.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Opens a new temporary file in `folder`, under a name that no other writer uses.
///
/// The name is drawn by the operating system: two containers on one disk often have the same
/// process ids. Nothing of it enters any file's content.
pub(crate) fn create_temporary(folder: &Path) -> Result<(PathBuf, File)> {
    loop {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| Error::io("draw a name in", folder, e.into()))?;
        let mut name = TEMPORARY.to_string();
        for byte in random {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        let path = folder.join(name);
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
/// Returns whether it was put.
pub(crate) fn create_if_absent(path: &Path, bytes: &[u8]) -> Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (temporary, mut file) = create_temporary(folder)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    if let Err(e) = written {
        let _ = fs::remove_file(&temporary);
        return Err(Error::io("commit", path, e));
    }
    let placed = place(&temporary, path)?;
    if placed {
        sync_folder(folder)?;
    }
    Ok(placed)
}

/// Gives a temporary file the name `path`, unless something has that name already; returns
/// whether it did. The temporary name is gone in any case.
///
/// Nothing is ever put over what exists: a hard link fails where the name is taken, and so does
/// the kind of rename that stands in for it on file systems without hard links.
pub(crate) fn place(temporary: &Path, path: &Path) -> Result<bool> {
    let placed = match fs::hard_link(temporary, path) {
        Err(e) if may_lack_links(&e) => rename_if_absent(temporary, path),
        linked => linked,
    };
    // A leftover temporary is harmless and swept by gc, so a refusal here is no failure.
    let _ = fs::remove_file(temporary);
    match placed {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) if lacks_exclusive_rename(&e) => Err(Error::Environment {
            action: "commit",
            path: path.to_owned(),
            source: std::io::Error::new(
                ErrorKind::Unsupported,
                "this file system has no hard links, and cannot rename without replacing",
            ),
            hint: "keep the store on a file system that can do one of them, as ext4, XFS, APFS \
                   and NTFS can"
                .into(),
        }),
        Err(e) => Err(Error::io("commit", path, e)),
    }
}

/// Whether a refused hard link may mean that the file system has none: FAT and exFAT say that it
/// is not permitted, others that it is not supported.
fn may_lack_links(error: &std::io::Error) -> bool {
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::Unsupported, ErrorKind::TooManyLinks];
    kinds.contains(&error.kind())
}

/// Whether a refused rename means that the file system knows none that spares what exists.
fn lacks_exclusive_rename(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_if_absent(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Other systems offer no such rename through the standard library, and their own file systems
/// have hard links.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_if_absent(_from: &Path, _to: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
