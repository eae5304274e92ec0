// SPDX-License-Identifier: MIT OR Apache-2.0

//! Encodes the embedding column.
//!
//! The general encoder of the parquet crate takes list values one by one, 12 seconds for
//! 200,000 × 1024 halves. Rows of equal length without nulls have levels that are known in
//! advance and values that are already in Parquet's plain encoding, so that a page is a few bytes
//! of run lengths and one copy. Readers see an ordinary list column.

use parquet::basic::{Compression, Encoding};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::schema::types::ColumnDescPtr;

/// Bytes of values in a page: small enough that one row costs little, large enough that headers
/// cost nothing.
const PAGE_BYTES: usize = 64 * 1024;

/// Rows in a page when one row takes `row_bytes`.
pub(crate) fn rows_per_page(row_bytes: usize) -> usize {
    (PAGE_BYTES / row_bytes.max(1)).max(1)
}

/// Encodes rows of `dim` values, `values` being all of them as little-endian bytes, as the chunk
/// of one row group, which is added to `out`.
pub(crate) fn encode_chunk(
    column: &ColumnDescPtr,
    dim: usize,
    values: &[u8],
    row_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<ColumnCloseResult> {
    let n_rows = values.len() / row_bytes;
    let (start, mut offsets) = (out.len(), OffsetIndexBuilder::new());
    out.reserve(values.len() + values.len() / 64 + 1024);
    for page_values in values.chunks(rows_per_page(row_bytes) * row_bytes) {
        let page_rows = page_values.len() / row_bytes;
        let page_start = out.len();
        let levels = levels(page_rows, dim);
        push_header(out, levels.len() + page_values.len(), page_rows * dim);
        out.extend_from_slice(&levels);
        out.extend_from_slice(page_values);
        offsets.append_row_count(page_rows as i64);
        offsets
            .append_offset_and_size((page_start - start) as i64, (out.len() - page_start) as i32);
    }
    let bytes = (out.len() - start) as i64;
    let metadata = ColumnChunkMetaData::builder(column.clone())
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
        .set_compression(Compression::UNCOMPRESSED)
        .set_total_compressed_size(bytes)
        .set_total_uncompressed_size(bytes)
        .set_num_values((n_rows * dim) as i64)
        .set_data_page_offset(0)
        .build()?;
    Ok(ColumnCloseResult {
        bytes_written: bytes as u64,
        rows_written: n_rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: Some(offsets.build()),
    })
}

/// The header of an uncompressed version 1 data page in Thrift's compact protocol, where a field
/// is its number's increase and its type in a byte, and its value.
fn push_header(out: &mut Vec<u8>, body_bytes: usize, n_values: usize) {
    const I32: u8 = 5;
    const STRUCT: u8 = 12;
    const STOP: u8 = 0;
    const DATA_PAGE: usize = 0;
    const PLAIN: usize = 0;
    const RLE: usize = 3;
    let numbers = |out: &mut Vec<u8>, values: &[usize]| {
        for value in values {
            out.push(1 << 4 | I32);
            // Zigzag of a number that is not negative is its double.
            push_varint(out, value << 1);
        }
    };
    // Fields 1 to 3: the type, and the size before and after compression.
    numbers(out, &[DATA_PAGE, body_bytes, body_bytes]);
    // Field 5, since 4 is a checksum that is left out: how the page is encoded.
    out.push(2 << 4 | STRUCT);
    // Values, then definition and repetition levels.
    numbers(out, &[n_values, PLAIN, RLE, RLE]);
    out.extend_from_slice(&[STOP, STOP]);
}

/// Levels of a version 1 data page, each kind after its length.
///
/// Both have one bit: a repetition level of 0 begins a row, and a definition level of 1 says that
/// a value is there.
fn levels(n_rows: usize, dim: usize) -> Vec<u8> {
    let mut row = Vec::new();
    push_run(&mut row, 1, 0);
    if dim > 1 {
        push_run(&mut row, dim - 1, 1);
    }
    let repetition = row.repeat(n_rows);
    let mut definition = Vec::new();
    push_run(&mut definition, n_rows * dim, 1);

    let mut out = Vec::with_capacity(repetition.len() + definition.len() + 8);
    for levels in [&repetition, &definition] {
        out.extend_from_slice(&(levels.len() as u32).to_le_bytes());
        out.extend_from_slice(levels);
    }
    out
}

/// A run of the run-length encoding: its length times two as a variable-length integer, then the
/// value in one byte.
fn push_run(out: &mut Vec<u8>, length: usize, level: u8) {
    push_varint(out, length << 1);
    out.push(level);
}

/// Seven bits a byte, the lowest first; a high bit says that more follow.
fn push_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
