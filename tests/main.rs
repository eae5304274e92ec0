// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cross-crate tests of Eosin: the command line on real tiles, as a user runs it.

mod annotations;
mod backbones;
mod bad_input;
mod cards;
mod common;
mod configs;
mod damaged_tables;
mod disks;
mod dry_run;
mod evaluate;
mod exports;
mod head_checksum;
mod hostile_h5;
mod hostile_slides;
mod hostile_weights;
mod hub;
mod kills;
mod manners;
mod mitosis;
mod nothing_lost;
mod npy;
mod odd_files;
mod odd_jpeg;
mod pixels;
mod registry;
mod regular_files;
mod resume;
mod same_bytes;
mod select;
mod sizes;
mod slides;
mod small;
mod spreadsheet;
mod steps;
mod store;
mod study;
mod sureness;
mod sweep;
mod tiff_tags;
mod tile_folders;
mod training;
mod views;
mod whole_text;
mod words;
