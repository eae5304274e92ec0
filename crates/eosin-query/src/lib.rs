// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod answer;
mod columns;
mod filter;
mod guarded;
mod meaning;
mod parquet_table;
mod tables;
mod text_table;
mod whole_text;

pub use answer::Answer;
pub use filter::filter_rows;
pub use tables::{TableInfo, Tables};
pub use text_table::TextTable;
