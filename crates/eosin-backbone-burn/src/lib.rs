// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

#[cfg(feature = "burn")]
mod engine;
#[cfg(feature = "fine-tune")]
mod fine_tune;
mod load;
#[cfg(feature = "burn")]
mod networks;
mod opener;

#[cfg(feature = "fine-tune")]
pub use fine_tune::{FineTuneEpoch, FineTuneOptions, FineTuneSet, fine_tune};
pub use load::{ENGINES, doctor, load};
pub use opener::register;
