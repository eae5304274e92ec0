// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::{BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::backing::ReadAt;

/// A file as Parquet's own reader wants it.
pub(crate) struct Chunks {
    file: Arc<dyn ReadAt>,
}

/// The rest of a file from some place on.
pub(crate) struct Rest {
    file: Arc<dyn ReadAt>,
    at: u64,
}

impl Chunks {
    pub(crate) fn new(file: Arc<dyn ReadAt>) -> Self {
        Self { file }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.file.n_bytes()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<Rest>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(Rest { file: self.file.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Checked first, so that a length that a damaged file tells allocates nothing.
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.file.n_bytes()) {
            let found = self.file.n_bytes();
            return Err(ParquetError::EOF(format!("{length} bytes from {start} on, of {found}")));
        }
        let mut bytes = vec![0; length];
        self.file.read_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

impl Read for Rest {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.n_bytes().saturating_sub(self.at);
        let n = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.file.read_at(&mut bytes[..n], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
