// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

/// Every engine's name, each also its Cargo feature.
pub const ENGINES: [&str; 4] = ["flex", "cuda", "tch", "wgpu"];

/// Where a network is trained.
///
/// On `flex`, the pure-Rust CPU backend, the same seed gives the same bytes on any number of
/// threads. GPUs add up in an order of their own, so that their results agree only closely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compute {
    /// One of [`ENGINES`].
    pub engine: String,
    /// Index of the device where the engine has several.
    pub device: usize,
}

impl Default for Compute {
    fn default() -> Self {
        Self { engine: "flex".into(), device: 0 }
    }
}
