// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod dense;
mod probe;
pub mod proxies;
mod register;
pub mod robustness;
pub mod scores;
pub mod select;

pub use probe::{FewShot, KnnProbe, LinearProbe, Reduced, SimpleShot};
pub use register::register;
