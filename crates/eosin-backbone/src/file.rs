// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use eosin_core::{Error, Result, irregularity};

/// Reads a whole file of at most `most` bytes that is to be `what`, such as "weights".
///
/// Only regular files are opened: a pipe would wait for its writer, a device never ends.
pub(crate) fn read_regular(path: &Path, what: &str, most: u64) -> Result<Vec<u8>> {
    let failed = |e| Error::io("read", path, e);
    // Looked at before it is opened, since opening a pipe waits, and again in case it was replaced.
    expect_regular(path, what, &std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    expect_regular(path, what, &metadata)?;
    let mut bytes = Vec::new();
    if metadata.len() <= most {
        bytes.try_reserve_exact(metadata.len() as usize).map_err(|e| failed(e.into()))?;
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    }
    let size = metadata.len().max(bytes.len() as u64);
    if size > most {
        return Err(Error::data(
            path,
            format!("{what} of at most {most} bytes"),
            format!("{size} bytes"),
            "check that this is the file you mean",
        ));
    }
    Ok(bytes)
}

/// The same for a text.
pub(crate) fn read_regular_text(path: &Path, what: &str, most: u64) -> Result<String> {
    String::from_utf8(read_regular(path, what, most)?).map_err(|_| {
        Error::data(path, what, "bytes that are no UTF-8", "check that this is the file you mean")
    })
}

fn expect_regular(path: &Path, what: &str, metadata: &Metadata) -> Result<()> {
    let Some(found) = irregularity(metadata) else { return Ok(()) };
    Err(Error::data(path, format!("{what} in a regular file"), found, "name the file itself"))
}
