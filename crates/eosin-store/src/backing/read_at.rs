// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

/// A file of which parts are read, by any number of threads at once.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// The bytes of the whole file.
    fn n_bytes(&self) -> u64;
    /// Fills `bytes` with what stands from `offset` on; an error where the file ends before.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()>;
}

/// A file that is in memory.
#[derive(Clone)]
pub struct BytesAt(Arc<Vec<u8>>);

/// A file that is open on the disk.
#[derive(Debug)]
pub(crate) struct FileAt {
    file: File,
    n_bytes: u64,
}

impl BytesAt {
    /// A file of these bytes.
    pub fn new(bytes: Arc<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for BytesAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BytesAt({} bytes)", self.0.len())
    }
}

impl ReadAt for BytesAt {
    fn n_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(bytes.len())?));
        let Some(found) = range.and_then(|range| self.0.get(range)) else {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        };
        bytes.copy_from_slice(found);
        Ok(())
    }
}

impl FileAt {
    pub(crate) fn new(file: File) -> Result<Self> {
        let n_bytes = file.metadata()?.len();
        Ok(Self { file, n_bytes })
    }
}

impl ReadAt for FileAt {
    fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        read_exact_at(&self.file, bytes, offset)
    }
}

/// Reads at a place without moving the file's position, so that threads can share it.
#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Reads at a place; each call has its own position, so that threads can share the file.
#[cfg(windows)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let place = offset + done as u64;
        match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], place)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// Bytes that are digested at a time.
const PIECE: u64 = 1 << 20;

/// The BLAKE3 of a whole file, in hexadecimal digits.
pub(crate) fn digest_of(file: &dyn ReadAt) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for_each_piece(file, PIECE, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Hands over a whole file piece by piece.
pub(crate) fn for_each_piece(
    file: &dyn ReadAt,
    piece_bytes: u64,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (n_bytes, mut at) = (file.n_bytes(), 0);
    let mut buffer = vec![0; n_bytes.min(piece_bytes) as usize];
    while at < n_bytes {
        let n = (n_bytes - at).min(piece_bytes) as usize;
        file.read_at(&mut buffer[..n], at)?;
        take(&buffer[..n])?;
        at += n as u64;
    }
    Ok(())
}
