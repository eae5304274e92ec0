// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod budget;
mod codec;
mod digest;
#[cfg(feature = "icc")]
mod icc;
#[cfg(not(feature = "icc"))]
#[path = "no_icc.rs"]
mod icc;
mod image_file;
mod left_out;
mod regular_file;
mod tiff;

pub mod geometry;
pub mod manifest;
pub mod mpp_table;
pub mod pipeline;
pub mod preview;
pub mod resample;
pub mod slide;
pub mod source;
pub mod stain;
pub mod tile_files;
pub mod tiling;
pub mod tissue;
pub mod views;

pub use geometry::{Polygon, Region, contours};
pub use image_file::read_image;
pub use manifest::{Manifest, ManifestRow};
pub use pipeline::{PipelineOptions, for_each_tile};
pub use preview::preview;
pub use resample::{Arithmetic, Filter, PixelBox, resize, resize_box};
pub use slide::Slide;
pub use source::{SourceKind, detect, detect_with, open, open_with};
pub use stain::StainNormalization;
pub use tile_files::{FolderSource, ManifestSource, NotSquare, TileFileOptions};
pub use tiling::{SlideSource, TilingOptions};
pub use tissue::{TissueMask, TissueOptions};
pub use views::ViewBank;
