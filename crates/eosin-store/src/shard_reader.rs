// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::{
    Array, FixedSizeListArray, Float16Array, Float32Array, RecordBatch, StringArray, UInt16Array,
};
use arrow_schema::DataType;
use eosin_core::{Contract, Error, Result, TileMeta, lies_inside};
use half::slice::HalfFloatSliceExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use crate::Dtype;
use crate::dtype::Widener;
use crate::layout::SetPaths;
use crate::log::Shard;
use crate::mirror;
use crate::read::RowKey;
use crate::schema::{EMBEDDING, KEY_COLUMNS, N_META, column, read_metas, shard_schema};
use crate::shard_writer::{KEY_CONTRACT, KEY_FINGERPRINT};

/// Reads one committed shard.
pub(crate) struct ShardReader {
    path: PathBuf,
    /// For Parquet's own reader, which moves the file's position as it likes.
    file: File,
    /// For reading values in place.
    values: File,
    metadata: ArrowReaderMetadata,
    dim: usize,
    dtype: Dtype,
    n_rows: usize,
    /// Where rows lie, when the embeddings are plain bytes.
    spans: Option<Vec<Span>>,
}

/// Rows whose values follow one another in the file: those of a page.
#[derive(Clone, Copy, Debug)]
struct Span {
    first_row: usize,
    n_rows: usize,
    values_at: u64,
}

/// Which columns to read beside the embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaColumns {
    All,
    Keys,
}

impl ShardReader {
    /// Opens a shard of the log and checks that it is what the log says, without reading its rows.
    pub(crate) fn open(set: &SetPaths, shard: &Shard, contract: &Contract) -> Result<Self> {
        mirror::pull_shard(set, shard)?;
        let path = set.shard(&shard.name);
        let open = || File::open(&path).map_err(|e| Error::io("read", &path, e));
        let (file, values) = (open()?, open()?);
        let bytes = file.metadata().map_err(|e| Error::io("read", &path, e))?.len();
        if bytes != shard.bytes {
            return Err(damaged(&path, format!("{} bytes", shard.bytes), format!("{bytes} bytes")));
        }
        // Only where pages lie is needed, not what ranges of values they hold.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let metadata =
            ArrowReaderMetadata::load(&file, options).map_err(|e| parquet_error(&path, &e))?;
        check_ranges(&path, metadata.metadata(), bytes)?;
        check_contract(&path, metadata.metadata(), contract)?;
        let dim = contract.dim as usize;
        if metadata.schema().fields() != shard_schema(dim, shard.dtype).fields() {
            return Err(damaged(
                &path,
                format!("the store's columns with {dim} values of {}", shard.dtype),
                "other columns",
            ));
        }
        let rows = metadata.metadata().file_metadata().num_rows();
        if rows != shard.rows as i64 {
            return Err(damaged(&path, format!("{} rows", shard.rows), format!("{rows} rows")));
        }
        let spans = plain_spans(metadata.metadata(), dim * shard.dtype.width(), dim, bytes);
        Ok(Self {
            path,
            file,
            values,
            metadata,
            dim,
            dtype: shard.dtype,
            n_rows: shard.rows as usize,
            spans,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Tiles and views of all rows.
    pub(crate) fn read_metas(&self) -> Result<(Vec<TileMeta>, Vec<u16>)> {
        let (mut metas, mut views) = (Vec::with_capacity(self.n_rows), Vec::new());
        for batch in self.meta_batches(MetaColumns::All, 8192)? {
            let batch = batch.map_err(|e| parquet_error(&self.path, &e.into()))?;
            read_metas(&self.path, &batch, &mut metas, &mut views)?;
        }
        Ok((metas, views))
    }

    /// Keys of all rows.
    pub(crate) fn read_keys(&self) -> Result<Vec<RowKey>> {
        let mut keys = Vec::with_capacity(self.n_rows);
        for batch in self.meta_batches(MetaColumns::Keys, 8192)? {
            let batch = batch.map_err(|e| parquet_error(&self.path, &e.into()))?;
            let tile_id = column::<StringArray>(&self.path, &batch, "tile_id")?;
            let digest = column::<StringArray>(&self.path, &batch, "source_digest")?;
            let view = column::<UInt16Array>(&self.path, &batch, "view")?;
            keys.extend(
                (0..batch.num_rows())
                    .map(|i| RowKey::new(tile_id.value(i), digest.value(i), view.value(i))),
            );
        }
        Ok(keys)
    }

    /// Streams columns other than the embedding.
    pub(crate) fn meta_batches(
        &self,
        columns: MetaColumns,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader> {
        let schema = self.metadata.parquet_schema();
        let mask = match columns {
            MetaColumns::All => ProjectionMask::roots(schema, 0..N_META),
            MetaColumns::Keys => ProjectionMask::columns(schema, KEY_COLUMNS),
        };
        self.builder(mask)?
            .with_batch_size(batch_rows)
            .build()
            .map_err(|e| parquet_error(&self.path, &e))
    }

    /// Fills `out` with the embeddings of the rows from `first` on.
    pub(crate) fn read_values(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let n_rows = out.len() / self.dim;
        let Some(spans) = &self.spans else {
            let selection = RowSelection::from_consecutive_ranges(
                std::iter::once(first..first + n_rows),
                self.n_rows,
            );
            return self.decode(selection, out);
        };
        let row_bytes = (self.dim * self.dtype.width()) as u64;
        let mut widener = Widener::default();
        let mut at = spans.partition_point(|s| s.first_row + s.n_rows <= first);
        let (mut row, mut rest) = (first, out);
        while !rest.is_empty() {
            let Some(span) = spans.get(at) else {
                return Err(damaged(&self.path, format!("row {row}"), "fewer rows"));
            };
            let skip = row - span.first_row;
            let n = (span.n_rows - skip).min(rest.len() / self.dim);
            let (here, after) = rest.split_at_mut(n * self.dim);
            let offset = span.values_at + skip as u64 * row_bytes;
            widener
                .fill(self.dtype, here, |bytes| read_exact_at(&self.values, bytes, offset))
                .map_err(|e| Error::io("read", &self.path, e))?;
            (row, rest, at) = (row + n, after, at + 1);
        }
        Ok(())
    }

    /// Fills `out` with the embeddings of `rows`, in their order; reads no others where rows lie
    /// in place.
    pub(crate) fn read_rows(&self, rows: &[usize], out: &mut [f32]) -> Result<()> {
        if self.spans.is_some() {
            for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.dim)) {
                self.read_values(row, out)?;
            }
            return Ok(());
        }
        let mut sorted = rows.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let ranges = sorted.iter().map(|&r| r..r + 1);
        let selection = RowSelection::from_consecutive_ranges(ranges, self.n_rows);
        let mut values = vec![0.0; sorted.len() * self.dim];
        self.decode(selection, &mut values)?;
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(self.dim)) {
            let at = sorted.partition_point(|r| r < row) * self.dim;
            out.copy_from_slice(&values[at..at + self.dim]);
        }
        Ok(())
    }

    /// The way through Parquet's own decoder, for pages that are compressed or encoded.
    fn decode(&self, selection: RowSelection, out: &mut [f32]) -> Result<()> {
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), [N_META]);
        let reader = self
            .builder(mask)?
            .with_row_selection(selection)
            .with_batch_size(1024)
            .build()
            .map_err(|e| parquet_error(&self.path, &e))?;
        let mut at = 0;
        for batch in reader {
            let batch = batch.map_err(|e| parquet_error(&self.path, &e.into()))?;
            let n = batch.num_rows() * self.dim;
            let Some(part) = out.get_mut(at..at + n) else {
                return Err(damaged(&self.path, "the rows asked for", "more rows"));
            };
            copy_embeddings(&self.path, &batch, part)?;
            at += n;
        }
        if at == out.len() {
            Ok(())
        } else {
            Err(damaged(&self.path, "the rows asked for", "fewer rows"))
        }
    }

    fn builder(&self, mask: ProjectionMask) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let file = self.file.try_clone().map_err(|e| Error::io("read", &self.path, e))?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_projection(mask))
    }
}

/// Reads at a place without moving the file's position, so that threads can share it.
#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Reads at a place; each call has its own position, so that threads can share the file.
#[cfg(windows)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let place = offset + done as u64;
        match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], place)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// Where each page's values lie, if the embedding column is uncompressed, plainly encoded, without
/// nulls and indexed; `None` sends readers the general way.
///
/// Values are the end of a plain page, so neither its header nor its levels need to be read.
fn plain_spans(
    metadata: &ParquetMetaData,
    row_bytes: usize,
    dim: usize,
    file_bytes: u64,
) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    let mut group_first = 0;
    for (g, group) in metadata.row_groups().iter().enumerate() {
        let column = group.columns().get(N_META)?;
        let n_rows = usize::try_from(group.num_rows()).ok()?;
        let plain = column.compression() == Compression::UNCOMPRESSED
            && column.dictionary_page_offset().is_none()
            && column.encodings().all(|e| matches!(e, Encoding::PLAIN | Encoding::RLE))
            && usize::try_from(column.num_values()).ok() == n_rows.checked_mul(dim);
        if !plain {
            return None;
        }
        let index = metadata.page_index_for_row_group(g);
        let pages = index.page_locations(N_META)?;
        for (i, page) in pages.iter().enumerate() {
            let next = pages.get(i + 1).map_or(group.num_rows(), |p| p.first_row_index);
            let page_rows = usize::try_from(next.checked_sub(page.first_row_index)?).ok()?;
            let end = page.offset.checked_add(i64::from(page.compressed_page_size))?;
            let length = i64::try_from(page_rows.checked_mul(row_bytes)?).ok()?;
            let values_at = end.checked_sub(length)?;
            if values_at < page.offset || end as u64 > file_bytes {
                return None;
            }
            let first_row = group_first + usize::try_from(page.first_row_index).ok()?;
            let expected = spans.last().map_or(0, |s: &Span| s.first_row + s.n_rows);
            if first_row != expected {
                return None;
            }
            spans.push(Span { first_row, n_rows: page_rows, values_at: values_at as u64 });
        }
        group_first += n_rows;
    }
    let covered = spans.last().map_or(0, |s| s.first_row + s.n_rows);
    (covered == group_first).then_some(spans)
}

fn copy_embeddings(path: &Path, batch: &RecordBatch, out: &mut [f32]) -> Result<()> {
    let list = batch.column(0).as_any().downcast_ref::<FixedSizeListArray>();
    let values = list.map(FixedSizeListArray::values);
    match values.map(|v| (v, v.data_type())) {
        Some((v, DataType::Float16)) => {
            if let Some(halves) = v.as_any().downcast_ref::<Float16Array>()
                && halves.len() == out.len()
            {
                halves.values().as_ref().convert_to_f32_slice(out);
                return Ok(());
            }
        }
        Some((v, DataType::Float32)) => {
            if let Some(floats) = v.as_any().downcast_ref::<Float32Array>()
                && floats.len() == out.len()
            {
                out.copy_from_slice(floats.values());
                return Ok(());
            }
        }
        _ => {}
    }
    Err(damaged(path, format!("a fixed-size list column {EMBEDDING}"), "something else"))
}

/// Refuses column chunks that lie outside the file, on which the parquet crate would panic.
fn check_ranges(path: &Path, metadata: &ParquetMetaData, file_bytes: u64) -> Result<()> {
    for group in metadata.row_groups() {
        for column in group.columns() {
            let data = column.data_page_offset();
            let starts = [column.dictionary_page_offset().unwrap_or(data), data];
            if !lies_inside(file_bytes, &starts, column.compressed_size()) {
                let name = column.column_path().string();
                return Err(damaged(path, format!("column {name} inside the file"), "elsewhere"));
            }
        }
    }
    Ok(())
}

/// Refuses a shard that belongs to another set.
fn check_contract(path: &Path, metadata: &ParquetMetaData, contract: &Contract) -> Result<()> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let value = |key: &str| {
        pairs.and_then(|p| p.iter().find(|kv| kv.key == key)).and_then(|kv| kv.value.as_deref())
    };
    let ours = contract.fingerprint();
    if value(KEY_FINGERPRINT) == Some(ours.as_str()) {
        return Ok(());
    }
    if let Some(theirs) = value(KEY_CONTRACT).and_then(|c| serde_json::from_str(c).ok()) {
        contract.ensure_same(&theirs)?;
    }
    let found = value(KEY_FINGERPRINT).unwrap_or("none");
    Err(damaged(path, format!("the fingerprint {ours}"), found))
}

pub(crate) fn damaged(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::data(
        path,
        expected,
        found,
        "run `eosin store verify`, then restore the shard from a copy or embed its tiles again",
    )
}

fn parquet_error(path: &Path, error: &parquet::errors::ParquetError) -> Error {
    damaged(path, "a sound Parquet shard", error.to_string())
}
