// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

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
