// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the JSON formats share.

use std::fmt;
use std::io::Read;

use eosin_core::{Error, Result};
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use crate::read::{Found, Syntax, TokenGuard};

/// Reads a whole JSON file by `seed`, which is made for what is found. The file is never held.
pub(super) fn read_json<'a, 'f, T, S>(
    file: &mut dyn Read,
    found: &'f mut Found<'a>,
    seed: impl FnOnce(&'f mut Found<'a>) -> S,
) -> std::result::Result<T, serde_json::Error>
where
    S: for<'de> DeserializeSeed<'de, Value = T>,
{
    let guard = TokenGuard::new(file, Syntax::Json, found.limits().bytes);
    // serde_json goes at most 128 levels deep.
    let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::new(guard));
    let value = seed(found).deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// What went wrong, in words of the file.
pub(super) fn fault(found: &mut Found, expected: &str, error: serde_json::Error) -> Error {
    if let Some(stopped) = found.stopped.take() {
        return stopped;
    }
    let place = format!("at line {} column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => found.ends_early(&place),
        serde_json::error::Category::Io => found.io_fault(error.into()),
        _ => found.fault(expected, error.to_string()),
    }
}

/// Keeps an error while serde carries one of its own up.
pub(super) fn stop<E: de::Error>(found: &mut Found, error: Error) -> E {
    let text = error.to_string();
    found.stopped.get_or_insert(error);
    E::custom(text)
}

/// Gives what is there, or keeps the error and stops.
pub(super) fn or_stop<T, E: de::Error>(
    found: &mut Found,
    outcome: Result<T>,
) -> std::result::Result<T, E> {
    outcome.map_err(|error| stop(found, error))
}

/// A name that may be written as a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(pub(super) String);

impl<'de> de::Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a name or a number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Name, E> {
                Ok(Name(text.into()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Name, E> {
                Ok(Name(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> std::result::Result<Name, E> {
                Ok(Name(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> std::result::Result<Name, E> {
                Ok(Name(number.to_string()))
            }
        }
        deserializer.deserialize_any(NameVisitor)
    }
}
