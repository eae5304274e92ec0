// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]
//!
//! # Faster, less exact
//!
//! A card may say `precision = "f16"` or `"bf16"`: weights and arithmetic are then of that type on
//! burn's engines (crate eosin-backbone-burn), where the device has it; `eosin doctor` compares
//! with f32. The contract carries the precision, so such embeddings never mix with others.
//!
//! A card of family `vit` may say `precision = "int8"`: on engine `native` its linear layers then
//! multiply bytes. What that costs is measured against f32 when the card is loaded, on synthetic
//! tiles, and becomes part of the contract: `precision` reads `int8, cosine 0.99… to f32`, so such
//! embeddings never mix with exact ones.

pub mod arch;
mod budget;
mod builtin;
mod card;
mod card_bounds;
mod colour;
mod doctor;
mod embedded;
mod engine;
mod file;
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
pub use doctor::{EngineCheck, EngineReport, doctor_with};
pub use embedded::is_embedded;
pub use engine::{EngineOptions, NetworkEngine};
pub use load::{
    LoadOptions, check, check_tensors, has_family, layers, load, load_on, serves, tensors,
};
pub use network::{Layers, Network};
pub use opener::{ONNX, refuse_onnx, register};
pub use random::{random_tensor, random_weights};
pub use weights::{TensorReport, WeightMap, WeightTensor, sha256_hex};
