// SPDX-License-Identifier: MIT OR Apache-2.0

//! Slides and tiles end to end, against other readers.

mod formats;
mod grid;
mod memory;
mod openslide;
mod pillow;
mod real;
mod support;
