// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any attributes behind DICOM's preamble.

#![no_main]

#[path = "../read.rs"]
mod read;

const HEAD: [u8; 132] = {
    let mut head = [0; 132];
    head[128] = b'D';
    head[129] = b'I';
    head[130] = b'C';
    head[131] = b'M';
    head
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(&HEAD, bytes));
