// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use bytes::Bytes;
use eosin_core::{Contract, Error, Result, TileMeta};
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use crate::Dtype;
use crate::backing::{Draft, Guard, LockPurpose, Scratch};
use crate::dtype::Encoded;
use crate::hashing_file::{HashingFile, Sync, Written};
use crate::layout::{FORMAT, SetFiles};
use crate::log::Shard;
use crate::pages::{self, PageLayout};
use crate::schema::{N_META, meta_columns, shard_schema};

/// Keys of a shard's metadata.
pub(crate) const KEY_FORMAT: &str = "eosin.format";
pub(crate) const KEY_FINGERPRINT: &str = "eosin.fingerprint";
pub(crate) const KEY_CONTRACT: &str = "eosin.contract";

/// Writes one shard to a draft, row group after row group.
pub(crate) struct ShardWriter {
    file: SerializedFileWriter<HashingFile>,
    scratch: Scratch,
    dtype: Dtype,
    layout: PageLayout,
    schema: SchemaRef,
    rows: u64,
    /// The embedding column of a row group, kept for its memory.
    chunk: Vec<u8>,
}

/// A shard that is whole, and a draft until its commit.
///
/// Dropping it removes the draft.
#[derive(Debug)]
pub(crate) struct FinishedShard {
    pub(crate) shard: Shard,
    draft: Option<(Scratch, Sync)>,
    lock: Option<Arc<Guard>>,
}

impl ShardWriter {
    pub(crate) fn create(
        set: &SetFiles,
        contract: &Contract,
        dtype: Dtype,
        cold: bool,
    ) -> Result<Self> {
        let dim = contract.dim as usize;
        let schema = shard_schema(dim, dtype);
        let (scratch, sink) = Scratch::begin(set.backing(), set.set())?;
        let open = || {
            let mut properties = properties(contract);
            add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
            let descriptor = ArrowSchemaConverter::new().convert(&schema)?;
            let root = descriptor.root_schema_ptr();
            SerializedFileWriter::new(HashingFile::new(sink), root, Arc::new(properties))
        };
        let file = open().map_err(|e| write_error(&scratch.place(), e))?;
        let layout = PageLayout { dim, width: dtype.width(), cold };
        Ok(Self { file, scratch, dtype, layout, schema, rows: 0, chunk: Vec::new() })
    }

    /// Writes one row group.
    pub(crate) fn write_group(
        &mut self,
        metas: &[TileMeta],
        views: &[u16],
        values: &Encoded,
    ) -> Result<()> {
        self.rows += metas.len() as u64;
        self.try_write_group(metas, views, values)
            .map_err(|e| write_error(&self.scratch.place(), e))
    }

    fn try_write_group(
        &mut self,
        metas: &[TileMeta],
        views: &[u16],
        values: &Encoded,
    ) -> Result<(), ParquetError> {
        let factory = ArrowRowGroupWriterFactory::new(&self.file, self.schema.clone());
        let index = self.file.flushed_row_groups().len();
        let writers = factory.create_column_writers(index)?;
        let embedding = self.file.schema_descr().column(N_META);
        let mut group = self.file.next_row_group()?;
        let columns = meta_columns(metas, views);
        for ((mut writer, field), column) in
            writers.into_iter().zip(self.schema.fields()).zip(&columns)
        {
            for leaf in compute_leaves(field, column)? {
                writer.write(&leaf)?;
            }
            writer.close()?.append_to_row_group(&mut group)?;
        }
        self.chunk.clear();
        let close =
            pages::encode_chunk(&embedding, self.layout, values.as_bytes(), &mut self.chunk)?;
        let bytes = Bytes::from(std::mem::take(&mut self.chunk));
        group.append_column(&bytes, close)?;
        group.close()?;
        self.chunk = bytes.into();
        Ok(())
    }

    /// Ends the file; publishing waits until its bytes are durable.
    pub(crate) fn finish(mut self) -> Result<FinishedShard> {
        let place = self.scratch.place();
        self.file.finish().map_err(|e| write_error(&place, e))?;
        let end = self.file.inner_mut().end();
        let Written { digest, bytes, sync } = end.map_err(|e| Error::io("write", &place, e))?;
        let shard = Shard {
            name: digest[..32].to_string(),
            rows: self.rows,
            bytes,
            blake3: digest,
            dtype: self.dtype,
            cold: self.layout.cold,
        };
        Ok(FinishedShard { shard, draft: Some((self.scratch, sync)), lock: None })
    }
}

impl FinishedShard {
    /// Gives the file its name among the set's shards; it counts only once the log names it.
    ///
    /// Equal names mean equal bytes, so a shard that is there already is compared and used. `lock`
    /// is kept until this is dropped, which is after the commit: `gc` must not sweep a shard that
    /// no commit names yet.
    fn publish(&mut self, set: &SetFiles, lock: Arc<Guard>) -> Result<()> {
        let Some((scratch, sync)) = self.draft.take() else { return Ok(()) };
        self.lock = Some(lock);
        let place = scratch.place();
        let sink = sync.wait().map_err(|e| Error::io("write", place, e))?;
        let draft = Draft::new(scratch, sink, self.shard.blake3.clone());
        set.backing().publish(&set.shard(&self.shard.name), draft)
    }
}

impl Drop for FinishedShard {
    fn drop(&mut self) {
        if let Some((scratch, sync)) = self.draft.take() {
            // The thread that makes it durable ends before its name goes.
            drop(sync.wait());
            drop(scratch);
        }
    }
}

/// Publishes all shards, durably; keep them until they are committed.
pub(crate) fn publish_all(set: &SetFiles, shards: &mut [FinishedShard]) -> Result<Vec<Shard>> {
    let lock = Arc::new(set.backing().lock(set.set(), LockPurpose::Commit)?);
    for shard in shards.iter_mut() {
        shard.publish(set, lock.clone())?;
    }
    Ok(shards.iter().map(|s| s.shard.clone()).collect())
}

fn properties(contract: &Contract) -> WriterProperties {
    let pair = |key: &str, value: String| KeyValue::new(key.to_string(), value);
    let embedding = ColumnPath::from(vec!["embedding".into(), "list".into(), "element".into()]);
    WriterProperties::builder()
        .set_key_value_metadata(Some(vec![
            pair(KEY_FORMAT, FORMAT.to_string()),
            pair(KEY_FINGERPRINT, contract.fingerprint().to_string()),
            pair(KEY_CONTRACT, contract.canonical()),
        ]))
        // Ranges of numbers say nothing about vectors.
        .set_column_statistics_enabled(embedding, EnabledStatistics::None)
        // Tile names never repeat, so a dictionary of them would only double them.
        .set_column_dictionary_enabled(ColumnPath::from("tile_id"), false)
        .build()
}

fn write_error(path: &Path, error: ParquetError) -> Error {
    let source = match error {
        ParquetError::External(e) => match e.downcast::<std::io::Error>() {
            Ok(io) => *io,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    };
    Error::io("write", path, source)
}
