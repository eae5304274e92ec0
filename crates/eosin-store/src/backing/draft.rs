// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{self, File};
use std::io::{Read, Result, Seek, Write};
use std::path::{Path, PathBuf};

use super::Backing;
use crate::durable::{create_folder, create_temporary};

/// A file that is whole and has no key yet: in memory, or under a temporary name.
///
/// Dropping it removes it.
#[derive(Debug)]
pub struct Draft {
    sink: Sink,
    scratch: Scratch,
    blake3: String,
}

/// What a draft is written to.
#[derive(Debug)]
pub(crate) enum Sink {
    Memory(Vec<u8>),
    File(File),
}

/// The temporary name of a draft, if it is on the disk; dropping it removes the file.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    path: Option<PathBuf>,
}

impl Draft {
    /// A draft of these bytes.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        Self { sink: Sink::Memory(bytes), scratch: Scratch::default(), blake3 }
    }

    /// A draft that reads a file of another's, which stays as it is.
    pub(crate) fn of_file(file: File, blake3: String) -> Self {
        Self { sink: Sink::File(file), scratch: Scratch::default(), blake3 }
    }

    pub(crate) fn new(scratch: Scratch, sink: Sink, blake3: String) -> Self {
        Self { sink, scratch, blake3 }
    }

    /// The BLAKE3 of its bytes, in hexadecimal digits.
    pub fn blake3(&self) -> &str {
        &self.blake3
    }

    /// Its bytes from the first on.
    pub fn reader(&mut self) -> Result<Box<dyn Read + Send + '_>> {
        match &mut self.sink {
            Sink::Memory(bytes) => Ok(Box::new(bytes.as_slice())),
            Sink::File(file) => {
                file.rewind()?;
                Ok(Box::new(file))
            }
        }
    }

    /// Its bytes, taken out.
    pub fn into_bytes(mut self) -> Result<Vec<u8>> {
        if let Sink::Memory(bytes) = &mut self.sink {
            return Ok(std::mem::take(bytes));
        }
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The temporary file that is its own.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.scratch.path.as_deref()
    }
}

impl Scratch {
    /// Begins a draft for a set.
    pub(crate) fn begin(backing: &dyn Backing, set: &str) -> eosin_core::Result<(Self, Sink)> {
        let Some(folder) = backing.folder() else {
            return Ok((Self::default(), Sink::Memory(Vec::new())));
        };
        let folder = folder.join(set);
        create_folder(&folder)?;
        let (path, file) = create_temporary(&folder)?;
        Ok((Self { path: Some(path) }, Sink::File(file)))
    }

    /// The file, or what stands for it in messages.
    pub(crate) fn place(&self) -> PathBuf {
        self.path.clone().unwrap_or_else(|| PathBuf::from("a shard in memory"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Once it is published, the name is gone.
            let _ = fs::remove_file(path);
        }
    }
}

impl Sink {
    /// Makes what was written durable.
    pub(crate) fn sync(&self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file) => file.sync_all(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Memory(written) => written.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
