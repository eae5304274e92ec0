// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eosin_core::{BackboneInfo, Error, Licence, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::builtin::BUILTIN;
use crate::card_bounds::expected_of;
use crate::file::read_regular_text;

/// What is known of one backbone: how it is built, fed and licensed, and where its weights are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Name by which everything else refers to it; two meanings of a name are two cards.
    pub name: String,
    /// Architecture family.
    pub family: String,
    /// One line for `eosin backbone ls`.
    #[serde(default)]
    pub summary: String,
    /// Side of the input in pixels.
    pub input_px: u32,
    /// Mean that is subtracted, in units of 0 to 1.
    pub mean: [f64; 3],
    /// Standard deviation that is divided by, in units of 0 to 1.
    pub std: [f64; 3],
    /// Filter with which tiles are brought to `input_px`.
    pub resampling: String,
    /// How features become one vector.
    pub pooling: String,
    /// Length of the vector.
    pub dim: u32,
    /// Arithmetic of the forward pass: `f32` where the card does not say, `f16` or `bf16` on burn's
    /// engines, `int8` for family `vit` on engine `native`.
    #[serde(default = "f32_precision")]
    pub precision: String,
    /// Data sets that the weights were trained on.
    pub training_sources: Vec<String>,
    /// The family's arguments.
    #[serde(default)]
    pub architecture: BTreeMap<String, toml::Value>,
    /// The weights' licence.
    pub licence: Licence,
    /// Where the weights come from.
    pub weights: WeightsSource,
    /// The folder of the card's file, to which paths in it are relative.
    #[serde(skip)]
    pub folder: Option<PathBuf>,
}

/// Where a backbone's weights come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WeightsSource {
    /// The family needs none.
    None {},
    /// They are part of the program.
    Embedded {
        /// Name of the embedded file.
        file: String,
        /// Its SHA-256.
        sha256: String,
        /// Where it was converted from.
        source: String,
    },
    /// They are a file of the user's.
    File {
        /// Path, relative to the card; none where the user names one when loading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
        /// SHA-256 that the file must have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// Where it can be had.
        source: String,
    },
    /// They are on a model hub, or in its cache.
    Hub {
        /// Owner and name of the repository.
        repo: String,
        /// Path within it; without it the first of the usual names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// Branch, tag or commit; a commit pins the file, since the hub may move the others.
        #[serde(default = "main_branch")]
        revision: String,
        /// SHA-256 that the file must have, on the hub, in its cache and when it is loaded; of
        /// shards that of their digests in the order of their names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// What to know before it is fetched, such as terms to accept.
        source: String,
    },
    /// They are drawn from a seed, to control for what training brings.
    Random {
        /// The seed.
        seed: u64,
    },
}

impl WeightsSource {
    /// The SHA-256 that weights must have wherever they are found, for cards that leave the place
    /// to the user or to a hub.
    ///
    /// Weights that a card names by path or holds itself may be replaced by the user's own.
    pub fn pinned_sha256(&self) -> Option<&str> {
        match self {
            Self::File { file: None, sha256, .. } | Self::Hub { sha256, .. } => sha256.as_deref(),
            _ => None,
        }
    }
}

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
    BUILTIN.iter().map(|text| Card::parse(text, Path::new("built-in card"))).collect()
}

impl Card {
    /// Reads a card's file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_regular_text(path, "a backbone card", MAX_BYTES)?;
        let folder = path.parent().map(Path::to_path_buf);
        Ok(Self { folder, ..Self::parse(&text, path)? })
    }

    /// Reads a card's text; `path` names it in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let card: Self = toml::from_str(text).map_err(|e| toml_error(path, text, &e))?;
        card.check(path)?;
        Ok(card)
    }

    /// The card that is part of the program under this name; an unknown one lists the known.
    pub fn builtin(name: &str) -> Result<Self> {
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

    /// The family's arguments as their own type.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T> {
        let table: toml::Table = self.architecture.clone().into_iter().collect();
        table.try_into().map_err(|e: toml::de::Error| {
            let message = e.message().trim().to_string();
            Error::input(
                format!("card {}, [architecture]", self.name),
                format!("the arguments of family {}", self.family),
                message.clone(),
                unknown_key_hint(&message),
            )
        })
    }

    /// What the contract says of the backbone, with what only its weights and its engine tell.
    pub fn info(&self, weights_sha256: String, parameters: u64, engine: String) -> BackboneInfo {
        BackboneInfo {
            name: self.name.clone(),
            family: self.family.clone(),
            architecture: self.architecture_text(),
            weights_sha256,
            parameters,
            input_px: self.input_px,
            mean: self.mean,
            std: self.std,
            resampling: self.resampling.clone(),
            pooling: self.pooling.clone(),
            dim: self.dim,
            precision: self.precision.clone(),
            licence: self.licence.clone(),
            training_sources: self.training_sources.clone(),
            engine,
        }
    }

    /// The family's arguments as text, as the contract carries them.
    pub fn architecture_text(&self) -> BTreeMap<String, String> {
        let text = |value: &toml::Value| match value {
            toml::Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        self.architecture.iter().map(|(key, value)| (key.clone(), text(value))).collect()
    }

    /// Refuses values that no backbone can have; `path` names the card in errors.
    ///
    /// Reading a card and making a network of it both ask, so a card that was changed in between,
    /// or made by a program, is held to the same bounds.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        let refuse = |key: &str, expected: String, found: String| {
            Err(Error::data(
                path,
                format!("{key} to be {expected}"),
                found,
                "mend the card; docs of eosin-backbone describe every key",
            ))
        };
        if self.name.is_empty() || self.name.contains(char::is_whitespace) {
            return refuse("name", "one word".into(), format!("`{}`", self.name));
        }
        if !(1..=4096).contains(&self.input_px) {
            return refuse("input_px", "1 to 4096".into(), self.input_px.to_string());
        }
        if !(1..=65_536).contains(&self.dim) {
            return refuse("dim", "1 to 65536".into(), self.dim.to_string());
        }
        if !self.std.iter().all(|s| STD.contains(s)) {
            let expected = format!("three numbers above 0, from {} to {}", STD.start(), STD.end());
            return refuse("std", expected, format!("{:?}", self.std));
        }
        if !self.mean.iter().all(|m| m.abs() <= MAX_MEAN) {
            let expected = format!("three numbers from -{MAX_MEAN} to {MAX_MEAN}");
            return refuse("mean", expected, format!("{:?}", self.mean));
        }
        for (key, value) in &self.architecture {
            if let Some(expected) = expected_of(&self.family, key, value) {
                return refuse(&format!("architecture.{key}"), expected, value.to_string());
            }
        }
        if !RESAMPLING.contains(&self.resampling.as_str()) {
            let known = format!("one of {}", RESAMPLING.join(", "));
            return refuse("resampling", known, format!("`{}`", self.resampling));
        }
        let digest = match &self.weights {
            WeightsSource::Embedded { sha256, .. } => Some(sha256),
            WeightsSource::File { sha256, .. } | WeightsSource::Hub { sha256, .. } => {
                sha256.as_ref()
            }
            WeightsSource::None {} | WeightsSource::Random { .. } => None,
        };
        if let Some(digest) = digest
            && (digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return refuse("weights.sha256", "64 hexadecimal digits".into(), digest.clone());
        }
        Ok(())
    }
}

fn f32_precision() -> String {
    "f32".into()
}

fn main_branch() -> String {
    "main".into()
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
