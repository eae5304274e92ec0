// SPDX-License-Identifier: MIT OR Apache-2.0

//! A set whose truth is in a bucket: its folder on the disk is a mirror of what was needed so far.
//!
//! Shards are named by their content and log entries never change, so whatever the mirror has is
//! right, and only what it lacks is fetched.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use eosin_core::{Contract, Error, Result};

use crate::durable::{create_folder, create_if_absent, create_temporary, place};
use crate::layout::SetPaths;
use crate::log::{self, Shard, State};
use crate::maintain::GcReport;
use crate::objects::Objects;

/// Fetches the log entries, and the contract, that the mirror lacks.
pub(crate) fn pull_log(set: &SetPaths) -> Result<()> {
    let Some(bucket) = set.bucket() else { return Ok(()) };
    let objects = bucket.list(&format!("{}/", set.key(&set.log())))?;
    if objects.is_empty() {
        return Ok(());
    }
    create_folder(&set.log())?;
    if !set.contract().exists() {
        pull_file(set, bucket, &set.contract())?;
    }
    for object in objects {
        let name = object.key.rsplit('/').next().unwrap_or_default();
        let path = set.log().join(name);
        if !path.exists() {
            pull_file(set, bucket, &path)?;
        }
    }
    Ok(())
}

/// Fetches a shard that the mirror lacks; bytes that are not those of the log are refused.
pub(crate) fn pull_shard(set: &SetPaths, shard: &Shard) -> Result<()> {
    let Some(bucket) = set.bucket() else { return Ok(()) };
    let path = set.shard(&shard.name);
    if path.exists() {
        return Ok(());
    }
    create_folder(&set.shards())?;
    let key = set.key(&path);
    let (temporary, file) = create_temporary(set.folder())?;
    let mut sink = Digesting { file, hasher: blake3::Hasher::new() };
    let pulled = bucket.download(&key, &mut sink).and_then(|found| {
        let digest = sink.hasher.finalize().to_hex();
        if found && digest.as_str() == shard.blake3 {
            sink.file.sync_all().map_err(|e| Error::io("write", &temporary, e))?;
            // Whoever was first fetched the same bytes.
            return place(&temporary, &path).map(|_| ());
        }
        let found = if found { format!("the BLAKE3 {digest}") } else { "nothing".to_string() };
        Err(Error::data(
            format!("{}/{key}", bucket.name()),
            format!("a shard with the BLAKE3 {}", shard.blake3),
            found,
            "restore the object from a copy, or embed its tiles again",
        ))
    });
    if pulled.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    pulled
}

/// Puts the contract of a new set into the bucket.
pub(crate) fn push_contract(set: &SetPaths, contract: &Contract) -> Result<()> {
    let Some(bucket) = set.bucket() else { return Ok(()) };
    bucket.create(&set.key(&set.contract()), contract.canonical().as_bytes()).map(|_| ())
}

/// Puts a shard of the mirror into the bucket, where it counts once the log names it.
pub(crate) fn push_shard(set: &SetPaths, path: &Path) -> Result<()> {
    let Some(bucket) = set.bucket() else { return Ok(()) };
    bucket.upload(&set.key(path), path)
}

/// Commits an entry in the bucket, and then in the mirror; tells whether the version was free.
pub(crate) fn push_entry(set: &SetPaths, path: &Path, json: &[u8]) -> Result<bool> {
    if let Some(bucket) = set.bucket()
        && !bucket.create(&set.key(path), json)?
    {
        pull_log(set)?;
        return Ok(false);
    }
    let put = create_if_absent(path, json)?;
    // In a mirror the bucket has decided, and another process may have fetched the entry already.
    Ok(put || set.bucket().is_some())
}

/// Sweeps shards that no entry refers to from the bucket.
///
/// An object that is about to be committed again by another writer is young, so `min_age` keeps it.
pub(crate) fn sweep_bucket(
    set: &SetPaths,
    state: &State,
    min_age: Duration,
    report: &mut GcReport,
) -> Result<()> {
    let Some(bucket) = set.bucket() else { return Ok(()) };
    let entries: HashMap<String, Duration> = bucket
        .list(&format!("{}/", set.key(&set.log())))?
        .into_iter()
        .map(|o| (o.key, o.age))
        .collect();
    let live = log::live_names(state);
    for object in bucket.list(&format!("{}/", set.key(&set.shards())))? {
        let name = object.key.rsplit('/').next().and_then(|n| n.strip_suffix(".parquet"));
        let Some(name) = name.filter(|n| log::is_shard_name(n) && !live.contains(n)) else {
            continue;
        };
        // A replaced shard is as old as its replacement, not as its bytes.
        let replaced = state.dead.get(name).map(|v| set.key(&set.entry(*v)));
        let age = replaced.and_then(|key| entries.get(&key)).copied().unwrap_or(object.age);
        if age >= min_age && object.age >= min_age {
            bucket.remove(&object.key)?;
            report.files += 1;
            report.bytes += object.bytes;
        }
    }
    Ok(())
}

fn pull_file(set: &SetPaths, bucket: &dyn Objects, path: &Path) -> Result<()> {
    let key = set.key(path);
    match bucket.read(&key)? {
        Some(bytes) => create_if_absent(path, &bytes).map(|_| ()),
        None => Err(Error::data(
            format!("{}/{key}", bucket.name()),
            "an object that the set needs",
            "nothing",
            "restore the object from a copy",
        )),
    }
}

/// A file that is digested while it is written.
struct Digesting {
    file: fs::File,
    hasher: blake3::Hasher,
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
