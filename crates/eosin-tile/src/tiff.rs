// SPDX-License-Identifier: MIT OR Apache-2.0

//! TIFF, BigTIFF and NDPI directories over a memory-mapped file.
//!
//! Own code instead of a TIFF crate: slides need the raw bytes of a tile (a crate's own decoding
//! takes twice as long), NDPI keeps 64-bit offsets in a layout of its own, and every count must be
//! checked against the file before memory is taken for it.

mod bytes;
mod directory;
mod format;
mod image;
pub(crate) mod tag;

pub(crate) use bytes::FileBytes;
pub(crate) use directory::{Directory, Tiff, is_tiff};
pub(crate) use image::TiffImage;
