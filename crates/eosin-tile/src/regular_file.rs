// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use eosin_core::{Error, Result, irregularity};

/// Opens a file for reading. Folders and whatever is named in them may be anything: opening a pipe
/// waits for its writer, and a device such as `/dev/zero` never ends, so neither is opened.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Asked before opening, since opening is what waits.
    ensure_regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    ensure_regular(&metadata)?;
    Ok((file, metadata))
}

/// As [`open`], for a file that a user named: what is no file is the data's fault.
pub(crate) fn open_named(action: &'static str, path: &Path) -> Result<(File, Metadata)> {
    open(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => not_regular(path, &error),
        _ => Error::io(action, path, error),
    })
}

/// The error of a path that is not a regular file.
pub(crate) fn not_regular(path: &Path, found: &io::Error) -> Error {
    let hint = "copy its content into a file, and name that";
    Error::data(path, "a regular file", found.to_string(), hint)
}

/// Refuses what is not a regular file.
pub(crate) fn ensure_regular(metadata: &Metadata) -> io::Result<()> {
    match irregularity(metadata) {
        None => Ok(()),
        Some(found) => Err(io::Error::new(ErrorKind::InvalidInput, found)),
    }
}
