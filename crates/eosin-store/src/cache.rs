// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, RecordBatch};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_ipc::{MetadataVersion, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use bytes::Bytes;
use eosin_core::{Error, Fingerprint, Matrix, Result};
use memmap2::Mmap;

use crate::durable::{create_folder, create_temporary, place, sync_folder};
use crate::open_set::OpenSet;
use crate::parquet_store::ParquetStore;
use crate::schema::EMBEDDING;

/// A set's embeddings as one matrix of `f32` in a memory-mapped Arrow IPC file.
///
/// Opening it costs no reading and no copy: pages come from the disk, or from the system's cache,
/// when rows are touched. The file must stay as it is while it is mapped, which the store sees to:
/// it is put in place whole and never written again.
#[derive(Debug)]
pub struct TrainingCache {
    map: Mmap,
    /// Where the values lie in the file, in bytes.
    values: std::ops::Range<usize>,
    n_rows: usize,
    dim: usize,
}

impl TrainingCache {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, row after row, in the order of the store's scan; an `ndarray` view of shape
    /// `(n_rows, dim)` takes this slice without a copy.
    pub fn values(&self) -> &[f32] {
        // The range was checked when the file was opened, so the fallback is never taken.
        bytemuck::try_cast_slice(&self.map[self.values.clone()]).unwrap_or_default()
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values()[i * self.dim..(i + 1) * self.dim]
    }

    /// The rows as a matrix that stays in the file: heads read it block by block, so that it may
    /// be larger than the memory.
    pub fn into_matrix(self) -> Result<Matrix> {
        Matrix::shared(self.n_rows, self.dim, Arc::new(self))
    }
}

impl AsRef<[f32]> for TrainingCache {
    fn as_ref(&self) -> &[f32] {
        self.values()
    }
}

impl ParquetStore {
    /// Opens the training cache of a set's newest state, and makes it first where there is none.
    ///
    /// The cache's name says which shards it was made from, so a stale one is never used; `gc`
    /// sweeps those. Making it takes a few blocks of rows of memory, and the set's size on the disk
    /// twice while it lasts.
    pub fn training_cache(&self, set: &Fingerprint) -> Result<TrainingCache> {
        let open = self.open_set(set)?;
        let path = cache_path(&open);
        if !path.exists() {
            build(&open, &path)?;
        }
        map(&path, &open)
    }
}

/// The cache of a state: named by the digest of its shards in order.
pub(crate) fn cache_path(open: &OpenSet) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    for shard in &open.state.shards {
        hasher.update(shard.blake3.as_bytes());
    }
    let digest = hasher.finalize().to_hex();
    open.paths.cache().join(format!("{}.arrow", &digest[..32]))
}

fn build(open: &OpenSet, path: &Path) -> Result<()> {
    let folder = open.paths.cache();
    create_folder(&folder)?;
    let plain = write_plain(open, &folder)?;
    let (temporary, file) = create_temporary(&folder)?;
    let written = map_whole(&plain)
        .and_then(|values| {
            write(open, values, file)
                .map_err(|e| Error::io("write", &temporary, std::io::Error::other(e)))
        })
        .and_then(|file| file.sync_all().map_err(|e| Error::io("write", &temporary, e)))
        // Another process may have made the same cache meanwhile, which then stays.
        .and_then(|()| place(&temporary, path).map(|_| ()));
    let _ = fs::remove_file(&plain);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| sync_folder(&folder))
}

/// Writes the values alone to a temporary file, so that they can be mapped.
fn write_plain(open: &OpenSet, folder: &Path) -> Result<PathBuf> {
    let (path, mut file) = create_temporary(folder)?;
    let written = open.for_each_block(&mut |values| {
        file.write_all(bytemuck::cast_slice(values)).map_err(|e| Error::io("write", &path, e))
    });
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written.map(|()| path)
}

/// One record batch of one column, so that all values lie in one piece.
fn write(open: &OpenSet, values: Mmap, file: File) -> Result<File, ArrowError> {
    let element = Arc::new(Field::new("element", DataType::Float32, false));
    let dim = open.contract.dim as i32;
    let n_values = values.len() / size_of::<f32>();
    let values = ScalarBuffer::new(Buffer::from(Bytes::from_owner(values)), 0, n_values);
    let list = FixedSizeListArray::try_new(
        element.clone(),
        dim,
        Arc::new(Float32Array::new(values, None)) as ArrayRef,
        None,
    )?;
    let field = Field::new(EMBEDDING, DataType::FixedSizeList(element, dim), false);
    let metadata: HashMap<String, String> =
        [("eosin.fingerprint".to_string(), open.contract.fingerprint().to_string())].into();
    let schema = Arc::new(Schema::new(vec![field]).with_metadata(metadata));
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(list)])?;
    let options = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)?;
    let mut writer = FileWriter::try_new_with_options(BufWriter::new(file), &schema, options)?;
    writer.write(&batch)?;
    writer.finish()?;
    let buffered = writer.into_inner()?;
    buffered.into_inner().map_err(|e| ArrowError::IoError(e.to_string(), e.into_error()))
}

fn map(path: &Path, open: &OpenSet) -> Result<TrainingCache> {
    let map = map_whole(path)?;
    let n_rows = open.state.rows() as usize;
    let dim = open.contract.dim as usize;
    let values = find_values(&map, n_rows, n_rows * dim * 4).ok_or_else(|| {
        Error::data(
            path,
            format!("an Arrow file with {n_rows} rows of {dim} values in one piece"),
            format!("{} bytes that are not that", map.len()),
            "delete the file; it is made again from the shards",
        )
    })?;
    Ok(TrainingCache { map, values, n_rows, dim })
}

fn map_whole(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    #[expect(unsafe_code, reason = "mapping a file is unsafe, since others could change it")]
    // SAFETY: the store never writes again to the files that it maps, which are written under a
    // name of their own, and only ever unlinks them, which leaves the mapping as it is. Any bit
    // pattern is a valid f32.
    unsafe { Mmap::map(&file) }.map_err(|e| Error::io("map", path, e))
}

/// Where the values of the only record batch lie, if the file is as [`write()`] makes it.
fn find_values(
    file: &[u8],
    n_rows: usize,
    expected_bytes: usize,
) -> Option<std::ops::Range<usize>> {
    let tail = file.strip_suffix(b"ARROW1")?;
    let (rest, length) = tail.split_at_checked(tail.len().checked_sub(4)?)?;
    let length = usize::try_from(i32::from_le_bytes(length.try_into().ok()?)).ok()?;
    let footer = root_as_footer(rest.get(rest.len().checked_sub(length)?..)?).ok()?;
    let blocks = footer.recordBatches()?;
    if blocks.len() != 1 {
        return None;
    }
    let block = blocks.get(0);
    let start = usize::try_from(block.offset()).ok()?;
    let body = start.checked_add(usize::try_from(block.metaDataLength()).ok()?)?;
    // A continuation mark and a length stand before the message.
    let message = root_as_message(file.get(start.checked_add(8)?..body)?).ok()?;
    let batch = message.header_as_record_batch()?;
    let buffers = batch.buffers()?;
    let buffer = buffers.get(buffers.len().checked_sub(1)?);
    let first = body.checked_add(usize::try_from(buffer.offset()).ok()?)?;
    let range = first..first.checked_add(expected_bytes)?;
    let fits = usize::try_from(batch.length()).ok() == Some(n_rows)
        && usize::try_from(buffer.length()).ok() == Some(expected_bytes)
        && batch.compression().is_none()
        && range.end <= rest.len()
        && bytemuck::try_cast_slice::<u8, f32>(&file[range.clone()]).is_ok();
    fits.then_some(range)
}
