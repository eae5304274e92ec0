// SPDX-License-Identifier: MIT OR Apache-2.0

//! Numbers on the command line: the limits of the configurations' keys of the same names.

use clap::builder::ValueParser;
use eosin::limit;

/// Reads a whole number within the limit of `name`, which fits `T`.
pub fn whole<T>(name: &'static str) -> ValueParser
where
    T: TryFrom<u64> + Clone + Send + Sync + 'static,
{
    let read = move |text: &str| {
        let value = limit(name).parse_whole(text)?;
        T::try_from(value).map_err(|_| format!("{value} is too large"))
    };
    ValueParser::new(read)
}

/// Reads a number within the limit of `name`.
pub fn real(name: &'static str) -> ValueParser {
    ValueParser::new(move |text: &str| limit(name).parse(text))
}
