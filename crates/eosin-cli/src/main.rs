// SPDX-License-Identifier: MIT OR Apache-2.0

//! The eosin command.

fn main() {}
