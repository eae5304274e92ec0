// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use eosin_core::{
    Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Error, Fingerprint, Result,
    SetSummary,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    VisibleAtOnce,
    CommitOnDrop,
    ReversedScan,
    TakesAnyContract,
    TakesAnyWidth,
    UnknownIsEmpty,
    UnknownListsNothing,
    Unsorted,
    MixesSets,
    ForgetsViews,
    SwallowsVisitor,
    TornScan,
    ConstantVersion,
}

#[derive(Default)]
struct Set {
    contract: Option<Contract>,
    batches: Vec<EmbeddingBatch>,
    version: u64,
}

type Sets = Arc<Mutex<BTreeMap<Fingerprint, Set>>>;

pub struct Memory {
    fault: Fault,
    sets: Sets,
}

struct Writer {
    fault: Fault,
    sets: Sets,
    contract: Contract,
    pending: Vec<EmbeddingBatch>,
}

impl Memory {
    pub fn new(fault: Fault) -> Self {
        Self { fault, sets: Arc::default() }
    }
}

impl EmbeddingStore for Memory {
    fn sets(&self) -> Result<Vec<SetSummary>> {
        let sets = self.sets.lock().unwrap();
        let mut all: Vec<SetSummary> = sets
            .iter()
            .map(|(fingerprint, set)| SetSummary {
                contract: set.contract.clone().unwrap(),
                fingerprint: fingerprint.clone(),
                n_rows: set.batches.iter().map(|b| b.metas.len() as u64).sum(),
                n_shards: 1,
                n_bytes: 1,
                version: set.version,
            })
            .collect();
        if self.fault == Fault::Unsorted {
            all.reverse();
        }
        Ok(all)
    }

    fn scan(
        &self,
        set: &Fingerprint,
        visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>,
    ) -> Result<()> {
        let snapshot = |this: &Self| {
            let sets = this.sets.lock().unwrap();
            let known: Vec<String> = sets.keys().map(ToString::to_string).collect();
            if this.fault == Fault::MixesSets && sets.contains_key(set) {
                return Ok(sets.values().flat_map(|s| s.batches.clone()).collect());
            }
            sets.get(set).map(|s| s.batches.clone()).ok_or(known)
        };
        let mut batches = match snapshot(self) {
            Ok(batches) => batches,
            Err(_) if self.fault == Fault::UnknownIsEmpty => return Ok(()),
            Err(mut known) => {
                if self.fault == Fault::UnknownListsNothing {
                    known.clear();
                }
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(Error::unsupported("set", &known, "name one of them"));
            }
        };
        if self.fault == Fault::ReversedScan {
            batches.reverse();
        }
        let n = batches.len();
        for mut batch in batches {
            if self.fault == Fault::ForgetsViews {
                batch.views.fill(0);
            }
            let visited = visit(batch);
            if self.fault != Fault::SwallowsVisitor {
                visited?;
            }
        }
        if self.fault == Fault::TornScan {
            // Looks again for what came meanwhile, and shows a part of it.
            for mut batch in snapshot(self).unwrap_or_default().split_off(n) {
                batch.metas.truncate(1);
                batch.views.truncate(1);
                batch.embeddings = batch.embeddings.select(&[0]);
                visit(batch)?;
            }
        }
        Ok(())
    }

    fn writer(&self, contract: &Contract) -> Result<Box<dyn EmbeddingWriter>> {
        Ok(Box::new(Writer {
            fault: self.fault,
            sets: Arc::clone(&self.sets),
            contract: contract.clone(),
            pending: Vec::new(),
        }))
    }
}

impl EmbeddingWriter for Writer {
    fn append(&mut self, batch: EmbeddingBatch) -> Result<()> {
        let foreign = batch.fingerprint != self.contract.fingerprint();
        let narrow = batch.embeddings.n_cols() != self.contract.dim as usize;
        if foreign && self.fault != Fault::TakesAnyContract
            || narrow && self.fault != Fault::TakesAnyWidth
        {
            return Err(Error::input("batch", "the writer's contract", "another", "open another"));
        }
        self.pending.push(batch);
        if self.fault == Fault::VisibleAtOnce {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<u64> {
        let mut sets = self.sets.lock().unwrap();
        let set = sets.entry(self.contract.fingerprint()).or_default();
        set.contract.get_or_insert(self.contract.clone());
        set.batches.append(&mut self.pending);
        if self.fault != Fault::ConstantVersion {
            set.version += 1;
        }
        Ok(set.version)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.fault == Fault::CommitOnDrop && !self.pending.is_empty() {
            let _ = self.commit();
        }
    }
}
