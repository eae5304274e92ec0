// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]
//!
//! # How
//!
//! A hub serves `{endpoint}/{repo}/resolve/{revision}/{file}` and tells commit, digest and size in
//! headers. The cache is that of the hub's Python client, so both share what either fetched:
//!
//! ```text
//! cache/models--authors--network/
//! ├── blobs/<etag>                        a file's bytes, once
//! ├── blobs/<etag>.incomplete             what came before a connection broke
//! ├── refs/main                           the commit that `main` was
//! └── snapshots/<commit>/model.safetensors → ../../blobs/<etag>
//! ```
//!
//! Which hub it is must be said: none is built in. A revision that is a commit and a SHA-256 pin a
//! file: no other is taken, from the hub or from the cache. A token goes to the hub alone, and over
//! `http://` only on this machine or where [`HubOptions::insecure`] says so. What was cut is
//! continued, size and SHA-256 are checked, and without a network (or by [`HubOptions::offline`])
//! the cache serves alone.

mod address;
mod cache;
mod http;
mod hub;
mod names;
mod options;
mod transfer;
mod weights;

pub use cache::Cache;
pub use hub::{Fetched, Hub};
pub use options::{HubOptions, Wanted};
pub use weights::USUAL_NAMES;
