// SPDX-License-Identifier: MIT OR Apache-2.0

//! Joins embeddings' tiles, labels and clinical tables in SQL.
//!
//! ```
//! use eosin_query::{Tables, TextTable, filter_rows};
//!
//! let labels = TextTable::from_csv("path,label,age\na.png,benign,61\nb.png,atypical,48\n")?;
//! assert_eq!(filter_rows(&labels, "label = 'atypical' AND age < 50")?, [1]);
//!
//! let mut tables = Tables::new();
//! tables.add_text("labels", &labels)?;
//! let answer = tables.query("SELECT label, AVG(age) AS age FROM labels GROUP BY label ORDER BY age")?;
//! assert_eq!(answer.cell(0, 0).as_deref(), Some("atypical"));
//! # Ok::<(), eosin_core::Error>(())
//! ```
//!
//! SQL is [polars'](https://docs.pola.rs/user-guide/sql/intro/), and so is the language of
//! `where` in configurations, which is the condition of a `WHERE` alone. Columns of text whose
//! cells are all numbers are numbers; numbers that begin with a zero, as patients' often do, stay
//! text; an empty cell is null.

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
