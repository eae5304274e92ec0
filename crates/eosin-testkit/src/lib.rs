// SPDX-License-Identifier: MIT OR Apache-2.0

//! Synthetic slides and tasks, and one conformance suite per trait, for tests and the demo.
//!
//! ```
//! use eosin_core::{Result, RgbImage, Tile, TileMeta, TileSource};
//! struct Blank(Vec<TileMeta>);
//! impl TileSource for Blank {
//!     fn kind(&self) -> &'static str { "blank" }
//!     fn reader_version(&self) -> &'static str { "1" }
//!     fn tiles(&self) -> &[TileMeta] { &self.0 }
//!     fn read(&self, i: usize) -> Result<Tile> {
//!         Ok(Tile { meta: self.0[i].clone(), image: RgbImage::filled(8, 8, [i as u8; 3]) })
//!     }
//! }
//! # let contract = eosin_testkit::conformance::contract("any");
//! let metas = eosin_testkit::conformance::embedding_batch(&contract, 0, 4).metas;
//! eosin_testkit::conformance::tile_source(&Blank(metas)); // Panics where a duty is broken.
//! ```

pub mod conformance;
#[cfg(feature = "demo")]
pub mod demo;
pub mod faults;
pub mod memory;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod peers;
pub mod synthetic;
pub mod synthetic_backbones;
#[cfg(feature = "tissue")]
pub mod tissue;
pub mod unequal;
