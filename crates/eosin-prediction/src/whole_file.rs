// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use eosin_core::{Error, Result};

/// Writes `folder/name` beside itself and renames: a reader sees the old file or the whole new
/// one, and a kill leaves at most `.name.partial`, which the next writing puts right.
pub fn write_whole(
    folder: &Path,
    name: impl AsRef<OsStr>,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<PathBuf> {
    let path = folder.join(name.as_ref());
    let mut partial = OsString::from(".");
    partial.push(name);
    partial.push(".partial");
    let partial = folder.join(partial);
    let fault = |e| Error::io("write", &path, e);
    let written = (|| {
        let mut out = BufWriter::new(File::create(&partial).map_err(fault)?);
        write(&mut out)?;
        out.flush().map_err(fault)?;
        drop(out);
        std::fs::rename(&partial, &path).map_err(fault)
    })();
    if written.is_err() {
        // What could not be written whole is no file; that it stays is no second error.
        let _ = std::fs::remove_file(&partial);
    }
    written.map(|()| path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use eosin_core::{Error, Result};

    use super::write_whole;

    #[test]
    fn a_file_that_fails_half_way_leaves_the_old_one() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        write_whole(folder.path(), "a.txt", |out| {
            out.write_all(b"old").map_err(|e| Error::io("write", "a", e))
        })?;
        let failed = write_whole(folder.path(), "a.txt", |out| {
            out.write_all(b"new, but").map_err(|e| Error::io("write", "a", e))?;
            Err(Error::input("a", "b", "c", "d"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_to_string(folder.path().join("a.txt")).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        Ok(())
    }
}
