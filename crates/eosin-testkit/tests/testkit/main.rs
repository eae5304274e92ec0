// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kit's own tests: suites, synthetic sets and the demo's data.

mod broken;
mod conformance;
#[cfg(feature = "demo")]
mod demo;
mod synthetic;
