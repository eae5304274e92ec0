// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use eosin_core::spreadsheet::guard;
use eosin_core::{Error, Result};
use parquet::arrow::ArrowWriter;
use polars::prelude::{AnyValue, Column, DataFrame, DataType};

/// What a query found.
#[derive(Clone, Debug)]
pub struct Answer {
    frame: DataFrame,
}

impl Answer {
    pub(crate) fn new(frame: DataFrame) -> Self {
        Self { frame }
    }

    /// Names of the columns.
    pub fn columns(&self) -> Vec<String> {
        self.frame.get_columns().iter().map(|c| c.name().to_string()).collect()
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.frame.height()
    }

    /// A cell as text; `None` where it is null, or outside.
    pub fn cell(&self, row: usize, column: usize) -> Option<String> {
        let value = self.frame.get_columns().get(column)?.get(row).ok()?;
        match value {
            AnyValue::Null => None,
            AnyValue::String(text) => Some(text.to_string()),
            AnyValue::StringOwned(text) => Some(text.to_string()),
            AnyValue::Float64(v) => Some(v.to_string()),
            AnyValue::Float32(v) => Some(v.to_string()),
            AnyValue::Boolean(v) => Some(v.to_string()),
            other => Some(other.to_string()),
        }
    }

    /// Writes comma-separated text with a header; null is an empty cell, and text that a spreadsheet
    /// would run is guarded ([`eosin_core::spreadsheet`]).
    pub fn write_csv(&self, out: impl Write) -> Result<()> {
        let failed = |e: csv::Error| Error::io("write", "the answer", e.into());
        let mut writer = csv::Writer::from_writer(out);
        let guarded = |text: &String| guard(text).into_owned();
        writer.write_record(self.columns().iter().map(guarded)).map_err(failed)?;
        for row in 0..self.n_rows() {
            let cells = (0..self.frame.width()).map(|c| self.cell(row, c).unwrap_or_default());
            writer.write_record(cells.map(|text| guarded(&text))).map_err(failed)?;
        }
        writer.flush().map_err(|e| Error::io("write", "the answer", e))
    }

    /// Writes a Parquet file without compression.
    pub fn write_parquet(&self, path: &Path) -> Result<()> {
        let failed = |e: String| Error::io("write", path, std::io::Error::other(e));
        let columns: Vec<(String, ArrayRef)> = self
            .frame
            .get_columns()
            .iter()
            .enumerate()
            .map(|(at, c)| (c.name().to_string(), self.array(at, c)))
            .collect();
        let nullable = columns.into_iter().map(|(name, array)| (name, array, true));
        let batch = RecordBatch::try_from_iter_with_nullable(nullable)
            .map_err(|e| failed(e.to_string()))?;
        let file = std::fs::File::create(path).map_err(|e| Error::io("create", path, e))?;
        let mut writer =
            ArrowWriter::try_new(file, batch.schema(), None).map_err(|e| failed(e.to_string()))?;
        writer.write(&batch).map_err(|e| failed(e.to_string()))?;
        writer.close().map(|_| ()).map_err(|e| failed(e.to_string()))
    }

    /// A column in Arrow: whole numbers, numbers and truth values as such, all else as text.
    fn array(&self, at: usize, column: &Column) -> ArrayRef {
        let series = column.as_materialized_series();
        let dtype = series.dtype();
        if dtype == &DataType::Boolean {
            if let Ok(values) = series.bool() {
                return Arc::new(values.iter().collect::<BooleanArray>());
            }
        } else if dtype.is_float() {
            let wide = series.cast(&DataType::Float64);
            if let Some(values) = wide.as_ref().ok().and_then(|s| s.f64().ok()) {
                return Arc::new(values.iter().collect::<Float64Array>());
            }
        } else if dtype.is_integer() {
            let wide = series.cast(&DataType::Int64);
            if let Some(values) = wide.as_ref().ok().and_then(|s| s.i64().ok()) {
                return Arc::new(values.iter().collect::<Int64Array>());
            }
        }
        Arc::new((0..self.n_rows()).map(|row| self.cell(row, at)).collect::<StringArray>())
    }
}
