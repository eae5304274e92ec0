// SPDX-License-Identifier: MIT OR Apache-2.0

//! Configurations in TOML, with errors that name file and key.

use std::path::Path;

use eosin_core::{Error, Result, nearest};
use serde::de::DeserializeOwned;

use crate::limits::check_numbers;

/// Configurations are small; a larger file is not one.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a TOML file into `T`, with the nearest known key in the hint when one is unknown.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let about = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?;
    let size = about.len();
    // A pipe would wait for its writer, and a device never end.
    if size > MAX_BYTES || !about.is_file() {
        let found =
            if about.is_file() { format!("{size} bytes") } else { "something else".to_string() };
        return Err(Error::data(
            path,
            format!("a file with a configuration of at most {MAX_BYTES} bytes"),
            found,
            "pass a file of configs/run",
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let place = path.display().to_string();
    let table: toml::Table = toml::from_str(&text).map_err(|e| fault(&place, &e))?;
    check_numbers(&place, &table)?;
    // From the text, not from the table, so that a fault says in which line it is.
    toml::from_str(&text).map_err(|e| fault(&place, &e))
}

/// Reads the options of a component, which is named in the error.
pub fn options<T: DeserializeOwned>(component: &str, options: &toml::Table) -> Result<T> {
    let place = format!("options of {component}");
    check_numbers(&place, options)?;
    options.clone().try_into().map_err(|e| fault(&place, &e))
}

fn fault(place: &str, error: &toml::de::Error) -> Error {
    let message = error.message();
    // serde names keys between backticks: the unknown one first, then the known ones.
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let is_unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    match names.split_first() {
        Some((unknown, known)) if is_unknown => Error::data(
            place,
            format!("one of the keys {}", known.join(", ")),
            format!("`{unknown}`"),
            nearest(unknown, known.iter().copied())
                .map_or_else(|| "remove it".into(), |near| format!("did you mean `{near}`?")),
        ),
        _ => Error::data(
            place,
            "a valid configuration",
            error.to_string().trim().replace('\n', " "),
            "`eosin run --help` shows where examples lie",
        ),
    }
}
