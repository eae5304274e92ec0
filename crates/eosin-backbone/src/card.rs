// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{Card, Error, Result, WeightsSource};

use crate::builtin::BUILTIN;
use crate::card_bounds::expected_of;
use crate::file::read_regular_text;

/// Cards are small; a larger file is none.
const MAX_BYTES: u64 = 1 << 20;
/// The largest mean, and the range of deviations, in units of 0 to 1: wide enough for any scaling
/// of bytes, and no product with them leaves the range of `f32`.
const MAX_MEAN: f64 = 1e6;
const STD: std::ops::RangeInclusive<f64> = 1e-6..=1e6;
/// Filters that the tile reader has.
const RESAMPLING: [&str; 4] = ["nearest", "bilinear", "bicubic", "lanczos"];

/// The cards that are part of the program, in the order of their names.
pub fn builtin_cards() -> Result<Vec<Card>> {
    BUILTIN.iter().map(|text| parse_card(text, Path::new("built-in card"))).collect()
}

/// Reads a card's file.
pub fn read_card(path: &Path) -> Result<Card> {
    let text = read_regular_text(path, "a backbone card", MAX_BYTES)?;
    let folder = path.parent().map(Path::to_path_buf);
    Ok(Card { folder, ..parse_card(&text, path)? })
}

/// Reads a card's text; `path` names it in errors.
pub fn parse_card(text: &str, path: &Path) -> Result<Card> {
    let card: Card = toml::from_str(text).map_err(|e| toml_error(path, text, &e))?;
    check_card(&card, path)?;
    Ok(card)
}

/// The card that is part of the program under this name; an unknown one lists the known.
pub fn builtin_card(name: &str) -> Result<Card> {
    let cards = builtin_cards()?;
    if let Some(card) = cards.iter().find(|c| c.name == name) {
        return Ok(card.clone());
    }
    let known: Vec<&str> = cards.iter().map(|c| c.name.as_str()).collect();
    Err(Error::unsupported(
        format!("backbone `{name}`"),
        &known,
        "name a built-in card, or the path of a card's TOML file",
    ))
}

/// Refuses values that no backbone can have; `path` names the card in errors.
///
/// Reading a card and making a network of it both ask, so a card that was changed in between,
/// or made by a program, is held to the same bounds.
pub(crate) fn check_card(card: &Card, path: &Path) -> Result<()> {
    let refuse = |key: &str, expected: String, found: String| {
        Err(Error::data(
            path,
            format!("{key} to be {expected}"),
            found,
            "mend the card; docs of eosin-backbone describe every key",
        ))
    };
    if card.name.is_empty() || card.name.contains(char::is_whitespace) {
        return refuse("name", "one word".into(), format!("`{}`", card.name));
    }
    if !(1..=4096).contains(&card.input_px) {
        return refuse("input_px", "1 to 4096".into(), card.input_px.to_string());
    }
    if !(1..=65_536).contains(&card.dim) {
        return refuse("dim", "1 to 65536".into(), card.dim.to_string());
    }
    if !card.std.iter().all(|s| STD.contains(s)) {
        let expected = format!("three numbers above 0, from {} to {}", STD.start(), STD.end());
        return refuse("std", expected, format!("{:?}", card.std));
    }
    if !card.mean.iter().all(|m| m.abs() <= MAX_MEAN) {
        let expected = format!("three numbers from -{MAX_MEAN} to {MAX_MEAN}");
        return refuse("mean", expected, format!("{:?}", card.mean));
    }
    for (key, value) in card.architecture.iter() {
        if let Some(expected) = expected_of(&card.family, key, value) {
            return refuse(&format!("architecture.{key}"), expected, value.to_string());
        }
    }
    if !RESAMPLING.contains(&card.resampling.as_str()) {
        let known = format!("one of {}", RESAMPLING.join(", "));
        return refuse("resampling", known, format!("`{}`", card.resampling));
    }
    let digest = match &card.weights {
        WeightsSource::Embedded { sha256, .. } => Some(sha256),
        WeightsSource::File { sha256, .. } | WeightsSource::Hub { sha256, .. } => sha256.as_ref(),
        WeightsSource::None {} | WeightsSource::Random { .. } => None,
    };
    if let Some(digest) = digest
        && (digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return refuse("weights.sha256", "64 hexadecimal digits".into(), digest.clone());
    }
    Ok(())
}

fn toml_error(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map_or(1, |span| {
        text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)
    });
    let message = error.message().trim().replace('\n', "; ");
    let hint = unknown_key_hint(&message);
    Error::data(format!("{}:{line}", path.display()), "a backbone card", message, hint)
}

/// serde tells an unknown key and the known ones in backticks; the nearest of these is what the
/// user meant.
fn unknown_key_hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let nearest = quoted.next().and_then(|unknown| {
        quoted.min_by_key(|known| strsim::levenshtein(known, unknown)).map(str::to_string)
    });
    match nearest {
        Some(known) if message.starts_with("unknown") => format!("did you mean `{known}`?"),
        _ => "compare with a card that `eosin backbone show NAME` prints".into(),
    }
}
