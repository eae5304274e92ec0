// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::Deref;
use std::path::Path;

use eosin_core::{Error, Result};

use crate::regular_file;

/// A file's bytes, mapped or held.
#[derive(Debug)]
pub(crate) enum FileBytes {
    /// Mapped: pages are read as they are touched, so memory does not grow with the file.
    Mapped(memmap2::Mmap),
    /// Held in memory.
    Held(Vec<u8>),
}

impl FileBytes {
    /// Maps a file for reading.
    pub(crate) fn map(path: &Path) -> Result<Self> {
        let (file, metadata) = regular_file::open_named("open", path)?;
        if metadata.len() == 0 {
            let found = "an empty file";
            return Err(Error::data(path, "a file with content", found, "check the path"));
        }
        #[expect(
            unsafe_code,
            reason = "a memory map is what keeps memory independent of the slide"
        )]
        // SAFETY: the map is read-only and private to this value. Its bytes change only if another
        // process rewrites the slide while it is read, which Rust cannot prevent; every byte is
        // checked where it is used, so changed bytes give an error or other pixels. A slide that
        // is truncated meanwhile ends the process, as with every reader that maps files.
        let map = unsafe { memmap2::Mmap::map(&file) };
        map.map(Self::Mapped).map_err(|e| Error::io("map", path, e))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Held(bytes) => bytes,
        }
    }
}
