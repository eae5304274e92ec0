// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any bytes behind a TIFF header.

#![no_main]

#[path = "../read.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(b"II*\0", bytes));
