// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rows of another tool's file, taken over in one commit.

use std::collections::{HashMap, HashSet};

use eosin_core::Result;
use eosin_store::{Imported, ParquetStore, RowKey, Superseded};

use crate::embed_plan::check_share;

/// How rows are imported.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Whether many rows of a file that has changed may be replaced.
    pub replace: bool,
    /// Finds out what would be done, and does nothing.
    pub dry_run: bool,
}

/// What importing a file did, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportOutcome {
    /// Whether all rows were there, so that there was nothing to do.
    pub is_there: bool,
    /// Rows of an earlier content of the file that were replaced.
    pub n_replaced: usize,
}

/// Commits a file's rows unless they are there.
///
/// Rows that were imported from the same path when it held something else go in the same commit.
/// Rows of equal names from other files stay beside them.
pub fn import_rows(
    store: &ParquetStore,
    imported: Imported,
    options: ImportOptions,
) -> Result<ImportOutcome> {
    let set = imported.contract.fingerprint();
    let committed = store.committed(&set)?;
    let keys: Vec<RowKey> = imported
        .metas
        .iter()
        .zip(&imported.views)
        .map(|(meta, &view)| RowKey::of(meta, view))
        .collect();
    let mut digests: HashMap<&str, HashSet<&str>> = HashMap::new();
    for meta in &imported.metas {
        digests.entry(&meta.source).or_default().insert(&meta.source_digest);
    }
    let mut gone: Vec<RowKey> = committed
        .iter()
        .filter(|(row, source)| {
            let now = digests.get(&***source);
            now.is_some_and(|now| !now.contains(row.source_digest.as_str()))
        })
        .map(|(row, _)| row.clone())
        .collect();
    let n_replaced = gone.len();
    let there: Vec<&RowKey> = keys.iter().filter(|key| committed.contains_key(key)).collect();
    check_share(&set, n_replaced, there.len() + n_replaced, options.replace, "")?;
    let is_there = there.len() == keys.len() && n_replaced == 0;
    if is_there || options.dry_run {
        return Ok(ImportOutcome { is_there, n_replaced });
    }
    // What is there already comes once more, in place of itself.
    gone.extend(there.into_iter().cloned());
    let superseded: Superseded = keys.last().map(|last| (last.clone(), gone)).into_iter().collect();
    let mut writer = store.superseding_writer(&imported.contract, superseded)?;
    writer.append(imported.into_batch()?)?;
    writer.commit()?;
    Ok(ImportOutcome { is_there: false, n_replaced })
}
