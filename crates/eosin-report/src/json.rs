// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reports as text; every kind of report is written and read alike.

use eosin_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Indented, keys in the order of the fields, with a newline at its end.
pub(crate) fn write<T: Serialize>(report: &T, name: &str, hint: &str) -> Result<String> {
    let json = serde_json::to_string_pretty(report).map_err(|error| {
        Error::input(name, "values that JSON can hold", error.to_string(), hint)
    })?;
    Ok(json + "\n")
}

/// Reads what [`write`] wrote; `expected` says what kind of report that is.
pub(crate) fn read<T: DeserializeOwned>(
    json: &str,
    file: &str,
    expected: &str,
    hint: &str,
) -> Result<T> {
    serde_json::from_str(json)
        .map_err(|error| Error::input(file, expected, error.to_string(), hint))
}
