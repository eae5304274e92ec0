// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Everything on which the numbers of an embedding depend.
///
/// Two sets may be compared, joined or trained on together only if every field agrees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Version of this list of fields.
    pub version: u32,
    /// Name of the backbone's card.
    pub backbone: String,
    /// SHA-256 of the weights file, or a description of how they were generated.
    pub weights_sha256: String,
    /// The family's arguments, as the card gives them.
    pub architecture: BTreeMap<String, String>,
    /// Side of the network's input in pixels.
    pub input_px: u32,
    /// Mean that is subtracted, in units of 0 to 1.
    pub mean: [f64; 3],
    /// Standard deviation that is divided by, in units of 0 to 1.
    pub std: [f64; 3],
    /// Filter from tile to input, with `antialias` or without.
    pub resampling: String,
    /// How patch or pixel features become one vector.
    pub pooling: String,
    /// Length of the vector.
    pub dim: u32,
    /// Arithmetic of the forward pass.
    pub precision: String,
    /// Side of a tile in µm, `None` where no resolution is known.
    pub tile_um: Option<f64>,
    /// Side of a tile in pixels before resampling to the input, 0 where tiles vary.
    pub tile_px: u32,
    /// How the requested resolution is met.
    pub mpp_policy: String,
    /// Kind and version of the tile reader.
    pub reader: String,
    /// The image views that were embedded: `identity`, or a bank's description.
    pub view: String,
}

/// BLAKE3 of a contract's canonical form, 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

/// A field in which two contracts differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// Name of the field.
    pub field: String,
    /// The first contract's value.
    pub ours: String,
    /// The second contract's value.
    pub theirs: String,
}

impl Contract {
    /// The version that this release writes.
    pub const VERSION: u32 = 1;

    /// Canonical form: JSON with sorted keys and no spaces.
    pub fn canonical(&self) -> String {
        // Through `Value`, whose map sorts its keys.
        serde_json::to_value(self).map(|v| v.to_string()).unwrap_or_default()
    }

    /// The digest of the canonical form.
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = blake3::hash(self.canonical().as_bytes()).to_hex();
        Fingerprint(digest[..32].to_string())
    }

    /// The same contract for other views of the same tiles.
    pub fn with_view(&self, view: &str) -> Self {
        Self { view: view.to_string(), ..self.clone() }
    }

    /// The fields in which `self` and `other` differ.
    pub fn differences(&self, other: &Self) -> Vec<FieldDifference> {
        let (Ok(serde_json::Value::Object(ours)), Ok(serde_json::Value::Object(theirs))) =
            (serde_json::to_value(self), serde_json::to_value(other))
        else {
            return Vec::new();
        };
        ours.iter()
            .filter_map(|(field, value)| {
                let other = theirs.get(field)?;
                (value != other).then(|| FieldDifference {
                    field: field.clone(),
                    ours: value.to_string(),
                    theirs: other.to_string(),
                })
            })
            .collect()
    }

    /// An error that names the differing fields unless the contracts agree.
    pub fn ensure_same(&self, other: &Self) -> Result<()> {
        let differences = self.differences(other);
        if differences.is_empty() { Ok(()) } else { Err(Error::contract(differences)) }
    }
}

impl Fingerprint {
    /// Reads a fingerprint as it was printed.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(Error::input(
                "fingerprint",
                "32 hexadecimal digits",
                text,
                "copy it from `eosin inspect`",
            ))
        }
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
