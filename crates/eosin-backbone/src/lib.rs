// SPDX-License-Identifier: MIT OR Apache-2.0

//! Turns tile batches into embeddings on the compute backend chosen by feature and device.

pub mod arch;
mod card;
pub mod native;
mod random;
mod weights;

pub use card::{Card, WeightsSource, builtin_cards};
pub use random::{random_tensor, random_weights};
pub use weights::{WeightMap, WeightTensor, sha256_hex};
