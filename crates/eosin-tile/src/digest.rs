// SPDX-License-Identifier: MIT OR Apache-2.0

//! What files hold, told by digests, and where they lie, told by text.

use std::io::{Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::regular_file::open;

/// Bytes from which an image's kind and size are told, and of each end of a slide that a quick
/// digest covers.
const SPAN: u64 = 64 << 10;

/// What begins a quick digest, so that it is never taken for one of the whole content.
const QUICK: &str = "ends:";

/// How much of a slide its digest covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// Length, time of the last change and both ends: a slide of gigabytes is told at once, and a
    /// change in its middle is noticed by its time.
    Ends,
    /// Every byte, whatever the times say.
    Whole,
}

/// The first 64 KiB of a regular file.
pub(crate) fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    open(path)?.0.take(SPAN).read_to_end(&mut head)?;
    Ok(head)
}

/// BLAKE3 of all that a file holds, 32 hexadecimal digits.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open(path)?.0)?;
    Ok(digits(&hasher))
}

/// The digest of a slide's files, which lie in one folder and are given in any order.
pub(crate) fn of_slide(files: &[PathBuf], coverage: Coverage) -> Result<String> {
    let mut files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    files.sort_unstable_by_key(|file| file.file_name());
    files.dedup_by_key(|file| file.file_name());
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let (mut open, metadata) = open(file)?;
        hasher.update(&metadata.len().to_le_bytes());
        if coverage == Coverage::Whole {
            hasher.update_reader(&mut open)?;
            continue;
        }
        // A system that does not know the time has a time that never changes.
        let changed = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        hasher.update(&changed.unwrap_or_default().as_nanos().to_le_bytes());
        hasher.update_reader(Read::by_ref(&mut open).take(SPAN))?;
        if metadata.len() > SPAN {
            open.seek(SeekFrom::Start((metadata.len() - SPAN).max(SPAN)))?;
            hasher.update_reader(open.take(SPAN))?;
        }
    }
    let quick = if coverage == Coverage::Ends { QUICK } else { "" };
    Ok(format!("{quick}{}", digits(&hasher)))
}

/// Where a file lies, as absolute text with `/` between folders; links on the way are followed, the
/// last name is kept as it is.
pub(crate) fn source_text(path: &Path) -> String {
    let folder = path
        .parent()
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => text(&absolute(folder).join(name)),
        _ => text(&absolute(path)),
    }
}

/// The path below a folder that [`source_text`] would give where no link is on the way, and that
/// ends with `name` always.
pub(crate) fn source_below(folder: &Path, name: &str) -> String {
    if Path::new(name).is_absolute() {
        return name.to_string();
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut below = text(&absolute(folder));
    if !below.ends_with('/') {
        below.push('/');
    }
    below + name
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize()
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_path_buf())
}

fn text(path: &Path) -> String {
    let text = path.to_string_lossy().into_owned();
    if cfg!(windows) { text.trim_start_matches(r"\\?\").replace('\\', "/") } else { text }
}

fn digits(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex()[..32].to_string()
}

#[cfg(test)]
mod tests;
