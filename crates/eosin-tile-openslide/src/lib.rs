// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod ffi;
mod reader;
mod slide;

pub use reader::OpenSlideReader;
