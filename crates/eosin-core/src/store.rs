// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use crate::{Contract, EmbeddingBatch, Fingerprint, Result};

/// What a store tells of one of its sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetSummary {
    /// The set's contract.
    pub contract: Contract,
    /// Its fingerprint, which names the set.
    pub fingerprint: Fingerprint,
    /// Rows that are committed.
    pub n_rows: u64,
    /// Shards that hold them.
    pub n_shards: u64,
    /// Bytes of those shards.
    pub n_bytes: u64,
    /// The version of the log that was read.
    pub version: u64,
}

/// Keeps embeddings, one set per contract.
///
/// The caller names sets by contract or fingerprint.
/// The implementer shows a reader a committed state or nothing, never a part of a commit, and
/// returns rows in the order in which they were committed.
///
/// ```
/// use eosin_core::{Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Fingerprint, Result, SetSummary};
/// struct Empty;
/// impl EmbeddingStore for Empty {
///     fn sets(&self) -> Result<Vec<SetSummary>> { Ok(Vec::new()) }
///     fn scan(&self, _set: &Fingerprint, _visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>) -> Result<()> { Ok(()) }
///     fn writer(&self, _contract: &Contract) -> Result<Box<dyn EmbeddingWriter>> {
///         Err(eosin_core::Error::unsupported("writing", &[], "use another store"))
///     }
/// }
/// ```
pub trait EmbeddingStore: Send + Sync {
    /// Every set with at least one commit, ordered by fingerprint.
    fn sets(&self) -> Result<Vec<SetSummary>>;
    /// Streams a set's rows in bounded batches; an unknown set is an error that lists the known.
    fn scan(
        &self,
        set: &Fingerprint,
        visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>,
    ) -> Result<()>;
    /// A writer to the set of this contract, which is made at the first commit.
    fn writer(&self, contract: &Contract) -> Result<Box<dyn EmbeddingWriter>>;
}

/// Adds rows to one set.
pub trait EmbeddingWriter: Send {
    /// Takes a batch of the writer's contract; nothing is visible before `commit`.
    fn append(&mut self, batch: EmbeddingBatch) -> Result<()>;
    /// Makes all appended rows visible at once and returns the log's new version.
    fn commit(&mut self) -> Result<u64>;
}
