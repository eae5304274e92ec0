// SPDX-License-Identifier: MIT OR Apache-2.0

//! Changes to what is committed: rows that are dropped, shards that are merged, files that are
//! swept.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use eosin_core::{Error, Fingerprint, Result};

use crate::cache::cache_path;
use crate::durable::TEMPORARY;
use crate::log::{self, Change, Shard};
use crate::mirror;
use crate::open_set::OpenSet;
use crate::parquet_store::{ParquetStore, StoreOptions};
use crate::read::RowKey;
use crate::set_lock::SetLock;
use crate::shard_reader::ShardReader;
use crate::shard_writer::{FinishedShard, publish_all};
use crate::writer::ParquetWriter;

/// What [`ParquetStore::compact`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Shards before.
    pub shards_before: u64,
    /// Shards after.
    pub shards_after: u64,
    /// Rows that a later commit of the same tile and view had superseded, and that are gone now.
    pub rows_dropped: u64,
}

/// What [`ParquetStore::gc`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Files that nothing referred to.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The least age below which [`ParquetStore::gc`] sweeps nothing, unless nobody else uses the
/// store.
pub const MIN_AGE: Duration = Duration::from_mins(15);

/// How often a change is tried again when other writers commit in between.
pub(crate) const ATTEMPTS: usize = 20;

/// Rows that are read at a time to be written anew.
const REWRITTEN_ROWS: usize = 1024;

impl ParquetStore {
    /// Drops rows, in one commit, and returns how many there were.
    ///
    /// The rest of their shards is written anew, so drop many rows in one call.
    pub fn remove_rows(&self, set: &Fingerprint, keys: &BTreeSet<RowKey>) -> Result<u64> {
        self.change(set, |open| self.without_rows(open, keys)).map(|(plan, _)| plan.dropped)
    }

    /// The shards without the rows of `keys`; where none is there, nothing is removed.
    pub(crate) fn without_rows(&self, open: &OpenSet, keys: &BTreeSet<RowKey>) -> Result<Plan> {
        let mut plan = Plan::default();
        for shard in &open.state.shards {
            let found = ShardReader::open(&open.paths, shard, &open.contract)?.read_keys()?;
            let keep: Vec<usize> =
                (0..found.len()).filter(|&i| !keys.contains(&found[i])).collect();
            plan.dropped += shard.rows - keep.len() as u64;
            if keep.len() as u64 == shard.rows {
                plan.keep(shard);
            } else {
                // What was one shard stays one.
                let one = StoreOptions {
                    min_shard_rows: usize::MAX,
                    max_shard_rows: usize::MAX,
                    ..self.options()
                };
                plan.replace(&[shard], self.rewrite(open, &[(shard, keep)], one)?);
            }
        }
        Ok(plan)
    }

    /// Merges small neighbouring shards and drops rows that a later commit superseded.
    ///
    /// With [`StoreOptions::cold`], shards that are not packed yet are packed. Rows keep their
    /// order; the old files stay until [`ParquetStore::gc`].
    pub fn compact(&self, set: &Fingerprint) -> Result<CompactReport> {
        let (plan, before) = self.change(set, |open| {
            let latest = latest_rows(open)?;
            let mut plan = Plan::default();
            let mut run: Vec<(&Shard, Vec<usize>)> = Vec::new();
            let mut run_rows = 0;
            for (shard, keep) in open.state.shards.iter().zip(latest) {
                plan.dropped += shard.rows - keep.len() as u64;
                let settled = self.is_settled(shard, &keep);
                let large = shard.rows >= self.options().min_shard_rows as u64;
                let fits = run_rows + keep.len() <= self.options().max_shard_rows;
                if (settled && large) || !fits {
                    self.end_run(open, &mut run, &mut plan)?;
                    run_rows = 0;
                }
                if settled && large {
                    plan.keep(shard);
                } else {
                    run_rows += keep.len();
                    run.push((shard, keep));
                }
            }
            self.end_run(open, &mut run, &mut plan)?;
            Ok(plan)
        })?;
        Ok(CompactReport {
            shards_before: before,
            shards_after: plan.order.len() as u64,
            rows_dropped: plan.dropped,
        })
    }

    /// Removes files that the log does not refer to: temporaries and shards of writers that were
    /// cut off, and shards that were replaced.
    ///
    /// Files younger than `min_age` stay, since a writer may be about to commit them or a reader
    /// about to read them. It is at least [`MIN_AGE`], which leaves room for the clocks of two
    /// machines, or zero, which is right when nobody else uses the store.
    pub fn gc(&self, set: &Fingerprint, min_age: Duration) -> Result<GcReport> {
        check_min_age(min_age)?;
        let mut report = GcReport::default();
        let open = self.open_set(set)?;
        let open = {
            let _lock = SetLock::to_sweep(&open.paths)?;
            // What was committed before the lock was had counts, and nothing is until it is let go.
            let open = self.open_set(set)?;
            sweep_folders(&open, min_age, &mut report)?;
            open
        };
        mirror::sweep_bucket(&open.paths, &open.state, min_age, &mut report)?;
        Ok(report)
    }

    /// Commits what `plan` says about the newest state, trying again when another commit comes
    /// first; returns the plan and the number of shards before it.
    fn change(
        &self,
        set: &Fingerprint,
        plan: impl Fn(&OpenSet) -> Result<Plan>,
    ) -> Result<(Plan, u64)> {
        for _ in 0..ATTEMPTS {
            let open = self.open_set(set)?;
            let mut planned = plan(&open)?;
            let before = open.state.shards.len() as u64;
            if planned.removes.is_empty() {
                return Ok((planned, before));
            }
            let adds = publish_all(&open.paths, &mut planned.adds)?;
            let change =
                Change { adds, removes: planned.removes.clone(), order: planned.order.clone() };
            if log::commit_change(&open.paths, &open.state, change)?.is_some() {
                return Ok((planned, before));
            }
        }
        Err(busy(set))
    }

    /// Whether a shard of which these rows are kept can stay as it is.
    fn is_settled(&self, shard: &Shard, keep: &[usize]) -> bool {
        keep.len() as u64 == shard.rows && (shard.cold || !self.options().cold)
    }

    fn end_run(
        &self,
        open: &OpenSet,
        run: &mut Vec<(&Shard, Vec<usize>)>,
        plan: &mut Plan,
    ) -> Result<()> {
        if run.len() == 1 && self.is_settled(run[0].0, &run[0].1) {
            plan.keep(run[0].0);
        } else if !run.is_empty() {
            let new = self.rewrite(open, run, self.options())?;
            let old: Vec<&Shard> = run.iter().map(|(shard, _)| *shard).collect();
            plan.replace(&old, new);
        }
        run.clear();
        Ok(())
    }

    /// Writes the given rows of the given shards as new shards, unpublished.
    fn rewrite(
        &self,
        open: &OpenSet,
        sources: &[(&Shard, Vec<usize>)],
        options: StoreOptions,
    ) -> Result<Vec<FinishedShard>> {
        let Some(dtype) = open.state.dtype() else { return Ok(Vec::new()) };
        let mut writer = ParquetWriter::with_dtype(self, &open.contract, dtype, options);
        let dim = open.contract.dim as usize;
        let mut values = Vec::new();
        for (shard, keep) in sources {
            let reader = ShardReader::open(&open.paths, shard, &open.contract)?;
            let (metas, views) = reader.read_metas()?;
            for rows in keep.chunks(REWRITTEN_ROWS) {
                values.resize(rows.len() * dim, 0.0);
                reader.read_rows(rows, &mut values)?;
                for (&i, row) in rows.iter().zip(values.chunks_exact(dim)) {
                    writer.push(metas[i].clone(), views[i], row)?;
                }
            }
        }
        writer.finish_shards()
    }
}

/// A change that is being planned.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) adds: Vec<FinishedShard>,
    pub(crate) removes: Vec<String>,
    pub(crate) order: Vec<String>,
    dropped: u64,
}

impl Plan {
    fn keep(&mut self, shard: &Shard) {
        self.place(&shard.name);
    }

    fn replace(&mut self, old: &[&Shard], new: Vec<FinishedShard>) {
        self.removes.extend(old.iter().map(|s| s.name.clone()));
        for shard in &new {
            self.place(&shard.shard.name);
        }
        self.adds.extend(new);
    }

    /// Equal names are equal shards, which the log holds once.
    pub(crate) fn place(&mut self, name: &str) {
        if !self.order.iter().any(|n| n == name) {
            self.order.push(name.to_string());
        }
    }
}

/// What to answer when others commit all the time.
pub(crate) fn busy(set: &Fingerprint) -> Error {
    Error::input(
        format!("set {set}"),
        "a moment without other commits",
        format!("{ATTEMPTS} commits by others"),
        "try again when the other writers are done",
    )
}

/// For each shard, the rows that no later row supersedes.
fn latest_rows(open: &OpenSet) -> Result<Vec<Vec<usize>>> {
    let mut seen = HashSet::new();
    let mut latest = Vec::with_capacity(open.state.shards.len());
    for shard in open.state.shards.iter().rev() {
        let keys = ShardReader::open(&open.paths, shard, &open.contract)?.read_keys()?;
        let mut rows: Vec<usize> = Vec::with_capacity(keys.len());
        for (i, key) in keys.into_iter().enumerate().rev() {
            if seen.insert(key) {
                rows.push(i);
            }
        }
        rows.reverse();
        latest.push(rows);
    }
    latest.reverse();
    Ok(latest)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", folder, e)),
    };
    let mut paths = Vec::new();
    for item in listing {
        let path = item.map_err(|e| Error::io("list", folder, e))?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Whether a file was last written at least `age` ago; one that cannot be asked is not.
fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|m| m.modified());
    modified.is_ok_and(|t| SystemTime::now().duration_since(t).unwrap_or_default() >= age)
}

/// Sweeps a set's folders, whose lock the caller has.
fn sweep_folders(open: &OpenSet, min_age: Duration, report: &mut GcReport) -> Result<()> {
    let live = log::live_names(&open.state);
    let (folder, shards, entries) =
        (open.paths.folder().to_owned(), open.paths.shards(), open.paths.log());
    let (caches, newest_cache) = (open.paths.cache(), cache_path(open));
    for folder in [&folder, &shards, &entries, &caches] {
        for path in files_in(folder)? {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let stale_cache = folder == &caches && path != newest_cache;
            // A replaced shard is as old as its replacement, not as its bytes.
            let dated = match name.strip_suffix(".parquet") {
                Some(shard) if log::is_shard_name(shard) && folder == &shards => {
                    if live.contains(shard) {
                        continue;
                    }
                    open.state.dead.get(shard).map_or(path.clone(), |v| open.paths.entry(*v))
                }
                _ if stale_cache || name.starts_with(TEMPORARY) => path.clone(),
                _ => continue,
            };
            if is_older(&dated, min_age) && is_older(&path, min_age) {
                sweep(&path, report)?;
            }
        }
    }
    Ok(())
}

/// Removes a file that nothing refers to.
///
/// Temporary names are never used again, and the lock keeps commits from shards meanwhile, so what
/// is removed is what was looked at.
fn sweep(path: &Path, report: &mut GcReport) -> Result<()> {
    let bytes = fs::metadata(path).map_or(0, |m| m.len());
    match fs::remove_file(path) {
        Ok(()) => {
            report.files += 1;
            report.bytes += bytes;
            Ok(())
        }
        // Its writer was first.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("remove", path, e)),
    }
}

fn check_min_age(min_age: Duration) -> Result<()> {
    if min_age.is_zero() || min_age >= MIN_AGE {
        return Ok(());
    }
    let minutes = MIN_AGE.as_secs() / 60;
    Err(Error::input(
        "least age of what gc sweeps",
        format!("at least {minutes} minutes, or 0"),
        format!("{} s", min_age.as_secs_f64()),
        format!(
            "other writers' files may be that old while they are written, and clocks differ: give \
             {minutes} minutes, or 0 where nobody else uses the store"
        ),
    ))
}
