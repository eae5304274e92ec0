// SPDX-License-Identifier: MIT OR Apache-2.0

//! The columns of a shard, and tiles to and from them.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt16Array,
    UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use eosin_core::{Error, Mpp, Result, TileMeta};

use crate::Dtype;

/// Name of the column that holds the embeddings, the last of a shard.
pub(crate) const EMBEDDING: &str = "embedding";

/// Columns that tell a tile, in order; the rest of a shard is the embedding.
const META_FIELDS: [(&str, DataType, bool); 14] = [
    ("tile_id", DataType::Utf8, false),
    ("slide", DataType::Utf8, false),
    ("patient", DataType::Utf8, false),
    ("centre", DataType::Utf8, true),
    ("scanner", DataType::Utf8, true),
    ("x", DataType::Int64, false),
    ("y", DataType::Int64, false),
    ("size_level0_px", DataType::UInt32, false),
    ("requested_mpp", DataType::Float64, true),
    ("effective_mpp", DataType::Float64, true),
    ("tissue_fraction", DataType::Float32, false),
    ("source", DataType::Utf8, false),
    ("source_digest", DataType::Utf8, false),
    ("view", DataType::UInt16, false),
];

/// Columns by which rows are known, enough to tell what is committed.
pub(crate) const KEY_COLUMNS: [&str; 4] = ["tile_id", "source", "source_digest", "view"];

/// Number of columns before the embedding.
pub(crate) const N_META: usize = META_FIELDS.len();

/// The Arrow schema of a shard.
pub(crate) fn shard_schema(dim: usize, dtype: Dtype) -> SchemaRef {
    let mut fields: Vec<Field> = META_FIELDS
        .iter()
        .map(|(name, kind, null)| Field::new(*name, kind.clone(), *null))
        .collect();
    let value = match dtype {
        Dtype::F16 => DataType::Float16,
        Dtype::F32 => DataType::Float32,
    };
    let element = Arc::new(Field::new("element", value, false));
    fields.push(Field::new(EMBEDDING, DataType::FixedSizeList(element, dim as i32), false));
    Arc::new(Schema::new(fields))
}

/// The columns of some tiles, in the schema's order and without the embedding.
pub(crate) fn meta_columns(metas: &[TileMeta], views: &[u16]) -> Vec<ArrayRef> {
    fn text(metas: &[TileMeta], of: impl Fn(&TileMeta) -> &str) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(metas.iter().map(of)))
    }
    fn maybe_text(metas: &[TileMeta], of: impl Fn(&TileMeta) -> Option<&str>) -> ArrayRef {
        Arc::new(metas.iter().map(of).collect::<StringArray>())
    }
    fn mpp(metas: &[TileMeta], of: impl Fn(&TileMeta) -> Option<Mpp>) -> ArrayRef {
        Arc::new(metas.iter().map(|m| of(m).map(Mpp::get)).collect::<Float64Array>())
    }
    vec![
        text(metas, |m| &m.tile_id),
        text(metas, |m| &m.slide),
        text(metas, |m| &m.group),
        maybe_text(metas, |m| m.centre.as_deref()),
        maybe_text(metas, |m| m.scanner.as_deref()),
        Arc::new(Int64Array::from_iter_values(metas.iter().map(|m| m.x))),
        Arc::new(Int64Array::from_iter_values(metas.iter().map(|m| m.y))),
        Arc::new(UInt32Array::from_iter_values(metas.iter().map(|m| m.size_level0_px))),
        mpp(metas, |m| m.requested_mpp),
        mpp(metas, |m| m.effective_mpp),
        Arc::new(Float32Array::from_iter_values(metas.iter().map(|m| m.tissue_fraction))),
        text(metas, |m| &m.source),
        text(metas, |m| &m.source_digest),
        Arc::new(UInt16Array::from_iter_values(views.iter().copied())),
    ]
}

/// Adds the tiles and views of a batch that has all columns of [`meta_columns`].
pub(crate) fn read_metas(
    path: &Path,
    batch: &RecordBatch,
    metas: &mut Vec<TileMeta>,
    views: &mut Vec<u16>,
) -> Result<()> {
    let tile_id = column::<StringArray>(path, batch, "tile_id")?;
    let slide = column::<StringArray>(path, batch, "slide")?;
    let group = column::<StringArray>(path, batch, "patient")?;
    let centre = column::<StringArray>(path, batch, "centre")?;
    let scanner = column::<StringArray>(path, batch, "scanner")?;
    let x = column::<Int64Array>(path, batch, "x")?;
    let y = column::<Int64Array>(path, batch, "y")?;
    let size = column::<UInt32Array>(path, batch, "size_level0_px")?;
    let requested = column::<Float64Array>(path, batch, "requested_mpp")?;
    let effective = column::<Float64Array>(path, batch, "effective_mpp")?;
    let tissue = column::<Float32Array>(path, batch, "tissue_fraction")?;
    let source = column::<StringArray>(path, batch, "source")?;
    let digest = column::<StringArray>(path, batch, "source_digest")?;
    let view = column::<UInt16Array>(path, batch, "view")?;
    let text = |a: &StringArray, i: usize| a.is_valid(i).then(|| a.value(i).to_string());
    let mpp = |a: &Float64Array, i: usize| a.is_valid(i).then(|| Mpp::new(a.value(i))).transpose();
    metas.reserve(batch.num_rows());
    for i in 0..batch.num_rows() {
        metas.push(TileMeta {
            tile_id: tile_id.value(i).to_string(),
            slide: slide.value(i).to_string(),
            group: group.value(i).to_string(),
            centre: text(centre, i),
            scanner: text(scanner, i),
            x: x.value(i),
            y: y.value(i),
            size_level0_px: size.value(i),
            requested_mpp: mpp(requested, i)?,
            effective_mpp: mpp(effective, i)?,
            tissue_fraction: tissue.value(i),
            source: source.value(i).to_string(),
            source_digest: digest.value(i).to_string(),
        });
    }
    views.extend_from_slice(view.values());
    Ok(())
}

/// A column by name and type.
pub(crate) fn column<'a, T: Array + 'static>(
    path: &Path,
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a T> {
    let found = batch.column_by_name(name);
    found.and_then(|c| c.as_any().downcast_ref()).ok_or_else(|| {
        Error::data(
            path,
            format!("a column {name} of the store's schema"),
            found.map_or("no such column".to_string(), |c| c.data_type().to_string()),
            "import the file with `eosin store import` instead of copying it into a set",
        )
    })
}
