// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::File;
use std::path::{Path, PathBuf};

use eosin_core::{Error, Result};

use super::Manifest;

/// Reads a Parquet file whose columns are text, numbers or truth values; a null is an empty cell.
#[cfg(feature = "parquet")]
pub(super) fn read(file: File, name: &Path, folder: PathBuf) -> Result<Manifest> {
    // What is checked beforehand keeps the parquet crate from most panics on damaged files; it is
    // not written to have none. The command prints nothing of panics in threads of this name.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("guarded".into());
        let work = move || rows(file, name, folder);
        let thread = thread.spawn_scoped(scope, work).map_err(|e| Error::io("read", name, e))?;
        let panicked = |_| Err(broken(name, "pages that do not fit together".to_string()));
        thread.join().unwrap_or_else(panicked)
    })
}

#[cfg(feature = "parquet")]
fn broken(name: &Path, found: String) -> Error {
    Error::data(
        name,
        "a Parquet file packed with snappy, gzip or lz4, or not at all",
        found,
        "write it again with compression=\"snappy\", or as CSV",
    )
}

#[cfg(feature = "parquet")]
fn rows(file: File, name: &Path, folder: PathBuf) -> Result<Manifest> {
    use parquet::errors::ParquetError;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let parquet_error = |error: ParquetError| broken(name, error.to_string());
    let bytes = file.metadata().map_err(|e| Error::io("read manifest", name, e))?.len();
    let reader = SerializedFileReader::new(file).map_err(parquet_error)?;
    check_parts(reader.metadata(), bytes).map_err(|found| broken(name, found))?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let header = schema.root_schema().get_fields().iter().map(|f| f.name().to_string()).collect();
    let rows = reader.get_row_iter(None).map_err(parquet_error)?;
    let records = rows.map(|row| {
        let row = row.map_err(parquet_error)?;
        Ok(row
            .get_column_iter()
            .map(|(_, field)| match field {
                Field::Null => String::new(),
                Field::Str(text) => text.trim().to_string(),
                Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).trim().to_string(),
                // `to_string` writes numbers of few digits in another way than CSV has them.
                Field::Float(value) => value.to_string(),
                Field::Double(value) => value.to_string(),
                other => other.to_string(),
            })
            .collect())
    });
    Manifest::assemble(name, folder, header, records)
}

/// Refuses counts and places that no whole file has, on which the parquet crate would panic or ask
/// for more memory than there is.
#[cfg(feature = "parquet")]
fn check_parts(
    metadata: &parquet::file::metadata::ParquetMetaData,
    file_bytes: u64,
) -> Result<(), String> {
    use eosin_core::lies_inside;

    use super::limits::{MAX_BYTES, MAX_CELLS};

    let counts = |n: i64| usize::try_from(n).is_ok_and(|n| n <= MAX_CELLS);
    if !counts(metadata.file_metadata().num_rows()) {
        return Err(format!("{} rows", metadata.file_metadata().num_rows()));
    }
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
            unpacked = unpacked
                .saturating_add(u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX));
        }
    }
    if unpacked > MAX_BYTES {
        return Err(format!("{unpacked} bytes when unpacked, where at most {MAX_BYTES} are read"));
    }
    Ok(())
}

/// Without the feature the file is named with what would read it.
#[cfg(not(feature = "parquet"))]
pub(super) fn read(_file: File, name: &Path, _folder: PathBuf) -> Result<Manifest> {
    Err(Error::unsupported(
        format!("{}: a Parquet manifest", name.display()),
        &["CSV"],
        "build with the cargo feature `parquet` of eosin-tile, or write the manifest as CSV",
    ))
}
