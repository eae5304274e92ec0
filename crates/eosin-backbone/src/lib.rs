// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]
//!
//! # Faster, less exact
//!
//! A card may say `precision = "f16"` or `"bf16"`: weights and arithmetic are then of that type on
//! burn's engines (`flex`, `cuda`, `tch`, `wgpu`), where the device has it; `eosin doctor` compares
//! with f32. The contract carries the precision, so such embeddings never mix with others.
//!
//! A card of family `vit` may say `precision = "int8"`: on engine `native` its linear layers then
//! multiply bytes. What that costs is measured against f32 when the card is loaded, on synthetic
//! tiles, and becomes part of the contract: `precision` reads `int8, cosine 0.99… to f32`, so such
//! embeddings never mix with exact ones.

pub mod arch;
mod budget;
mod builtin;
#[cfg(feature = "burn")]
mod burn;
mod card;
mod card_bounds;
mod colour;
mod doctor;
mod embedded;
mod engine;
mod file;
#[cfg(feature = "fine-tune")]
mod fine_tune;
mod flops;
mod load;
mod names;
pub mod native;
mod network;
mod opener;
mod pickle;
mod random;
mod source;
mod tensor_view;
mod torch;
mod weights;
mod zip;

pub use card::{builtin_card, builtin_cards, parse_card, read_card};
pub use doctor::{EngineCheck, EngineReport, doctor, doctor_with};
pub use embedded::is_embedded;
pub use engine::{ENGINES, EngineOptions};
#[cfg(feature = "fine-tune")]
pub use fine_tune::{FineTuneEpoch, FineTuneOptions, FineTuneSet, fine_tune};
pub use load::{LoadOptions, check, check_tensors, load, tensors};
pub use opener::register;
pub use random::{random_tensor, random_weights};
pub use weights::{TensorReport, WeightMap, WeightTensor, sha256_hex};
