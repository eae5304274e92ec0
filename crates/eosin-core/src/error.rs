// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use crate::FieldDifference;

/// The result of everything in Eosin that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by whose fault, with what was expected and found.
///
/// One type serves the whole workspace, because every trait of this crate returns it and the
/// command line maps its variants to exit codes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's: an argument, option or configuration value.
    #[error("{subject}: expected {expected}, found {found}")]
    Input {
        /// What was given wrongly, such as a configuration key.
        subject: String,
        /// What would have been accepted.
        expected: String,
        /// What was given.
        found: String,
        /// How to mend it.
        hint: String,
    },
    /// The data's: a file that is damaged or not what it should be.
    #[error("{path}: expected {expected}, found {found}")]
    Data {
        /// The file or the place in it.
        path: String,
        /// What a sound file has there.
        expected: String,
        /// What this file has there.
        found: String,
        /// How to mend it.
        hint: String,
    },
    /// The environment's: a file system, device or process refused.
    #[error("could not {action} {path}")]
    Environment {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: std::io::Error,
        /// How to mend it.
        hint: String,
    },
    /// Nobody's: a thing that Eosin does not do, or does not do in this build.
    #[error("{what} is not available{}", known_list(known))]
    Unsupported {
        /// What was asked for.
        what: String,
        /// What there is instead.
        known: Vec<String>,
        /// The feature, flag or package that brings it.
        hint: String,
    },
    /// Two sets of embeddings that must not be mixed.
    #[error("embeddings of two contracts meet; they differ in {}", difference_list(differences))]
    Contract {
        /// The fields in which the contracts differ.
        differences: Vec<FieldDifference>,
        /// How to mend it.
        hint: String,
    },
    /// Rows that belong together stand on both sides of a split.
    #[error("{what} on both sides of a split: {}", rows.join(", "))]
    Leakage {
        /// What is shared, such as `group p7`.
        what: String,
        /// Rows that show it, a few of them.
        rows: Vec<String>,
    },
}

impl Error {
    /// A wrong argument or configuration value.
    pub fn input(
        subject: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Input {
            subject: subject.into(),
            expected: expected.into(),
            found: found.into(),
            hint: hint.into(),
        }
    }

    /// A damaged file, or one that is not what it should be.
    pub fn data(
        path: impl AsRef<Path>,
        expected: impl Into<String>,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Data {
            path: path.as_ref().display().to_string(),
            expected: expected.into(),
            found: found.into(),
            hint: hint.into(),
        }
    }

    /// A refusal of the system to `action` a `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        let hint = match source.kind() {
            std::io::ErrorKind::NotFound => {
                "check the path; it is taken relative to the file that names it, or to the current folder"
            }
            std::io::ErrorKind::PermissionDenied => "check who may read or write there",
            std::io::ErrorKind::StorageFull => {
                "free some space, then run again: committed work is kept"
            }
            _ => "see the cause above",
        };
        Self::Environment { action, path: path.as_ref().to_owned(), source, hint: hint.into() }
    }

    /// A compute device that did not finish its work.
    pub fn device(name: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Environment {
            action: "compute on",
            path: name.as_ref().to_owned(),
            source: std::io::Error::other(reason.into()),
            hint: "give a smaller batch size, which needs less of the device's memory, or another \
                   engine"
                .into(),
        }
    }

    /// Something that is not there, with what is.
    pub fn unsupported(what: impl Into<String>, known: &[&str], hint: impl Into<String>) -> Self {
        Self::Unsupported {
            what: what.into(),
            known: known.iter().map(ToString::to_string).collect(),
            hint: hint.into(),
        }
    }

    /// Two sets of embeddings whose contracts differ in these fields.
    pub fn contract(differences: Vec<FieldDifference>) -> Self {
        let hint = "embed both with the same backbone card and settings, or name one set";
        Self::Contract { differences, hint: hint.into() }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Input { hint, .. }
            | Self::Data { hint, .. }
            | Self::Environment { hint, .. }
            | Self::Unsupported { hint, .. }
            | Self::Contract { hint, .. } => hint.clone(),
            Self::Leakage { .. } => {
                "give every tile of a patient or slide the same split in the manifest".into()
            }
        }
    }
}

fn known_list(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; known: {}", known.join(", ")) }
}

fn difference_list(differences: &[FieldDifference]) -> String {
    let parts: Vec<String> =
        differences.iter().map(|d| format!("{} ({} and {})", d.field, d.ours, d.theirs)).collect();
    parts.join(", ")
}
