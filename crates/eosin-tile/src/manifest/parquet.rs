// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::File;
use std::path::{Path, PathBuf};

use eosin_core::{Error, Result};

use super::Manifest;

/// Reads a Parquet file whose columns are text, numbers or truth values; a null is an empty cell.
#[cfg(feature = "parquet")]
pub(super) fn read(file: File, name: &Path, folder: PathBuf) -> Result<Manifest> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let broken = |error: parquet::errors::ParquetError| {
        Error::data(
            name,
            "a Parquet file packed with snappy, gzip or lz4, or not at all",
            error.to_string(),
            "write it again with compression=\"snappy\", or as CSV",
        )
    };
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let header = schema.root_schema().get_fields().iter().map(|f| f.name().to_string()).collect();
    let rows = reader.get_row_iter(None).map_err(broken)?;
    let records = rows.map(|row| {
        let row = row.map_err(broken)?;
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

/// Without the feature the file is named with what would read it.
#[cfg(not(feature = "parquet"))]
pub(super) fn read(_file: File, name: &Path, _folder: PathBuf) -> Result<Manifest> {
    Err(Error::unsupported(
        format!("{}: a Parquet manifest", name.display()),
        &["CSV"],
        "build with the cargo feature `parquet` of eosin-tile, or write the manifest as CSV",
    ))
}
