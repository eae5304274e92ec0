// SPDX-License-Identifier: MIT OR Apache-2.0

//! Damaged copies of sound inputs for every parser: each must be read or refused, without a panic,
//! a hang, an exhausted stack or much memory.
//!
//! A test binary sets [`Limited`] as its allocator, describes each parser by a [`MutantParser`],
//! and calls [`check_mutants`] once per parser, from a test of its own. The work is done in a child
//! process, so that an input that ends it is told and the inputs behind it are still read.
//!
//! The variables of [`MutantOptions::from_environment`] make longer runs and repeat single inputs.

mod allocator;
mod bytes;
mod child;
mod options;
mod parser;
mod random;
mod report;
mod supervisor;
mod text;

pub use allocator::{Limited, peak_of_process};
pub use options::MutantOptions;
pub use parser::{Alphabet, MutantParser, Seed};
pub use report::{MutantFault, MutantReport};
pub use supervisor::check_mutants;

#[cfg(test)]
mod tests;
