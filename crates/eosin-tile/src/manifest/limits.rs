// SPDX-License-Identifier: MIT OR Apache-2.0

//! How large a manifest may be: more is taken for a wrong or damaged file.

use std::cell::Cell;
use std::io::{Error, ErrorKind, Read, Result};
use std::rc::Rc;

/// Bytes of the file.
pub(super) const MAX_BYTES: u64 = 4 << 30;
/// Columns.
pub(super) const MAX_COLUMNS: usize = 1000;
/// Cells in all rows.
pub(super) const MAX_CELLS: usize = 100_000_000;
/// Bytes of a row: a quote that is not closed would gather the rest of the file in one cell.
pub(super) const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Counts what is read for each record.
pub(super) struct RecordMeter {
    read: Rc<Cell<u64>>,
}

/// A reader that fails where one record takes too many bytes.
pub(super) struct Metered<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl RecordMeter {
    /// A meter and the reader that it counts.
    pub(super) fn new<R: Read>(inner: R) -> (Self, Metered<R>) {
        let read = Rc::new(Cell::new(0));
        (Self { read: Rc::clone(&read) }, Metered { inner, read })
    }

    /// Says that a record has been read; what the reader holds already is not counted again.
    pub(super) fn start_record(&self) {
        self.read.set(0);
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.read.get() > MAX_RECORD_BYTES {
            let what = format!("a row of more than {} KiB", MAX_RECORD_BYTES >> 10);
            return Err(Error::new(ErrorKind::InvalidData, what));
        }
        let n = self.inner.read(buffer)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}
