// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::DataType;
use eosin_core::{Error, Result, lies_inside};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use polars::prelude::{DataFrame, NamedFrom, Series};

use crate::columns::{column, frame};
use crate::guarded::guarded;
use crate::text_table::{MAX_BYTES, open_regular};

/// Values of one column, gathered over batches.
enum Values {
    Text(Vec<Option<String>>),
    Whole(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Truth(Vec<Option<bool>>),
}

/// A Parquet file as a frame, with the names of columns that hold neither text nor numbers.
pub(crate) fn read_parquet(path: &Path) -> Result<(DataFrame, Vec<String>)> {
    let broken = |found: String| {
        Error::data(
            path,
            "a whole Parquet file",
            found,
            "files packed with zstd are not read: use snappy, gzip or lz4",
        )
    };
    // What is checked beforehand keeps the parquet crate from most panics on damaged files; it is
    // not written to have none.
    guarded(|| read_columns(path, &broken))
        .unwrap_or_else(|| Err(broken("pages that do not fit together".into())))
}

fn read_columns(
    path: &Path,
    broken: &impl Fn(String) -> Error,
) -> Result<(DataFrame, Vec<String>)> {
    let (file, bytes) = open_regular(path)?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(e.to_string()))?;
    check_parts(builder.metadata(), bytes).map_err(broken)?;
    let (mut names, mut values, mut left_out, mut roots) = (vec![], vec![], vec![], vec![]);
    for (at, field) in builder.schema().fields().iter().enumerate() {
        if let Some(empty) = Values::of(field.data_type()) {
            names.push(field.name().clone());
            values.push(empty);
            roots.push(at);
        } else {
            left_out.push(field.name().clone());
        }
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder.with_projection(mask).build().map_err(|e| broken(e.to_string()))?;
    for batch in reader {
        let batch = batch.map_err(|e| broken(e.to_string()))?;
        for (values, array) in values.iter_mut().zip(batch.columns()) {
            values.extend(array);
        }
    }
    let columns = names.iter().zip(values).map(|(name, v)| column(v.series(name))).collect();
    Ok((frame(columns)?, left_out))
}

/// Refuses counts and places that no whole file has, on which the parquet crate would panic or ask
/// for more memory than there is.
fn check_parts(metadata: &ParquetMetaData, file_bytes: u64) -> Result<(), String> {
    let counts = |n: i64| u64::try_from(n).is_ok_and(|n| n <= MAX_BYTES);
    let mut unpacked = 0_u64;
    for group in metadata.row_groups() {
        for column in group.columns() {
            let name = column.column_path().string();
            let data = column.data_page_offset();
            let starts = [column.dictionary_page_offset().unwrap_or(data), data];
            if !lies_inside(file_bytes, &starts, column.compressed_size()) {
                return Err(format!("column {name} outside of the file"));
            }
            if !counts(group.num_rows()) || !counts(column.num_values()) {
                return Err(format!("{} values of column {name}", column.num_values()));
            }
            let bytes = u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX);
            unpacked = unpacked.saturating_add(bytes);
        }
    }
    if unpacked > MAX_BYTES {
        return Err(format!("{unpacked} bytes when unpacked, where at most {MAX_BYTES} are read"));
    }
    Ok(())
}

impl Values {
    fn of(kind: &DataType) -> Option<Self> {
        Some(match kind {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Date32 => {
                Self::Text(Vec::new())
            }
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Self::Whole(Vec::new()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Real(Vec::new()),
            DataType::Boolean => Self::Truth(Vec::new()),
            DataType::Dictionary(_, value) => return Self::of(value),
            _ => return None,
        })
    }

    fn extend(&mut self, array: &dyn Array) {
        match self {
            Self::Text(all) => extend_text(all, array),
            Self::Whole(all) => match array.data_type() {
                DataType::Int8 => extend::<Int8Type, _>(all, array, i64::from),
                DataType::Int16 => extend::<Int16Type, _>(all, array, i64::from),
                DataType::Int32 => extend::<Int32Type, _>(all, array, i64::from),
                DataType::UInt8 => extend::<UInt8Type, _>(all, array, i64::from),
                DataType::UInt16 => extend::<UInt16Type, _>(all, array, i64::from),
                DataType::UInt32 => extend::<UInt32Type, _>(all, array, i64::from),
                DataType::UInt64 => extend::<UInt64Type, _>(all, array, |v| v as i64),
                _ => extend::<Int64Type, _>(all, array, |v| v),
            },
            Self::Real(all) => match array.data_type() {
                DataType::Float16 => extend::<Float16Type, _>(all, array, f64::from),
                DataType::Float32 => extend::<Float32Type, _>(all, array, f64::from),
                _ => extend::<Float64Type, _>(all, array, |v| v),
            },
            Self::Truth(all) => match array.as_boolean_opt() {
                Some(values) => all.extend(values.iter()),
                None => all.extend(std::iter::repeat_n(None, array.len())),
            },
        }
    }

    fn series(self, name: &str) -> Series {
        match self {
            Self::Text(values) => Series::new(name.into(), values),
            Self::Whole(values) => Series::new(name.into(), values),
            Self::Real(values) => Series::new(name.into(), values),
            Self::Truth(values) => Series::new(name.into(), values),
        }
    }
}

fn extend<T: ArrowPrimitiveType, V>(
    all: &mut Vec<Option<V>>,
    array: &dyn Array,
    convert: impl Fn(T::Native) -> V,
) {
    match array.as_primitive_opt::<T>() {
        Some(values) => all.extend(values.iter().map(|v| v.map(&convert))),
        // A dictionary of numbers; the reader gives them no other way.
        None => all.extend(std::iter::repeat_with(|| None).take(array.len())),
    }
}

fn extend_text(all: &mut Vec<Option<String>>, array: &dyn Array) {
    let own = |v: Option<&str>| v.map(str::to_string);
    if let Some(values) = array.as_string_opt::<i32>() {
        all.extend(values.iter().map(own));
    } else if let Some(values) = array.as_string_opt::<i64>() {
        all.extend(values.iter().map(own));
    } else if let Some(values) = array.as_string_view_opt() {
        all.extend(values.iter().map(own));
    } else if let Some(days) = array.as_primitive_opt::<Date32Type>() {
        all.extend(days.iter().map(|d| d.map(|d| iso_date(i64::from(d)))));
    } else if let Some(dictionary) = array.as_any_dictionary_opt() {
        let mut words = Vec::new();
        extend_text(&mut words, dictionary.values().as_ref());
        let keys = dictionary.normalized_keys();
        all.extend(
            (0..array.len()).map(|i| {
                if array.is_valid(i) { words.get(keys[i]).cloned().flatten() } else { None }
            }),
        );
    } else {
        all.extend(std::iter::repeat_with(|| None).take(array.len()));
    }
}

/// A day counted from 1970-01-01 as year, month and day, by Howard Hinnant's `civil_from_days`.
fn iso_date(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
