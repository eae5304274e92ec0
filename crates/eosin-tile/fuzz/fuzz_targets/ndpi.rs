// SPDX-License-Identifier: MIT OR Apache-2.0

//! A directory with Hamamatsu's tag first, whose further tags are any bytes.

#![no_main]

#[path = "../read.rs"]
mod read;

/// A header, and a directory of 12 tags that begins with NDPI_FORMAT (65420).
const HEAD: &[u8] = b"II*\0\x08\0\0\0\x0c\0\x8c\xff\x04\0\x01\0\0\0\x01\0\0\0";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(HEAD, bytes));
