// SPDX-License-Identifier: MIT OR Apache-2.0

//! Slides and tiles end to end, against other readers.

mod grid;
mod openslide;
mod support;
