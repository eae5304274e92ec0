// SPDX-License-Identifier: MIT OR Apache-2.0

//! A directory whose description says Aperio, and whose further tags are any bytes.

#![no_main]

#[path = "../read.rs"]
mod read;

/// A header, the description, and a directory of 12 tags that begins with the description's.
const HEAD: &[u8] = b"II*\0\x2c\0\0\0Aperio Image Library\n|MPP = 0.5|\0\0\0\0\
    \x0c\0\x0e\x01\x02\0\x23\0\0\0\x08\0\0\0";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(HEAD, bytes));
