// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eosin_core::{
    Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Fingerprint, Matrix, Result,
    SetSummary,
};

use crate::Dtype;
use crate::dtype::{Encoded, Widener};
use crate::parquet_store::unknown_set;
use crate::writer::{bad_value, check_dim, check_width, other_set};

/// An [`EmbeddingStore`] in memory: the twin of [`crate::ParquetStore`] for tests and for work
/// that needs no second run. It rounds as the files do, so both give the same numbers.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    dtype: Dtype,
    sets: Arc<Mutex<BTreeMap<Fingerprint, MemorySet>>>,
}

#[derive(Clone, Debug)]
struct MemorySet {
    contract: Contract,
    commits: Vec<Arc<Vec<EmbeddingBatch>>>,
}

struct MemoryWriter {
    store: MemoryStore,
    contract: Contract,
    fingerprint: Fingerprint,
    pending: Vec<EmbeddingBatch>,
}

impl MemoryStore {
    /// An empty store that rounds to half precision.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that rounds to `dtype`.
    pub fn with_dtype(dtype: Dtype) -> Self {
        Self { dtype, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Fingerprint, MemorySet>> {
        // The map is changed by single pushes, so a panic elsewhere leaves it whole.
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EmbeddingStore for MemoryStore {
    fn sets(&self) -> Result<Vec<SetSummary>> {
        let summary = |(fingerprint, set): (&Fingerprint, &MemorySet)| {
            let n_rows: usize =
                set.commits.iter().flat_map(|c| c.iter()).map(|b| b.metas.len()).sum();
            SetSummary {
                contract: set.contract.clone(),
                fingerprint: fingerprint.clone(),
                n_rows: n_rows as u64,
                n_shards: set.commits.len() as u64,
                n_bytes: (n_rows * set.contract.dim as usize * self.dtype.width()) as u64,
                version: set.commits.len() as u64,
            }
        };
        Ok(self.lock().iter().map(summary).collect())
    }

    fn scan(
        &self,
        set: &Fingerprint,
        visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>,
    ) -> Result<()> {
        // The lock is let go before the visits, which may use the store.
        let commits = {
            let sets = self.lock();
            match sets.get(set) {
                Some(found) => found.commits.clone(),
                None => {
                    return Err(unknown_set(set, &sets.keys().cloned().collect::<Vec<_>>()));
                }
            }
        };
        for batch in commits.iter().flat_map(|c| c.iter()) {
            visit(batch.clone())?;
        }
        Ok(())
    }

    fn writer(&self, contract: &Contract) -> Result<Box<dyn EmbeddingWriter>> {
        check_dim(contract)?;
        Ok(Box::new(MemoryWriter {
            store: self.clone(),
            contract: contract.clone(),
            fingerprint: contract.fingerprint(),
            pending: Vec::new(),
        }))
    }
}

impl EmbeddingWriter for MemoryWriter {
    fn append(&mut self, mut batch: EmbeddingBatch) -> Result<()> {
        if batch.fingerprint != self.fingerprint {
            return Err(other_set(&self.store, &self.contract, &batch.fingerprint));
        }
        check_width(&batch, &self.contract)?;
        let dtype = self.store.dtype;
        let mut encoded = Encoded::new(dtype);
        encoded.push(batch.embeddings.values());
        if let Some(at) = encoded.first_bad(0) {
            let row = at / batch.embeddings.n_cols();
            let value = batch.embeddings.values()[at];
            let (backbone, meta) = (&self.contract.backbone, &batch.metas[row]);
            return Err(bad_value(backbone, meta, batch.views[row], dtype, value));
        }
        let mut rounded = vec![0.0; encoded.len()];
        Widener::default().fill(dtype, &mut rounded, |bytes| {
            bytes.copy_from_slice(encoded.as_bytes());
            Ok::<(), eosin_core::Error>(())
        })?;
        let (n_rows, n_cols) = (batch.embeddings.n_rows(), batch.embeddings.n_cols());
        batch.embeddings = Matrix::new(n_rows, n_cols, rounded)?;
        batch = batch.with_contract(&self.contract);
        if n_rows > 0 {
            self.pending.push(batch);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<u64> {
        let mut sets = self.store.lock();
        if self.pending.is_empty() {
            return Ok(sets.get(&self.fingerprint).map_or(0, |s| s.commits.len() as u64));
        }
        let set = sets
            .entry(self.fingerprint.clone())
            .or_insert_with(|| MemorySet { contract: self.contract.clone(), commits: Vec::new() });
        set.commits.push(Arc::new(std::mem::take(&mut self.pending)));
        Ok(set.commits.len() as u64)
    }
}
