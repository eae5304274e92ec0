// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Device;
use serde::{Deserialize, Serialize};

/// Where a network is trained.
///
/// On `flex`, the pure-Rust CPU backend, the same seed gives the same bytes on any number of
/// threads. GPUs add up in an order of their own, so that their results agree only closely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compute {
    /// One of [`eosin_burn::ENGINES`].
    pub engine: String,
    /// Where to train; the engine's usual device where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
}

impl Default for Compute {
    fn default() -> Self {
        Self { engine: "flex".into(), device: None }
    }
}
