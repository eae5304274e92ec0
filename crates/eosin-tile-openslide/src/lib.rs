// SPDX-License-Identifier: MIT OR Apache-2.0

//! Slides through libopenslide, which is loaded at run time: MIRAX, Hamamatsu VMS, Ventana BIF,
//! Sakura and the rest that the built-in reader of `eosin-tile` leaves out.
//!
//! ```no_run
//! use std::path::Path;
//! use eosin_core::{SlideImage, SlideReader};
//! use eosin_tile_openslide::OpenSlideReader;
//!
//! let reader = OpenSlideReader::installed();
//! if let Some(slide) = reader.open(Path::new("slide.mrxs"))? {
//!     println!("{:?} by OpenSlide {}", slide.levels(), slide.version());
//! }
//! # Ok::<(), eosin_core::Error>(())
//! ```

mod ffi;
mod reader;
mod slide;

pub use reader::OpenSlideReader;
