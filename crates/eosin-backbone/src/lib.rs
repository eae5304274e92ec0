// SPDX-License-Identifier: MIT OR Apache-2.0

//! Turns tile batches into embeddings on the compute backend chosen by feature and device.
//!
//! ```
//! use eosin_backbone::{Card, LoadOptions, load};
//! use eosin_core::{Backbone, TileBatch};
//!
//! let card = Card::builtin("colour-statistics")?;
//! let backbone = load(&card, &LoadOptions::default())?;
//! let embeddings = backbone.embed(&TileBatch::new(card.input_px))?;
//! assert_eq!((embeddings.n_rows(), backbone.info().dim), (0, 48));
//! # Ok::<(), eosin_core::Error>(())
//! ```
//!
//! A [`Card`] says what a backbone is, [`load`] makes it run. Which engine computes is a matter of
//! [`EngineOptions`]; the numbers agree up to rounding, so the engine is no part of the contract.

pub mod arch;
mod builtin;
#[cfg(any(feature = "flex", feature = "cuda", feature = "tch", feature = "wgpu"))]
mod burn;
mod card;
mod colour;
mod embedded;
mod engine;
mod load;
mod names;
pub mod native;
mod network;
mod pickle;
mod random;
mod source;
mod torch;
mod weights;
mod zip;

pub use card::{Card, WeightsSource, builtin_cards};
pub use engine::{ENGINES, EngineOptions};
pub use load::{LoadOptions, load};
pub use random::{random_tensor, random_weights};
pub use weights::{WeightMap, WeightTensor, sha256_hex};
