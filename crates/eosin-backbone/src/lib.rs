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
//!
//! # An own network
//!
//! A fine-tuned ResNet-50 as PyTorch saved it, `own.pth`, needs these twelve lines beside it; names
//! with `module.` before them, a `state_dict` around them and a classifier after them are
//! understood. No code in the file is run.
//!
//! ```toml
//! name = "own-resnet50"
//! family = "resnet"
//! input_px = 224
//! mean = [0.485, 0.456, 0.406]
//! std = [0.229, 0.224, 0.225]
//! resampling = "bilinear"
//! pooling = "average"
//! dim = 2048
//! training_sources = ["our slides"]
//! architecture = { layers = [3, 4, 6, 3], block = "bottleneck" }
//! licence = { name = "own", allows = "commercial" }
//! weights = { kind = "file", file = "own.pth", source = "our training run" }
//! ```
//!
//! Tensors that are missing, unused or mis-shaped are one error that lists them.
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
mod pickle;
mod random;
mod source;
mod tensor_view;
mod torch;
mod weights;
mod zip;

pub use card::{Card, WeightsSource, builtin_cards};
pub use doctor::{EngineCheck, EngineReport, doctor, doctor_with};
pub use engine::{ENGINES, EngineOptions};
#[cfg(feature = "fine-tune")]
pub use fine_tune::{FineTuneEpoch, FineTuneOptions, FineTuneSet, fine_tune};
pub use load::{LoadOptions, check, check_tensors, load, tensors};
pub use random::{random_tensor, random_weights};
pub use weights::{TensorReport, WeightMap, WeightTensor, sha256_hex};
