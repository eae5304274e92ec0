// SPDX-License-Identifier: MIT OR Apache-2.0

//! Maintainers' commands.

fn main() {}
