// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use polars::prelude::{DataType, IntoLazy, col};
use polars::sql::sql_expr;

use crate::TextTable;
use crate::columns::{guarded, query_error, text_frame};

/// Name of the column of row numbers, which no table has.
const ROW: &str = "eosin row number";

/// Rows of a table that meet a condition, from the top; what stands after `WHERE` in SQL.
///
/// Where the condition is null, as with an empty cell, the row is left out. A condition that is
/// neither true nor false, or names a column that is not there, is an error that lists the columns.
pub fn filter_rows(table: &TextTable, condition: &str) -> Result<Vec<usize>> {
    let known = format!("the columns {}", table.header().join(", "));
    let wrong = |e| query_error(&format!("condition {condition:?}"), &known, &e);
    let frame = text_frame(table)?;
    let condition_of_rows = sql_expr(condition).map_err(wrong)?;
    let shape = frame.clone().lazy().select([condition_of_rows.clone().alias("condition")]);
    let schema = shape.clone().collect_schema().map_err(wrong)?;
    match schema.get("condition") {
        Some(DataType::Boolean) => {}
        other => {
            return Err(Error::input(
                format!("condition {condition:?}"),
                "something that is true or false",
                other.map_or("nothing".to_string(), ToString::to_string),
                "compare, as in label = 'atypical' AND age < 50",
            ));
        }
    }
    let kept = frame.lazy().with_row_index(ROW, None).filter(condition_of_rows).select([col(ROW)]);
    let kept = guarded(|| kept.collect()).map_err(wrong)?;
    let rows = kept.column(ROW).and_then(|c| c.as_materialized_series().u32().cloned());
    let rows = rows.map_err(wrong)?;
    Ok(rows.iter().flatten().map(|r| r as usize).collect())
}
