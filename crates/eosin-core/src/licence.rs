// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

/// A licence, which travels from a backbone to its embeddings and heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// SPDX identifier, or the name that its authors give it.
    pub name: String,
    /// Who may use it for what.
    pub allows: Use,
}

/// What a licence allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Any use, commercial included.
    Commercial,
    /// Any use but commercial.
    NonCommercial,
    /// Research alone.
    Research,
    /// Nobody knows; treated as not commercial.
    Unknown,
}

impl Licence {
    /// Whether commercial use is allowed.
    pub fn is_commercial(&self) -> bool {
        self.allows == Use::Commercial
    }
}
