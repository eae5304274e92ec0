// SPDX-License-Identifier: MIT OR Apache-2.0

/// The texts of the files in `cards/`, in the order of their names; `build.rs` lists them.
pub(crate) const BUILTIN: &[&str] = include!(concat!(env!("OUT_DIR"), "/cards.rs"));
