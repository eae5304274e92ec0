// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

use std::sync::Arc;

use eosin_core::{Registry, SlideReader};

mod ffi;
mod reader;
mod slide;

pub use reader::OpenSlideReader;

/// Adds the reader of the library that is installed.
pub fn register(registry: &mut Registry) {
    let reader = OpenSlideReader::installed();
    registry.slide_readers.register(reader.kind(), Arc::new(reader));
}
