// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rows that take the place of others, in one commit: a reader sees the old ones or the new.

use std::collections::{BTreeMap, BTreeSet};

use eosin_core::{Contract, EmbeddingWriter, Fingerprint, Result};

use crate::log::{self, Change, Shard};
use crate::maintain::{ATTEMPTS, busy};
use crate::parquet_store::ParquetStore;
use crate::read::RowKey;
use crate::shard_writer::publish_all;
use crate::writer::ParquetWriter;

/// For rows that are going to be appended, the committed rows that go when they come.
pub type Superseded = BTreeMap<RowKey, Vec<RowKey>>;

impl ParquetStore {
    /// A writer whose commits also remove what their rows supersede.
    ///
    /// A row of `superseded` goes in the very commit that adds the row it is listed under, so that
    /// a kill at any instant leaves the one or the other; what is never appended removes nothing.
    /// Every such commit writes anew what is left of the shards concerned, so commit many rows at
    /// once.
    pub fn superseding_writer(
        &self,
        contract: &Contract,
        superseded: Superseded,
    ) -> Result<Box<dyn EmbeddingWriter>> {
        Ok(Box::new(ParquetWriter::new(self, contract)?.superseding(superseded)))
    }

    /// Commits published shards and drops rows, all at once and whatever others commit meanwhile.
    pub(crate) fn commit_in_place_of(
        &self,
        set: &Fingerprint,
        adds: &[Shard],
        gone: &BTreeSet<RowKey>,
    ) -> Result<u64> {
        for _ in 0..ATTEMPTS {
            let plan = match self.try_open_set(set)? {
                Some(open) => Some((self.without_rows(&open, gone)?, open)),
                None => None,
            };
            // Nothing is there to go, or not any more: another writer has replaced the same rows.
            let Some((mut plan, open)) = plan.filter(|(plan, _)| !plan.removes.is_empty()) else {
                return log::commit_adds(&self.paths(set), adds);
            };
            for shard in adds {
                plan.place(&shard.name);
            }
            let mut all = publish_all(&open.paths, &mut plan.adds)?;
            all.extend_from_slice(adds);
            let change = Change { adds: all, removes: plan.removes, order: plan.order };
            if let Some(version) = log::commit_change(&open.paths, &open.state, change)? {
                return Ok(version);
            }
        }
        Err(busy(set))
    }
}
