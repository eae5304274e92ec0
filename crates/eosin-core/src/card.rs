// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BackboneInfo, Error, Licence, Options, Result};

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
    pub architecture: Options,
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

impl Card {
    /// The family's arguments as their own type.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T> {
        let place = format!("card {}, [architecture]", self.name);
        self.architecture.read(&place).map_err(|error| match error {
            // What is wrong is the card's, which a program may have made.
            Error::Data { expected, found, hint, .. } => {
                Error::Input { subject: place, expected, found, hint }
            }
            other => other,
        })
    }

    /// The file of weights: the one that is given, or the one that the card names.
    pub fn weights_file(&self, given: Option<&Path>) -> Option<PathBuf> {
        match (given, &self.weights) {
            (Some(path), _) => Some(path.to_owned()),
            (None, WeightsSource::File { file: Some(file), .. }) => {
                Some(self.folder.as_deref().unwrap_or(Path::new("")).join(file))
            }
            _ => None,
        }
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
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => written(other),
        };
        self.architecture.iter().map(|(key, value)| (key.to_string(), text(value))).collect()
    }
}

/// A value as TOML writes it, so that contracts do not depend on how a card was read.
fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(real) if real.fract() == 0.0 => format!("{real:.1}"),
            Some(real) => real.to_string(),
            None => number.to_string(),
        },
        Value::Array(values) => {
            format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        Value::Object(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{key} = {}", written(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn f32_precision() -> String {
    "f32".into()
}

fn main_branch() -> String {
    "main".into()
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn contracts_keep_the_text_of_toml() {
        let cases = [
            ("1.0", "1.0"),
            ("5.3375", "5.3375"),
            ("1e-6", "0.000001"),
            ("12", "12"),
            ("[3, 4, 6, 3]", "[3, 4, 6, 3]"),
            ("true", "true"),
            (r#"["a"]"#, r#"["a"]"#),
            (r#"{"a": 1}"#, "{ a = 1 }"),
        ];
        for (json, text) in cases {
            assert_eq!(written(&serde_json::from_str(json).unwrap()), text);
        }
    }
}
