// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs any ONNX file as a backbone, with an onnxruntime that is loaded at run time.
//!
//! ```no_run
//! use eosin_backbone_onnx::{OnnxOptions, load};
//! # fn info() -> eosin_core::BackboneInfo { unimplemented!() }
//! use eosin_core::{Backbone, TileBatch};
//!
//! // The name, input size, normalisation, licence and so on, usually of a card.
//! let info = info();
//! let backbone = load(info, &OnnxOptions::new("model.onnx"))?;
//! println!("{} on {}", backbone.info().name, backbone.info().engine);
//! let embeddings = backbone.embed(&TileBatch::new(backbone.info().input_px))?;
//! # Ok::<(), eosin_core::Error>(())
//! ```
//!
//! Nothing is needed to build this crate. To run, it needs `libonnxruntime` 1.17 or later: from the
//! system, or from the wheel `onnxruntime` (`onnxruntime-gpu` for CUDA) of any Python environment,
//! whose folder [`OnnxOptions::library`] may name. A missing one is an error that says so.
//!
//! The embedding is any tensor of the graph, see [`OnnxArgs::output`]: one that the file does not
//! give out is made an output while the file is loaded, so that a classifier needs no surgery.

mod backbone;
mod file;
mod graph;
mod input;
mod library;
mod options;
mod pooling;
mod protobuf;

pub use backbone::{OnnxBackbone, load};
pub use library::{find_library, load_library};
pub use options::{Channels, Layout, OnnxArgs, OnnxOptions, Provider};
