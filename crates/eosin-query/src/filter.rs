// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use polars::prelude::{DataType, IntoLazy, col};
use polars::sql::sql_expr;

use crate::TextTable;
use crate::columns::{query_error, text_error, text_frame};
use crate::guarded::by_polars;
use crate::whole_text::check_condition;

/// Name of the column of row numbers, which no table has.
const ROW: &str = "eosin row number";

/// Rows of a table that meet a condition, from the top; what stands after `WHERE` in SQL.
///
/// Where the condition is null, as with an empty cell, the row is left out. The whole text is one
/// condition, or it is an error that shows the place: a word that belongs to nothing, a second
/// condition, a comment. A condition that is neither true nor false, or names a column that is not
/// there, is an error that lists the columns. Length, nesting and chains are bounded; a list, as
/// in `patient IN ('p1', 'p2')`, may be long.
pub fn filter_rows(table: &TextTable, condition: &str) -> Result<Vec<usize>> {
    let known = format!("the columns {}", table.header().join(", "));
    let subject = format!("condition {:?}", beginning(condition));
    let wrong = |e| query_error(&subject, &known, &e);
    let frame = text_frame(table)?;
    let kept = by_polars(|| {
        if let Err(fault) = check_condition(condition) {
            return Ok(Err(text_error(&subject, &known, fault)));
        }
        let condition_of_rows = sql_expr(condition)?;
        let shape = frame.clone().lazy().select([condition_of_rows.clone().alias("condition")]);
        let schema = shape.clone().collect_schema()?;
        match schema.get("condition") {
            Some(DataType::Boolean) => {}
            other => {
                return Ok(Err(Error::input(
                    subject.clone(),
                    "something that is true or false",
                    other.map_or("nothing".to_string(), ToString::to_string),
                    "compare, as in label = 'atypical' AND age < 50",
                )));
            }
        }
        let rows = frame.clone().lazy().with_row_index(ROW, None).filter(condition_of_rows);
        rows.select([col(ROW)]).collect().map(Ok)
    });
    let kept = kept.map_err(wrong)??;
    let rows = kept.column(ROW).and_then(|c| c.as_materialized_series().u32().cloned());
    let rows = rows.map_err(wrong)?;
    Ok(rows.iter().flatten().map(|r| r as usize).collect())
}

/// As much of a text as a message names it by.
fn beginning(text: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() { short + "…" } else { short }
}
