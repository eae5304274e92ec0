// SPDX-License-Identifier: MIT OR Apache-2.0

//! Encodes the embedding column.
//!
//! The general encoder of the parquet crate takes list values one by one, 12 seconds for
//! 200,000 × 1024 halves. Rows of equal length without nulls have levels that are known in
//! advance and values that are already in Parquet's plain encoding, so that a page is a few bytes
//! of run lengths and one copy. Readers see an ordinary list column.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Bytes of values in a page: small enough that one row costs little, large enough that headers
/// cost nothing.
const PAGE_BYTES: usize = 64 * 1024;

/// Rows in a page when one row takes `row_bytes`.
pub(crate) fn rows_per_page(row_bytes: usize) -> usize {
    (PAGE_BYTES / row_bytes.max(1)).max(1)
}

/// Encodes rows of `dim` values, `values` being all of them as little-endian bytes, as the chunk
/// of one row group.
pub(crate) fn encode_chunk(
    column: &ColumnDescPtr,
    dim: usize,
    values: &[u8],
    row_bytes: usize,
) -> Result<(Bytes, ColumnCloseResult)> {
    let n_rows = values.len() / row_bytes;
    let mut sink = TrackedWrite::new(Vec::with_capacity(values.len() + values.len() / 64 + 1024));
    let mut pages = SerializedPageWriter::new(&mut sink);
    let mut offsets = OffsetIndexBuilder::new();
    let (mut compressed, mut uncompressed) = (0, 0);
    for page_values in values.chunks(rows_per_page(row_bytes) * row_bytes) {
        let page_rows = page_values.len() / row_bytes;
        let body = page_body(page_rows, dim, page_values);
        let size = body.len();
        let page = Page::DataPage {
            buf: body.into(),
            num_values: (page_rows * dim) as u32,
            encoding: Encoding::PLAIN,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = pages.write_page(CompressedPage::new(page, size))?;
        offsets.append_row_count(page_rows as i64);
        offsets.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
        compressed += spec.compressed_size as i64;
        uncompressed += spec.uncompressed_size as i64;
    }
    pages.close()?;
    let metadata = ColumnChunkMetaData::builder(column.clone())
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
        .set_compression(Compression::UNCOMPRESSED)
        .set_total_compressed_size(compressed)
        .set_total_uncompressed_size(uncompressed)
        .set_num_values((n_rows * dim) as i64)
        .set_data_page_offset(0)
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: compressed as u64,
        rows_written: n_rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: Some(offsets.build()),
    };
    Ok((sink.into_inner()?.into(), close))
}

/// Levels and values of a version 1 data page.
///
/// Both levels have one bit: a repetition level of 0 begins a row, and a definition level of 1
/// says that a value is there.
fn page_body(n_rows: usize, dim: usize, values: &[u8]) -> Vec<u8> {
    let mut row = Vec::new();
    push_run(&mut row, 1, 0);
    if dim > 1 {
        push_run(&mut row, dim - 1, 1);
    }
    let repetition = row.repeat(n_rows);
    let mut definition = Vec::new();
    push_run(&mut definition, n_rows * dim, 1);

    let mut body = Vec::with_capacity(values.len() + repetition.len() + definition.len() + 8);
    for levels in [&repetition, &definition] {
        body.extend_from_slice(&(levels.len() as u32).to_le_bytes());
        body.extend_from_slice(levels);
    }
    body.extend_from_slice(values);
    body
}

/// A run of the run-length encoding: its length times two as a variable-length integer, then the
/// value in one byte.
fn push_run(out: &mut Vec<u8>, length: usize, level: u8) {
    let mut header = length << 1;
    while header >= 0x80 {
        out.push((header & 0x7F) as u8 | 0x80);
        header >>= 7;
    }
    out.push(header as u8);
    out.push(level);
}
