// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

/// Hexadecimal digits that are kept of a digest: two of a million rows are alike by chance in one
/// of 10⁷ heads.
const DIGITS: usize = 16;

/// What a head remembers of the rows that it was trained on, so that it is not evaluated on them.
///
/// Files and groups are kept as digests. Who guesses the name of a group can find out whether it is
/// among them: names of patients belong in no manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainedOn {
    /// Each class's share of the rows; empty where it is not known.
    pub shares: Vec<f64>,
    files: Vec<String>,
    groups: Vec<String>,
}

impl TrainedOn {
    /// Takes the rows' classes, the digests of the files that their tiles were read from, and their
    /// groups; an empty digest is of a file that could not be read.
    pub fn new<'a>(
        n_classes: usize,
        labels: &[u32],
        files: impl IntoIterator<Item = &'a str>,
        groups: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let n = labels.len().max(1) as f64;
        let share = |class: u32| labels.iter().filter(|&&l| l == class).count() as f64 / n;
        let digests = |names: &mut dyn Iterator<Item = &'a str>| {
            let mut found: Vec<String> = names.filter(|n| !n.is_empty()).map(digest).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        Self {
            shares: (0..n_classes as u32).map(share).collect(),
            files: digests(&mut files.into_iter()),
            groups: digests(&mut groups.into_iter()),
        }
    }

    /// Whether anything is known; heads of older releases do not say.
    pub fn is_known(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Whether a tile was read from a file with this digest.
    pub fn has_file(&self, file: &str) -> bool {
        !file.is_empty() && self.files.binary_search(&digest(file)).is_ok()
    }

    /// Whether a row was of this group.
    pub fn has_group(&self, group: &str) -> bool {
        self.groups.binary_search(&digest(group)).is_ok()
    }

    /// Files and groups.
    pub fn counts(&self) -> (usize, usize) {
        (self.files.len(), self.groups.len())
    }
}

fn digest(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..DIGITS].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_trained_on_is_known_again_and_nothing_else() {
        let known = TrainedOn::new(2, &[0, 1, 0, 0], ["f1", "f2", "", "f1"], ["p", "q", "p", "p"]);
        assert_eq!(known.shares, [0.75, 0.25]);
        assert_eq!(known.counts(), (2, 2));
        assert!(known.has_file("f2") && known.has_group("q"));
        assert!(!known.has_file("q") && !known.has_group("f2") && !known.has_file(""));
        assert!(known.is_known() && !TrainedOn::default().is_known());
    }
}
