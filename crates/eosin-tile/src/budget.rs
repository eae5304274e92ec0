// SPDX-License-Identifier: MIT OR Apache-2.0

//! What opening and reading one file may cost: a constant, and a multiple of the file's size.
//!
//! A few hundred bytes can declare 2⁶² pixels, name the same bytes a million times, or nest
//! elements in elements. Each such number is held against the length of the file before anything
//! is allocated or looped over by it. The multiples lie far above what real slides need: those of
//! scanners have 2 to 100 pixels for each byte, and a blank slide some hundred.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::codec::Fault;

/// Memory for values of tags and for directories: a multiple of the file, and a constant.
const HELD_PER_BYTE: u64 = 8;
const HELD: u64 = 32 << 20;

/// Pixels of an image as it is declared, whether or not the file holds them all.
const DECLARED_PER_BYTE: u64 = 4096;
const DECLARED: u64 = 1 << 32;

/// Pixels of the pieces that a file holds, all of which a thumbnail decodes.
const STORED_PER_BYTE: u64 = 1024;
const STORED: u64 = 1 << 28;

/// Places for pieces, whether or not a file holds them: a region looks at each that it covers.
#[cfg(any(feature = "dicom", test))]
const PLACES: u64 = 1 << 22;

/// Bytes of stored pieces: writers let blank tiles share their bytes, but not everything.
const SHARED_BYTES: u64 = 64;
const SHARED: u64 = 256 << 20;

/// Bytes that may still be held for a file's headers.
#[derive(Debug)]
pub(crate) struct HeaderBudget {
    allowed: u64,
    spent: AtomicU64,
}

impl HeaderBudget {
    pub(crate) fn of(file_bytes: u64) -> Self {
        let allowed = file_bytes.saturating_mul(HELD_PER_BYTE).saturating_add(HELD);
        Self { allowed, spent: AtomicU64::new(0) }
    }

    /// Counts bytes that are about to be held or looked through.
    pub(crate) fn spend(&self, bytes: u64) -> Result<(), Fault> {
        let before = self.spent.fetch_add(bytes.min(self.allowed), Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.allowed {
            return Ok(());
        }
        Err(format!(
            "headers that ask for more than {} MiB, which the same bytes named over and over do",
            self.allowed >> 20
        ))
    }

    /// Begins anew: work that a caller asks for later has as much again.
    pub(crate) fn renew(&self) {
        self.spent.store(0, Ordering::Relaxed);
    }
}

/// Whether an image of this size may stand in a file of `file_bytes`, mostly left out as in sparse
/// slides.
pub(crate) fn check_declared(file_bytes: u64, width: u64, height: u64) -> Result<(), Fault> {
    let allowed = file_bytes.saturating_mul(DECLARED_PER_BYTE).saturating_add(DECLARED);
    if width.checked_mul(height).is_some_and(|pixels| pixels <= allowed) {
        return Ok(());
    }
    Err(format!(
        "{width} × {height} px in {file_bytes} bytes, which can hold {} megapixels at most",
        allowed / 1_000_000
    ))
}

/// Whether an image in a file of `file_bytes` may be laid out in so many pieces, most of them left
/// out.
#[cfg(any(feature = "dicom", test))]
pub(crate) fn check_places(file_bytes: u64, n_places: u64) -> Result<(), Fault> {
    let allowed = file_bytes.saturating_add(PLACES);
    if n_places <= allowed {
        return Ok(());
    }
    Err(format!("{n_places} places for pieces in {file_bytes} bytes, where {allowed} are allowed"))
}

/// Whether a file of `file_bytes` may hold `n_pieces` pieces of this size in `stored` bytes.
pub(crate) fn check_stored(
    file_bytes: u64,
    n_pieces: u64,
    (width, height): (u64, u64),
    stored: u64,
) -> Result<(), Fault> {
    let allowed = file_bytes.saturating_mul(STORED_PER_BYTE).saturating_add(STORED);
    let pixels = width.checked_mul(height).and_then(|piece| piece.checked_mul(n_pieces));
    if pixels.is_none_or(|pixels| pixels > allowed) {
        return Err(format!(
            "{n_pieces} pieces of {width} × {height} px in {file_bytes} bytes, which can hold {} \
             megapixels at most",
            allowed / 1_000_000
        ));
    }
    if stored > file_bytes.saturating_mul(SHARED_BYTES).saturating_add(SHARED) {
        return Err(format!("{stored} bytes of pieces in a file of {file_bytes} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_slides_fit_and_absurd_ones_do_not() {
        // A biopsy on a sparse slide: 100,000 px a side, 50 MB.
        assert!(check_declared(50 << 20, 100_000, 100_000).is_ok());
        assert!(check_declared(420, 1 << 31, 1 << 31).is_err());
        assert!(check_declared(420, u64::MAX, 2).is_err());
        // Frames of 256 px on a slide of 200,000 px a side, and frames of one pixel.
        assert!(check_places(1000, 782 * 782).is_ok());
        assert!(check_places(1000, 3000 * 3000).is_err());
        // A blank slide of 40,000 px a side: 24,650 tiles of some 300 bytes.
        assert!(check_stored(7_400_000, 24_650, (256, 256), 7_395_000).is_ok());
        assert!(check_stored(4 << 20, 500_000, (7000, 7000), 4 << 20).is_err());
        assert!(check_stored(1 << 20, 1, (8, 8), u64::MAX).is_err());
    }

    #[test]
    fn a_budget_ends_and_begins_anew() {
        let budget = HeaderBudget::of(1000);
        assert!(budget.spend(HELD).is_ok());
        assert!(budget.spend(8000).is_ok());
        assert!(budget.spend(1).is_err());
        assert!(budget.spend(u64::MAX).is_err());
        budget.renew();
        assert!(budget.spend(HELD).is_ok());
    }
}
