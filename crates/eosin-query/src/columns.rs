// SPDX-License-Identifier: MIT OR Apache-2.0

//! Columns with types, made from text and from tiles.

use eosin_core::{Error, Mpp, Result, TileMeta};
use polars::prelude::{Column, DataFrame, NamedFrom, PolarsError, Series};

use crate::TextTable;
use crate::whole_text::TextFault;

/// A text table as a frame.
pub(crate) fn text_frame(table: &TextTable) -> Result<DataFrame> {
    let columns = table
        .header()
        .iter()
        .enumerate()
        .map(|(at, name)| typed(name, &table.column(at).collect::<Vec<_>>()))
        .collect();
    frame(columns)
}

/// A column of the narrowest type that every cell has: whole number, number, truth value, text.
fn typed(name: &str, cells: &[&str]) -> Column {
    fn all<T>(cells: &[&str], parse: impl Fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
        let cell = |c: &&str| if c.is_empty() { Some(None) } else { parse(c).map(Some) };
        cells.iter().map(cell).collect()
    }
    let is_code = |c: &str| {
        let digits = c.trim_start_matches('-');
        digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.")
    };
    let empty = cells.iter().all(|c| c.is_empty());
    if !empty && !cells.iter().any(|c| is_code(c)) {
        if let Some(numbers) = all(cells, |c| c.parse::<i64>().ok()) {
            return column(Series::new(name.into(), numbers));
        }
        // Text such as "nan" or "inf" parses as a number, yet in a table it is a word.
        let number = |c: &str| c.parse::<f64>().ok().filter(|v| v.is_finite());
        if let Some(numbers) = all(cells, number) {
            return column(Series::new(name.into(), numbers));
        }
    }
    let truth = |c: &str| match c {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    };
    match all(cells, truth) {
        Some(values) if !empty => column(Series::new(name.into(), values)),
        _ => {
            let text: Vec<Option<&str>> =
                cells.iter().map(|c| (!c.is_empty()).then_some(*c)).collect();
            column(Series::new(name.into(), text))
        }
    }
}

/// Tiles of a set as a frame, with the names of a shard's columns.
pub(crate) fn tile_frame(metas: &[TileMeta], views: &[u16]) -> Result<DataFrame> {
    fn text<'a>(name: &str, values: impl Iterator<Item = Option<&'a str>>) -> Column {
        column(Series::new(name.into(), values.collect::<Vec<_>>()))
    }
    fn whole(name: &str, values: impl Iterator<Item = i64>) -> Column {
        column(Series::new(name.into(), values.collect::<Vec<_>>()))
    }
    fn real(name: &str, values: impl Iterator<Item = Option<f64>>) -> Column {
        column(Series::new(name.into(), values.collect::<Vec<_>>()))
    }
    let tiles = || metas.iter();
    frame(vec![
        text("tile_id", tiles().map(|m| Some(m.tile_id.as_str()))),
        text("slide", tiles().map(|m| Some(m.slide.as_str()))),
        text("patient", tiles().map(|m| Some(m.group.as_str()))),
        text("centre", tiles().map(|m| m.centre.as_deref())),
        text("scanner", tiles().map(|m| m.scanner.as_deref())),
        whole("x", tiles().map(|m| m.x)),
        whole("y", tiles().map(|m| m.y)),
        whole("size_level0_px", tiles().map(|m| i64::from(m.size_level0_px))),
        real("requested_mpp", tiles().map(|m| m.requested_mpp.map(Mpp::get))),
        real("effective_mpp", tiles().map(|m| m.effective_mpp.map(Mpp::get))),
        real("tissue_fraction", tiles().map(|m| Some(f64::from(m.tissue_fraction)))),
        text("source", tiles().map(|m| Some(m.source.as_str()))),
        text("source_digest", tiles().map(|m| Some(m.source_digest.as_str()))),
        whole("view", views.iter().map(|&v| i64::from(v))),
    ])
}

pub(crate) fn column(series: Series) -> Column {
    series.into()
}

pub(crate) fn frame(columns: Vec<Column>) -> Result<DataFrame> {
    DataFrame::new(columns).map_err(|e| query_error("table", "", &e))
}

/// What polars has to say of a query or condition, with what could have been named.
pub(crate) fn query_error(subject: &str, known: &str, error: &PolarsError) -> Error {
    // polars appends its query plan after a blank line, which helps nobody here.
    let found = error.to_string();
    let found = found.split("\n\n").next().unwrap_or_default().trim().to_string();
    text_error(subject, known, TextFault { expected: None, found })
}

/// Why a text was not taken for a query or condition.
pub(crate) fn text_error(subject: &str, known: &str, fault: TextFault) -> Error {
    let expected = fault.expected.unwrap_or_else(|| {
        if known.is_empty() {
            "SQL that polars understands".to_string()
        } else {
            format!("SQL over {known}")
        }
    });
    Error::input(
        subject,
        expected,
        fault.found,
        "text stands in 'single quotes', names with other signs than letters in \"double quotes\"",
    )
}
