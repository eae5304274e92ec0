// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod backbone;
mod file;
mod graph;
mod input;
mod library;
mod opener;
mod options;
mod pooling;
mod protobuf;

pub use backbone::{OnnxBackbone, load};
pub use library::{find_library, load_library};
pub use opener::register;
pub use options::{Channels, Layout, OnnxArgs, OnnxOptions};
