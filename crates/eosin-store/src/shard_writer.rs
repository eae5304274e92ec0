// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

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
use crate::dtype::Encoded;
use crate::durable::{create_folder, create_temporary, place, sync_folder};
use crate::hashing_file::{HashingFile, Sync, Written};
use crate::layout::{FORMAT, SetPaths};
use crate::log::Shard;
use crate::mirror;
use crate::pages::{self, PageLayout};
use crate::schema::{N_META, meta_columns, shard_schema};
use crate::set_lock::SetLock;
use crate::verify::file_digest;

/// Keys of a shard's metadata.
pub(crate) const KEY_FORMAT: &str = "eosin.format";
pub(crate) const KEY_FINGERPRINT: &str = "eosin.fingerprint";
pub(crate) const KEY_CONTRACT: &str = "eosin.contract";

/// Writes one shard to a temporary file, row group after row group.
pub(crate) struct ShardWriter {
    temporary: PathBuf,
    dtype: Dtype,
    layout: PageLayout,
    schema: SchemaRef,
    file: SerializedFileWriter<HashingFile>,
    rows: u64,
    /// The embedding column of a row group, kept for its memory.
    chunk: Vec<u8>,
}

/// A shard that is whole and on disk, under a temporary name until its commit.
///
/// Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct FinishedShard {
    pub(crate) shard: Shard,
    temporary: Option<PathBuf>,
    sync: Sync,
    lock: Option<Arc<SetLock>>,
}

impl ShardWriter {
    pub(crate) fn create(
        set: &SetPaths,
        contract: &Contract,
        dtype: Dtype,
        cold: bool,
    ) -> Result<Self> {
        let dim = contract.dim as usize;
        let schema = shard_schema(dim, dtype);
        let (temporary, file) = create_temporary(set.folder())?;
        let open = || {
            let mut properties = properties(contract);
            add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
            let descriptor = ArrowSchemaConverter::new().convert(&schema)?;
            let sink = HashingFile::new(file);
            SerializedFileWriter::new(sink, descriptor.root_schema_ptr(), Arc::new(properties))
        };
        let file = open().map_err(|e| write_error(&temporary, e))?;
        let layout = PageLayout { dim, width: dtype.width(), cold };
        Ok(Self { temporary, dtype, layout, schema, file, rows: 0, chunk: Vec::new() })
    }

    /// Writes one row group.
    pub(crate) fn write_group(
        &mut self,
        metas: &[TileMeta],
        views: &[u16],
        values: &Encoded,
    ) -> Result<()> {
        self.rows += metas.len() as u64;
        self.try_write_group(metas, views, values).map_err(|e| write_error(&self.temporary, e))
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
        let temporary = std::mem::take(&mut self.temporary);
        let finished = self.file.finish().map_err(|e| write_error(&temporary, e)).and_then(|_| {
            self.file.inner_mut().end().map_err(|e| Error::io("write", &temporary, e))
        });
        let Written { digest, bytes, sync } = match finished {
            Ok(end) => end,
            Err(e) => {
                let _ = fs::remove_file(&temporary);
                return Err(e);
            }
        };
        let shard = Shard {
            name: digest[..32].to_string(),
            rows: self.rows,
            bytes,
            blake3: digest,
            dtype: self.dtype,
            cold: self.layout.cold,
        };
        Ok(FinishedShard { shard, temporary: Some(temporary), sync, lock: None })
    }
}

impl Drop for ShardWriter {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

impl FinishedShard {
    /// Gives the file its name among the set's shards; it counts only once the log names it.
    ///
    /// Equal names mean equal bytes, so a shard that is there already is compared and used. `lock`
    /// is kept until this is dropped, which is after the commit: `gc` must not sweep a shard that
    /// no commit names yet.
    fn publish(&mut self, set: &SetPaths, lock: Arc<SetLock>) -> Result<()> {
        if let Some(temporary) = &self.temporary {
            self.sync.wait().map_err(|e| Error::io("write", temporary, e))?;
            let path = set.shard(&self.shard.name);
            self.lock = Some(lock);
            if !place(temporary, &path)? {
                self.use_existing(&path)?;
            }
            self.temporary = None;
            mirror::push_shard(set, &path)?;
        }
        Ok(())
    }

    /// Makes sure that the file at `path` is this shard, and young.
    fn use_existing(&self, path: &Path) -> Result<()> {
        let found = file_digest(path)?;
        if found != self.shard.blake3 {
            return Err(Error::data(
                path,
                format!("a shard with the BLAKE3 {}, as its name says", self.shard.blake3),
                format!("the BLAKE3 {found}"),
                "the file is damaged; remove it, then run again",
            ));
        }
        // Where locks do not work, its age alone keeps it from a sweep. A file that is not ours to
        // date is as it was.
        let _ = File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Ok(())
    }
}

impl Drop for FinishedShard {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Publishes all shards, durably; keep them until they are committed.
pub(crate) fn publish_all(set: &SetPaths, shards: &mut [FinishedShard]) -> Result<Vec<Shard>> {
    create_folder(&set.shards())?;
    let lock = Arc::new(SetLock::to_commit(set)?);
    for shard in shards.iter_mut() {
        shard.publish(set, lock.clone())?;
    }
    sync_folder(&set.shards())?;
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
