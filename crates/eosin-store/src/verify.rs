// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use eosin_core::{Error, Fingerprint, Progress, Result};

use crate::log::Shard;
use crate::mirror;
use crate::open_set::OpenSet;
use crate::parquet_store::ParquetStore;
use crate::read::RowKey;
use crate::shard_reader::ShardReader;

/// What [`ParquetStore::verify`] found in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The set.
    pub set: Fingerprint,
    /// The version of the log that was verified.
    pub version: u64,
    /// Shards at that version.
    pub n_shards: u64,
    /// Rows at that version.
    pub n_rows: u64,
    /// Everything that is wrong; empty for a sound set.
    pub problems: Vec<Problem>,
    /// Rows that are there again later, as two writers at once leave them, with the file of the
    /// earlier one. Both are sound, the later counts, and [`ParquetStore::compact`] drops the
    /// other.
    pub committed_again: Vec<(RowKey, PathBuf)>,
    /// Rows of different tiles with equal embeddings, as byte-identical tiles have: each with the
    /// first row that it equals. They are sound, yet may tear a split.
    pub same_content: Vec<(RowKey, RowKey)>,
}

/// Something wrong in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Rows that are read at a time.
const BLOCK_ROWS: usize = 256;

/// What was seen so far, over shards.
#[derive(Default)]
struct Seen {
    keys: HashMap<RowKey, PathBuf>,
    contents: HashMap<[u8; 16], RowKey>,
}

impl ParquetStore {
    /// Reads a whole set and checks every shard's digest and row count, and that rows are finite.
    ///
    /// A damaged shard is named in the report; a damaged log or contract is an error, since
    /// nothing can be known without them.
    pub fn verify(&self, set: &Fingerprint, progress: &dyn Progress) -> Result<VerifyReport> {
        let open = self.open_set(set)?;
        let mut report = VerifyReport {
            set: set.clone(),
            version: open.state.version,
            n_shards: open.state.shards.len() as u64,
            n_rows: open.state.rows(),
            problems: Vec::new(),
            committed_again: Vec::new(),
            same_content: Vec::new(),
        };
        let mut seen = Seen::default();
        progress.start("verify", report.n_rows);
        for shard in &open.state.shards {
            let path = open.paths.shard(&shard.name);
            if let Err(error) = verify_shard(&open, shard, &mut seen, &mut report) {
                report.problems.push(Problem { path, what: describe(&error) });
            }
            progress.advance(shard.rows);
        }
        progress.finish();
        Ok(report)
    }
}

fn verify_shard(
    open: &OpenSet,
    shard: &Shard,
    seen: &mut Seen,
    report: &mut VerifyReport,
) -> Result<()> {
    mirror::pull_shard(&open.paths, shard)?;
    let path = open.paths.shard(&shard.name);
    let digest = file_digest(&path)?;
    if digest != shard.blake3 {
        let what = format!("its BLAKE3 is {digest}, the log says {}", shard.blake3);
        report.problems.push(Problem { path, what });
        // Its content is not trusted any further.
        return Ok(());
    }
    let reader = ShardReader::open(&open.paths, shard, &open.contract)?;
    let (metas, views) = reader.read_metas()?;
    let dim = open.contract.dim as usize;
    let mut block = Vec::new();
    for (i, (meta, view)) in metas.into_iter().zip(views).enumerate() {
        if i % BLOCK_ROWS == 0 {
            block.resize(BLOCK_ROWS.min(reader.n_rows() - i) * dim, 0.0);
            reader.read_values(i, &mut block)?;
        }
        let row = &block[i % BLOCK_ROWS * dim..][..dim];
        if row.iter().any(|v| !v.is_finite()) {
            let what = format!("row {i}, tile {}: NaN or infinity", meta.tile_id);
            report.problems.push(Problem { path: path.clone(), what });
        }
        seen.row(RowKey::of(&meta, view), row, &path, report);
    }
    Ok(())
}

impl Seen {
    fn row(&mut self, key: RowKey, row: &[f32], path: &Path, report: &mut VerifyReport) {
        let mut content = [0; 16];
        content.copy_from_slice(&blake3::hash(bytemuck::cast_slice(row)).as_bytes()[..16]);
        match self.contents.entry(content) {
            Entry::Occupied(first) if first.get().tile_id != key.tile_id => {
                report.same_content.push((first.get().clone(), key.clone()));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(key.clone());
            }
        }
        if let Some(earlier) = self.keys.insert(key.clone(), path.to_owned()) {
            report.committed_again.push((key, earlier));
        }
    }
}

pub(crate) fn file_digest(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io("read", path, e))?;
        if n == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        hasher.update(&buffer[..n]);
    }
}

/// The error with its cause, without the path that the report gives anyway.
fn describe(error: &Error) -> String {
    match error {
        Error::Data { expected, found, .. } => format!("expected {expected}, found {found}"),
        Error::Environment { action, source, .. } => format!("could not {action} it: {source}"),
        other => other.to_string(),
    }
}
