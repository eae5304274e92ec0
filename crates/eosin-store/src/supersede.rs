// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rows that take the place of others, in one commit: a reader sees the old ones or the new.

use std::collections::BTreeSet;

use eosin_core::{Fingerprint, Result, RowKey};

use crate::log::{self, Change, Shard};
use crate::maintain::{ATTEMPTS, busy};
use crate::parquet_store::ParquetStore;
use crate::shard_writer::publish_all;

impl ParquetStore {
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
                return log::commit_adds(&self.files(set), adds);
            };
            for shard in adds {
                plan.place(&shard.name);
            }
            let mut all = publish_all(&open.files, &mut plan.adds)?;
            all.extend_from_slice(adds);
            let change = Change { adds: all, removes: plan.removes, order: plan.order };
            if let Some(version) = log::commit_change(&open.files, &open.state, change)? {
                return Ok(version);
            }
        }
        Err(busy(set))
    }
}
