// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eosin_core::{Error, Fingerprint, Matrix, Result, TileMeta};
use hdf5_pure::{AttrValue, FileBuilder};

use crate::open_set::OpenSet;
use crate::parquet_store::ParquetStore;
use crate::read::latest_rows;
use crate::slides::SlideNames;

/// Whose HDF5 files to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H5Layout {
    /// `<slide>.h5` with `features` and 64-bit `coords`, the encoder and the tile size as
    /// attributes.
    Trident,
    /// `<slide>.h5` with `features` and 32-bit `coords`, whose tile size is in level-0 pixels.
    Clam,
}

/// Exports a set as one file per slide into `folder`, which must exist, and returns the files.
///
/// Only one slide is in memory at a time. Slides that would get one name are told apart by a dash
/// and eight signs. Of a bank of views the first is exported, since these
/// layouts have one row per tile.
pub fn export_h5(
    store: &ParquetStore,
    set: &Fingerprint,
    folder: &Path,
    layout: H5Layout,
) -> Result<Vec<PathBuf>> {
    let open = store.open_set(set)?;
    let (metas, views) = open.read_metas()?;
    let names = SlideNames::of(&metas, file_name);
    let mut slides: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in latest_rows(&metas, &views).into_iter().filter(|&row| views[row] == 0) {
        slides.entry(names.name(&metas[row])).or_default().push(row);
    }
    let mut paths = Vec::with_capacity(slides.len());
    for (slide, mut rows) in slides {
        rows.sort_unstable();
        let numbers: Vec<u64> = rows.iter().map(|&r| r as u64).collect();
        let embeddings = open.read_rows(&numbers)?;
        let tiles: Vec<&TileMeta> = rows.iter().map(|&r| &metas[r]).collect();
        let path = folder.join(format!("{slide}.h5"));
        write(&path, &open, slide, &tiles, &embeddings, layout)?;
        paths.push(path);
    }
    Ok(paths)
}

/// A slide's name without its folder and extension, as these tools name files.
fn file_name(slide: &str) -> &str {
    Path::new(slide).file_stem().and_then(|s| s.to_str()).unwrap_or(slide)
}

fn write(
    path: &Path,
    open: &OpenSet,
    slide: &str,
    tiles: &[&TileMeta],
    embeddings: &Matrix,
    layout: H5Layout,
) -> Result<()> {
    let (n, dim) = (embeddings.n_rows() as u64, embeddings.n_cols() as u64);
    let text = |value: &str| AttrValue::VarLenString(value.to_string());
    let mut file = FileBuilder::new();
    let features = file.create_dataset("features");
    features.with_f32_data(embeddings.values()).with_shape(&[n, dim]);
    if layout == H5Layout::Trident {
        features.set_attr("encoder", text(&open.contract.backbone));
        features.set_attr("name", text(slide));
        features.set_attr("eosin_fingerprint", text(open.contract.fingerprint().as_str()));
    }
    let places = tiles.iter().flat_map(|t| [t.x, t.y]);
    let coords = file.create_dataset("coords");
    match layout {
        H5Layout::Trident => {
            let size = tiles.first().map_or(0, |t| t.size_level0_px);
            coords.with_i64_data(&places.collect::<Vec<_>>()).with_shape(&[n, 2]);
            coords.set_attr("patch_size_level0", AttrValue::I64(i64::from(size)));
            coords.set_attr("patch_size", AttrValue::I64(i64::from(open.contract.tile_px)));
        }
        H5Layout::Clam => {
            let places: Vec<i32> =
                places.map(i32::try_from).collect::<Result<_, _>>().map_err(|_| {
                    Error::data(
                        path,
                        "coordinates of 32 bits, as CLAM writes them",
                        "larger ones",
                        "export in the layout of TRIDENT",
                    )
                })?;
            coords.with_i32_data(&places).with_shape(&[n, 2]);
            let size = tiles.first().map_or(0, |t| t.size_level0_px);
            coords.set_attr("patch_size", AttrValue::I64(i64::from(size)));
            coords.set_attr("patch_level", AttrValue::I64(0));
            coords.set_attr("downsample", AttrValue::F64Array(vec![1.0, 1.0]));
        }
    }
    file.write(path).map_err(|e| Error::io("write", path, std::io::Error::other(e)))
}
