// SPDX-License-Identifier: MIT OR Apache-2.0

//! Benchmarks of Eosin against its peers.

fn main() {}
