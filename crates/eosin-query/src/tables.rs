// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{Error, Result, TileMeta};
use polars::prelude::{DataFrame, IntoLazy};
use polars::sql::SQLContext;

use crate::columns::{query_error, text_error, text_frame, tile_frame};
use crate::guarded::by_polars;
use crate::parquet_table::read_parquet;
use crate::whole_text::check_query;
use crate::{Answer, TextTable};

/// Tables that a query can name.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    tables: Vec<(String, DataFrame)>,
}

/// What there is to know of a table before it is queried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The name.
    pub name: String,
    /// Rows.
    pub n_rows: usize,
    /// Names and types of its columns.
    pub columns: Vec<(String, String)>,
}

impl Tables {
    /// No tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table of text, whose columns get types.
    pub fn add_text(&mut self, name: &str, table: &TextTable) -> Result<()> {
        self.add(name, text_frame(table)?)
    }

    /// Adds the tiles of a set; the columns are called as those of a shard, without the embedding.
    pub fn add_tiles(&mut self, name: &str, metas: &[TileMeta], views: &[u16]) -> Result<()> {
        self.add(name, tile_frame(metas, views)?)
    }

    /// Adds a CSV, TSV or Parquet file, and returns the columns that were left out, since they
    /// hold neither text nor numbers.
    pub fn add_file(&mut self, name: &str, path: &Path) -> Result<Vec<String>> {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")) {
            let (frame, left_out) = read_parquet(path)?;
            self.add(name, frame)?;
            return Ok(left_out);
        }
        self.add_text(name, &TextTable::read(path)?)?;
        Ok(Vec::new())
    }

    /// The tables in the order in which they were added.
    pub fn info(&self) -> Vec<TableInfo> {
        let info = |(name, frame): &(String, DataFrame)| TableInfo {
            name: name.clone(),
            n_rows: frame.height(),
            columns: frame
                .get_columns()
                .iter()
                .map(|c| (c.name().to_string(), c.dtype().to_string()))
                .collect(),
        };
        self.tables.iter().map(info).collect()
    }

    /// Answers a query: the whole text is one `SELECT`, or an error that shows the place. Clauses
    /// that polars would parse and leave out, such as `QUALIFY` and `FETCH`, are refused.
    pub fn query(&self, sql: &str) -> Result<Answer> {
        let names: Vec<&str> = self.tables.iter().map(|(name, _)| name.as_str()).collect();
        let known = format!("the tables {}", names.join(", "));
        let answer = by_polars(|| {
            if let Err(fault) = check_query(sql) {
                return Ok(Err(text_error("query", &known, fault)));
            }
            let mut context = SQLContext::new();
            for (name, frame) in &self.tables {
                context.register(name, frame.clone().lazy());
            }
            context.execute(sql)?.collect().map(Ok)
        });
        answer.map_err(|e| query_error("query", &known, &e))?.map(Answer::new)
    }

    fn add(&mut self, name: &str, frame: DataFrame) -> Result<()> {
        if self.tables.iter().any(|(known, _)| known == name) {
            return Err(Error::input(
                "table",
                "a name for each table",
                format!("{name} twice"),
                "give the second one another name with --table NAME=FILE",
            ));
        }
        self.tables.push((name.to_string(), frame));
        Ok(())
    }
}
