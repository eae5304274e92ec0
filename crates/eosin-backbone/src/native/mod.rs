// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pure-Rust CPU engine, with weights packed once and batch norms folded.
