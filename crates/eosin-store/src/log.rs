// SPDX-License-Identifier: MIT OR Apache-2.0

//! The log of a set: one file per version, and the state that folding them gives.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::Dtype;
use crate::layout::{FORMAT, SetPaths};
use crate::mirror;

/// A shard as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shard {
    /// Name of the file in `shards/`, without its extension: the start of its digest.
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Digest of the whole file.
    pub(crate) blake3: String,
    pub(crate) dtype: Dtype,
    /// Whether its embeddings are packed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cold: bool,
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    format: u32,
    version: u64,
    adds: Vec<Shard>,
    removes: Vec<String>,
    /// All live shards in the order of their rows; without it, additions go to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<Vec<String>>,
}

/// A commit that takes the place of shards, and so holds only for the state it was made from.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) adds: Vec<Shard>,
    pub(crate) removes: Vec<String>,
    pub(crate) order: Vec<String>,
}

/// What is committed at some version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The last version, 0 before the first commit.
    pub(crate) version: u64,
    /// Live shards in the order of their rows.
    pub(crate) shards: Vec<Shard>,
    /// Shards that were live, with the version that removed them.
    pub(crate) dead: BTreeMap<String, u64>,
}

impl State {
    pub(crate) fn rows(&self) -> u64 {
        self.shards.iter().map(|s| s.rows).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.shards.iter().map(|s| s.bytes).sum()
    }

    /// The number type of the set's shards, which never mix.
    pub(crate) fn dtype(&self) -> Option<Dtype> {
        self.shards.first().map(|s| s.dtype)
    }

    /// Takes over a commit; `None` where its order does not fit.
    fn apply(mut self, entry: Entry) -> Option<Self> {
        self.version = entry.version;
        self.shards.retain(|s| !entry.removes.contains(&s.name));
        self.dead.extend(entry.removes.into_iter().map(|name| (name, entry.version)));
        for add in entry.adds {
            self.dead.remove(&add.name);
            // A shard is named by its content: adding it twice is one and the same commit, as
            // after a writer that was cut off before it heard of its success.
            if self.shards.iter().all(|s| s.name != add.name) {
                self.shards.push(add);
            }
        }
        if let Some(order) = entry.order {
            let mut by_name: HashMap<String, Shard> =
                self.shards.drain(..).map(|s| (s.name.clone(), s)).collect();
            self.shards = order.iter().map(|n| by_name.remove(n)).collect::<Option<Vec<_>>>()?;
            if !by_name.is_empty() {
                return None;
            }
        }
        Some(self)
    }
}

/// Folds a set's log; a set without one is at version 0.
pub(crate) fn read_state(set: &SetPaths) -> Result<State> {
    mirror::pull_log(set)?;
    let mut state = State::default();
    for version in versions(&set.log())? {
        let path = set.entry(version);
        if version != state.version + 1 {
            return Err(Error::data(
                set.entry(state.version + 1),
                "an entry for every version of the log",
                format!("none, but one for version {version}"),
                "restore the log from a copy; without it committed rows cannot be told from others",
            ));
        }
        state = state.apply(read_entry(&path, version)?).ok_or_else(|| {
            damaged_entry(&path, version, "an order that is not that of the live shards")
        })?;
    }
    Ok(state)
}

fn read_entry(path: &Path, version: u64) -> Result<Entry> {
    let bytes = fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let damaged = |found: String| damaged_entry(path, version, &found);
    // The format is read first, so that a later release's entry is named as such.
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    if value.get("format").and_then(serde_json::Value::as_u64) == Some(1) {
        return Err(Error::data(
            path,
            format!("a log entry of format {FORMAT}"),
            "format 1, of eosin 0.1.0 before rows said which file they were read from, so that \
             tiles and slides of one name cannot be told apart",
            "embed again into another folder, for example with --store NEW or --out NEW; the old \
             folder stays as it is for the release that wrote it",
        ));
    }
    if value.get("format").and_then(serde_json::Value::as_u64) != Some(u64::from(FORMAT)) {
        return Err(damaged(format!("format {}", value["format"])));
    }
    let entry: Entry = serde_json::from_value(value).map_err(|e| damaged(e.to_string()))?;
    if entry.version != version {
        return Err(damaged(format!("an entry for version {}", entry.version)));
    }
    if let Some(add) = entry.adds.iter().find(|a| !is_shard_name(&a.name)) {
        // The name becomes a path, so nothing but a digest is accepted.
        return Err(damaged(format!("a shard named {:?}", add.name)));
    }
    Ok(entry)
}

fn damaged_entry(path: &Path, version: u64, found: &str) -> Error {
    Error::data(
        path,
        format!("a log entry of format {FORMAT} for version {version}"),
        found,
        "restore the file from a copy, or read the store with the release that wrote it",
    )
}

/// Appends an entry that only adds; writers that collide all get a version of their own.
pub(crate) fn commit_adds(set: &SetPaths, adds: &[Shard]) -> Result<u64> {
    mirror::pull_log(set)?;
    let mut version = versions(&set.log())?.last().copied().unwrap_or(0) + 1;
    let mut entry =
        Entry { format: FORMAT, version, adds: adds.to_vec(), removes: Vec::new(), order: None };
    while !put_entry(set, &entry)? {
        version += 1;
        entry.version = version;
    }
    Ok(version)
}

/// Appends an entry that replaces or removes shards of `state`; `None` when another commit came
/// first, since the shards may be gone.
pub(crate) fn commit_change(set: &SetPaths, state: &State, change: Change) -> Result<Option<u64>> {
    let Change { adds, removes, order } = change;
    let version = state.version + 1;
    let entry = Entry { format: FORMAT, version, adds, removes, order: Some(order) };
    Ok(put_entry(set, &entry)?.then_some(version))
}

fn put_entry(set: &SetPaths, entry: &Entry) -> Result<bool> {
    let path = set.entry(entry.version);
    let mut json = serde_json::to_vec(entry)
        .map_err(|e| Error::io("commit", &path, std::io::Error::other(e)))?;
    json.push(b'\n');
    mirror::push_entry(set, &path, &json)
}

/// The versions that a log folder holds, in order; none where there is no folder.
pub(crate) fn versions(log: &Path) -> Result<Vec<u64>> {
    let listing = match fs::read_dir(log) {
        Ok(listing) => listing,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", log, e)),
    };
    let mut versions = Vec::new();
    for item in listing {
        let name = item.map_err(|e| Error::io("list", log, e))?.file_name();
        let digits = name.to_str().and_then(|n| n.strip_suffix(".json"));
        if let Some(version) = digits.filter(|d| d.len() == 20).and_then(|d| d.parse().ok()) {
            versions.push(version);
        }
    }
    versions.sort_unstable();
    Ok(versions)
}

/// Whether `name` is what shards are called.
pub(crate) fn is_shard_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Names of live shards.
pub(crate) fn live_names(state: &State) -> HashSet<&str> {
    state.shards.iter().map(|s| s.name.as_str()).collect()
}
