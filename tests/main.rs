// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cross-crate tests of Eosin: the command line on real tiles, as a user runs it.

mod backbones;
mod bad_input;
mod cards;
mod common;
mod configs;
mod hostile_slides;
mod dry_run;
mod manners;
mod head_checksum;
mod disks;
mod kills;
mod hostile_h5;
mod mitosis;
mod nothing_lost;
mod odd_files;
mod odd_jpeg;
mod pixels;
mod hostile_weights;
mod hub;
mod mitosis;
mod npy;
mod damaged_tables;
mod head_checksum;
mod mitosis;
mod regular_files;
mod resume;
mod same_bytes;
mod select;
mod slides;
mod spreadsheet;
mod steps;
mod store;
mod sureness;
mod tiff_tags;
mod tile_folders;
mod whole_text;
mod small;
mod steps;
mod store;
mod sweep;
