// SPDX-License-Identifier: MIT OR Apache-2.0

//! Finds rows that would let a test set leak into training.

use std::collections::BTreeMap;

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

mod near;

pub use near::{NearDuplicateSearch, NearDuplicates, NearPair};

/// What the check needs to know of one tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileRow<'a> {
    /// Its name, for messages.
    pub id: &'a str,
    /// Its patient or slide.
    pub group: &'a str,
    /// The split it stands in.
    pub split: &'a str,
    /// Its class.
    pub label: &'a str,
    /// Digest of its file or pixels, if known.
    pub digest: Option<&'a str>,
}

/// Everything suspicious that was found, each list ordered by its first row.
///
/// A report whose findings are waived, by [`LeakageReport::allow`], keeps them and says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeakageReport {
    /// Groups that stand in more than one split.
    pub shared_groups: Vec<SharedGroup>,
    /// Byte-identical tiles that stand in more than one split.
    pub shared_tiles: Vec<IdenticalTiles>,
    /// Byte-identical tiles that have more than one label, in one split or in several.
    pub conflicting_labels: Vec<IdenticalTiles>,
    /// Nearly equal embeddings across splits, where they were looked for.
    pub near_duplicates: Option<NearDuplicates>,
    /// Why the findings are accepted, where someone has said so.
    pub waiver: Option<String>,
}

/// A group in more than one split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedGroup {
    /// Its name.
    pub group: String,
    /// The splits it stands in.
    pub splits: Vec<String>,
    /// The number of its rows in each of those splits.
    pub counts: Vec<usize>,
    /// The first row of each of those splits, by name.
    pub rows: Vec<String>,
}

/// Tiles of equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdenticalTiles {
    /// Names of all of them, in order.
    pub rows: Vec<String>,
    /// The split of each.
    pub splits: Vec<String>,
    /// The label of each.
    pub labels: Vec<String>,
    /// The group of each.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Looks for groups and identical tiles across splits, and for identical tiles with two labels.
pub fn check(rows: &[TileRow]) -> LeakageReport {
    LeakageReport {
        shared_groups: shared_groups(rows),
        shared_tiles: identical_tiles(rows, |tile| tile.split),
        conflicting_labels: identical_tiles(rows, |tile| tile.label),
        ..LeakageReport::default()
    }
}

/// Byte-identical tiles of one split that stand in more than one group, such as a tile that was
/// filed under two patients: folds by group then hold one out and train on the other.
pub fn identical_in_groups(rows: &[TileRow], split: &str) -> Vec<IdenticalTiles> {
    let rows: Vec<TileRow> = rows.iter().filter(|row| row.split == split).copied().collect();
    identical_tiles(&rows, |tile| tile.group)
}

impl LeakageReport {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.shared_groups.is_empty()
            && self.shared_tiles.is_empty()
            && self.conflicting_labels.is_empty()
            && self.near_duplicates.as_ref().is_none_or(|near| near.n_pairs == 0)
    }

    /// Adds what a search for near-duplicate embeddings has found.
    #[must_use]
    pub fn with_near_duplicates(mut self, found: NearDuplicates) -> Self {
        self.near_duplicates = Some(found);
        self
    }

    /// Accepts the findings for a reason, which stays in the report; an empty one is refused.
    pub fn allow(mut self, reason: &str) -> Result<Self> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(Error::input(
                "reason for allowing leakage",
                "a sentence that a reader of the report can judge",
                "nothing",
                "say why rows on both sides of the split do no harm here",
            ));
        }
        self.waiver = Some(reason.to_string());
        Ok(self)
    }

    /// An error for the first finding, telling how many more there are; none where the findings
    /// are waived.
    pub fn ensure_clean(&self) -> Result<()> {
        if self.waiver.is_some() {
            return Ok(());
        }
        let more = |n: usize| match n {
            0 | 1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        if let Some(shared) = self.shared_groups.first() {
            return Err(Error::Leakage {
                what: format!("group {}{}", shared.group, more(self.shared_groups.len())),
                rows: name_with(&shared.rows, &shared.splits),
            });
        }
        if let Some(tiles) = self.shared_tiles.first() {
            return Err(Error::Leakage {
                what: format!("the same tile{}", more(self.shared_tiles.len())),
                rows: name_with(&tiles.rows, &tiles.splits),
            });
        }
        if let Some(tiles) = self.conflicting_labels.first() {
            return Err(Error::data(
                &tiles.rows[0],
                "one label for byte-identical tiles",
                format!(
                    "{}{}",
                    name_with(&tiles.rows, &tiles.labels).join(", "),
                    more(self.conflicting_labels.len())
                ),
                "correct the label or leave these tiles out",
            ));
        }
        if let Some(near) = self.near_duplicates.as_ref().filter(|near| near.n_pairs > 0) {
            let pair = near.pairs.first();
            return Err(Error::Leakage {
                what: format!("embeddings of cosine {} or more{}", near.cosine, more(near.n_pairs)),
                rows: pair.map_or(Vec::new(), |pair| name_with(&pair.rows, &pair.splits)),
            });
        }
        Ok(())
    }

    /// One sentence per finding, and the reason of a waiver, for a report.
    pub fn describe(&self) -> Vec<String> {
        let list = |names: &[String], notes: &[String]| name_with(names, notes).join(", ");
        let groups = self
            .shared_groups
            .iter()
            .map(|g| format!("group {} is in splits {}", g.group, g.splits.join(", ")));
        let tiles = self
            .shared_tiles
            .iter()
            .map(|t| format!("identical tiles across splits: {}", list(&t.rows, &t.splits)));
        let labels = self
            .conflicting_labels
            .iter()
            .map(|t| format!("identical tiles with two labels: {}", list(&t.rows, &t.labels)));
        let near = self.near_duplicates.iter().flat_map(|near| {
            near.pairs.iter().map(|pair| {
                let rows = name_with(&pair.rows, &pair.splits).join(", ");
                format!("embeddings of cosine {:.5} across splits: {rows}", pair.cosine)
            })
        });
        let waiver = self.waiver.iter().map(|reason| format!("allowed, because: {reason}"));
        groups.chain(tiles).chain(labels).chain(near).chain(waiver).collect()
    }
}

fn shared_groups(rows: &[TileRow]) -> Vec<SharedGroup> {
    let mut by_group: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
    for (i, tile) in rows.iter().enumerate() {
        by_group.entry(tile.group).or_default().entry(tile.split).or_default().push(i);
    }
    let mut found: Vec<(usize, SharedGroup)> = by_group
        .into_iter()
        .filter(|(_, splits)| splits.len() > 1)
        .map(|(group, splits)| {
            let first = splits.values().map(|at| at[0]).min().unwrap_or(0);
            let shared = SharedGroup {
                group: group.to_string(),
                splits: splits.keys().map(ToString::to_string).collect(),
                counts: splits.values().map(Vec::len).collect(),
                rows: splits.values().map(|at| rows[at[0]].id.to_string()).collect(),
            };
            (first, shared)
        })
        .collect();
    found.sort_by_key(|(first, _)| *first);
    found.into_iter().map(|(_, shared)| shared).collect()
}

/// Sets of identical tiles that differ in `aspect`.
fn identical_tiles<'a>(
    rows: &[TileRow<'a>],
    aspect: impl Fn(&TileRow<'a>) -> &'a str,
) -> Vec<IdenticalTiles> {
    let mut by_digest: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, tile) in rows.iter().enumerate() {
        if let Some(digest) = tile.digest {
            by_digest.entry(digest).or_default().push(i);
        }
    }
    let mut sets: Vec<Vec<usize>> = by_digest.into_values().collect();
    sets.retain(|set| set.iter().any(|&i| aspect(&rows[i]) != aspect(&rows[set[0]])));
    sets.sort_by_key(|set| set[0]);
    let names = |set: &[usize], of: &dyn Fn(&TileRow<'a>) -> &'a str| {
        set.iter().map(|&i| of(&rows[i]).to_string()).collect()
    };
    sets.iter()
        .map(|set| IdenticalTiles {
            rows: names(set, &|tile| tile.id),
            splits: names(set, &|tile| tile.split),
            labels: names(set, &|tile| tile.label),
            groups: names(set, &|tile| tile.group),
        })
        .collect()
}

fn name_with(names: &[String], notes: &[String]) -> Vec<String> {
    names.iter().zip(notes).take(6).map(|(name, note)| format!("{name} ({note})")).collect()
}

#[cfg(test)]
mod tests;
