// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use eosin_core::{
    Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Error, Fingerprint, Result, TileMeta,
};

use crate::Dtype;
use crate::dtype::Encoded;
use crate::durable::{create_folder, create_if_absent};
use crate::layout::SetPaths;
use crate::log;
use crate::mirror;
use crate::open_shard::{Group, Pipeline};
use crate::parquet_store::{ParquetStore, StoreOptions};
use crate::read::RowKey;
use crate::shard_writer::{FinishedShard, ShardWriter, publish_all};
use crate::supersede::Superseded;

/// Rows of a row group; a writer holds a few groups in memory, whatever the size of the slide.
const GROUP_ROWS: usize = 8192;

/// Writes shards of one set.
pub(crate) struct ParquetWriter {
    store: ParquetStore,
    options: StoreOptions,
    contract: Contract,
    fingerprint: Fingerprint,
    dtype: Dtype,
    paths: SetPaths,
    group: Group,
    last_slide: Option<String>,
    pipeline: Pipeline,
    /// What goes when rows to come are committed.
    superseded: Superseded,
    /// What goes with the next commit.
    gone: BTreeSet<RowKey>,
}

impl ParquetWriter {
    pub(crate) fn new(store: &ParquetStore, contract: &Contract) -> Result<Self> {
        check_dim(contract)?;
        let kept = store.try_open_set(&contract.fingerprint())?.and_then(|set| set.state.dtype());
        let options = store.options();
        Ok(Self::with_dtype(store, contract, kept.unwrap_or(options.dtype), options))
    }

    /// A writer for shards of a known number type.
    pub(crate) fn with_dtype(
        store: &ParquetStore,
        contract: &Contract,
        dtype: Dtype,
        options: StoreOptions,
    ) -> Self {
        let fingerprint = contract.fingerprint();
        Self {
            store: store.clone(),
            options,
            contract: contract.clone(),
            paths: store.paths(&fingerprint),
            fingerprint,
            dtype,
            group: Group { metas: Vec::new(), views: Vec::new(), values: Encoded::new(dtype) },
            last_slide: None,
            pipeline: Pipeline::default(),
            superseded: Superseded::new(),
            gone: BTreeSet::new(),
        }
    }

    /// The same writer, whose commits remove what their rows supersede.
    pub(crate) fn superseding(mut self, superseded: Superseded) -> Self {
        self.superseded = superseded;
        self
    }

    /// Adds one row, ending groups and shards where they are full.
    pub(crate) fn push(&mut self, meta: TileMeta, view: u16, row: &[f32]) -> Result<()> {
        let pending = self.shard_rows();
        let full = pending >= self.options.max_shard_rows;
        let next_slide = pending >= self.options.min_shard_rows
            && self.last_slide.as_ref().is_some_and(|last| *last != meta.slide);
        if full || next_slide {
            self.end_shard()?;
        } else if self.group.metas.len() == GROUP_ROWS {
            self.end_group()?;
        }
        let start = self.group.values.len();
        self.group.values.push(row);
        if let Some(at) = self.group.values.first_bad(start) {
            self.group.values.truncate(start);
            let value = row[at - start];
            return Err(bad_value(&self.contract.backbone, &meta, view, self.dtype, value));
        }
        if self.last_slide.as_ref() != Some(&meta.slide) {
            self.last_slide = Some(meta.slide.clone());
        }
        if !self.superseded.is_empty() {
            self.gone.extend(self.superseded.remove(&RowKey::of(&meta, view)).unwrap_or_default());
        }
        self.group.metas.push(meta);
        self.group.views.push(view);
        Ok(())
    }

    /// Rows of the shard that is being made.
    fn shard_rows(&self) -> usize {
        self.pipeline.rows() + self.group.metas.len()
    }

    fn end_group(&mut self) -> Result<()> {
        let group = self.take_group();
        let (paths, contract) = (&self.paths, &self.contract);
        let (dtype, cold) = (self.dtype, self.options.cold);
        self.pipeline.write(group, || create_shard(paths, contract, dtype, cold))
    }

    fn end_shard(&mut self) -> Result<()> {
        let group = self.take_group();
        let (paths, contract) = (&self.paths, &self.contract);
        let (dtype, cold) = (self.dtype, self.options.cold);
        self.pipeline.end(group, || create_shard(paths, contract, dtype, cold))
    }

    fn take_group(&mut self) -> Group {
        let next = Group::like(&self.group.values);
        std::mem::replace(&mut self.group, next)
    }

    /// Writes what is left and hands over the shards, unpublished.
    pub(crate) fn finish_shards(&mut self) -> Result<Vec<FinishedShard>> {
        self.end_shard()?;
        self.pipeline.take()
    }
}

fn create_shard(
    paths: &SetPaths,
    contract: &Contract,
    dtype: Dtype,
    cold: bool,
) -> Result<ShardWriter> {
    create_folder(paths.folder())?;
    ShardWriter::create(paths, contract, dtype, cold)
}

impl EmbeddingWriter for ParquetWriter {
    fn append(&mut self, batch: EmbeddingBatch) -> Result<()> {
        if batch.fingerprint != self.fingerprint {
            return Err(other_set(&self.store, &self.contract, &batch.fingerprint));
        }
        check_width(&batch, &self.contract)?;
        for ((meta, view), row) in
            batch.metas.into_iter().zip(batch.views).zip(batch.embeddings.rows())
        {
            self.push(meta, view, row)?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<u64> {
        // Taken before anything can fail: what goes never goes without its successors.
        let gone = std::mem::take(&mut self.gone);
        let mut shards = self.finish_shards()?;
        if shards.is_empty() {
            return Ok(log::versions(&self.paths.log())?.last().copied().unwrap_or(0));
        }
        create_set(&self.paths, &self.contract)?;
        let adds = publish_all(&self.paths, &mut shards)?;
        let version = if gone.is_empty() {
            log::commit_adds(&self.paths, &adds)?
        } else {
            self.store.commit_in_place_of(&self.fingerprint, &adds, &gone)?
        };
        tracing::debug!(set = %self.fingerprint, version, shards = adds.len(), "committed");
        Ok(version)
    }
}

/// Makes a set's folders and writes its contract, unless they are there.
fn create_set(paths: &SetPaths, contract: &Contract) -> Result<()> {
    create_folder(&paths.shards())?;
    create_folder(&paths.log())?;
    if !paths.contract().exists() {
        create_if_absent(&paths.contract(), contract.canonical().as_bytes())?;
    }
    mirror::push_contract(paths, contract)
}

pub(crate) fn check_dim(contract: &Contract) -> Result<()> {
    if contract.dim == 0 || i32::try_from(contract.dim).is_err() {
        return Err(Error::input(
            "contract's dim",
            "the length of an embedding, at least 1",
            contract.dim.to_string(),
            "take the contract from the backbone's card",
        ));
    }
    Ok(())
}

pub(crate) fn check_width(batch: &EmbeddingBatch, contract: &Contract) -> Result<()> {
    let n_cols = batch.embeddings.n_cols();
    if n_cols == contract.dim as usize || batch.embeddings.n_rows() == 0 {
        return Ok(());
    }
    Err(Error::input(
        format!("embeddings of {}", contract.backbone),
        format!("rows of {} values", contract.dim),
        format!("rows of {n_cols} values"),
        "check the pooling: the same backbone gives other lengths with other poolings",
    ))
}

/// What to answer to rows of another set: the fields that differ, where the other set is known.
pub(crate) fn other_set(
    store: &dyn EmbeddingStore,
    ours: &Contract,
    theirs: &Fingerprint,
) -> Error {
    let known = store.sets().unwrap_or_default().into_iter().find(|s| s.fingerprint == *theirs);
    known.and_then(|s| ours.ensure_same(&s.contract).err()).unwrap_or_else(|| {
        Error::input(
            "fingerprint of the batch",
            format!("{}, that of the writer", ours.fingerprint()),
            theirs.to_string(),
            "open one writer per contract",
        )
    })
}

/// What to answer to a value that a set cannot hold.
pub(crate) fn bad_value(
    backbone: &str,
    meta: &TileMeta,
    view: u16,
    dtype: Dtype,
    value: f32,
) -> Error {
    let row = format!("embedding by {backbone} of tile {}, view {view}", meta.tile_id);
    if value.is_finite() {
        let expected = format!("values that {dtype} can hold, up to 65504");
        let hint = "keep this backbone's embeddings in 32 bits: `eosin embed --f32` makes new sets \
                    so";
        Error::data(row, expected, value.to_string(), hint)
    } else {
        let hint = "look at the tile; if it is sound, run the backbone in f32, and check its \
                    weights with `eosin backbone check`";
        Error::data(row, "finite values", value.to_string(), hint)
    }
}
