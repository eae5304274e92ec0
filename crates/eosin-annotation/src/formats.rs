// SPDX-License-Identifier: MIT OR Apache-2.0

//! The formats, a file each.

mod asap;
mod coco;
mod geojson;
mod imagescope;
mod json;
mod xml;

pub use asap::AsapFormat;
pub use coco::{CocoFormat, MidogFormat};
pub use geojson::GeoJsonFormat;
pub use imagescope::ImageScopeFormat;

/// Whether a text stands somewhere in bytes.
fn has(start: &[u8], text: &str) -> bool {
    start.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether bytes begin with this mark, behind spaces.
fn begins_with(start: &[u8], marks: &[u8]) -> bool {
    start.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| marks.contains(byte))
}
