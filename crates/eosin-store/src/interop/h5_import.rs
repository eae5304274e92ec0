// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use eosin_core::{Contract, Error, Matrix, Result};
use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder, File};

use super::matrix::{check_unpacked, matrix_extent, open_regular};
use super::{Imported, Origin, UNKNOWN, bare_meta, imported_contract};

type Attributes = HashMap<String, AttrValue>;

/// Deflate packs no tighter, so a dataset of more values than the file has bytes times this is
/// damaged.
const MAX_RATIO: u64 = 1100;

/// Imports one slide's embeddings from an HDF5 file of TRIDENT, CLAM, STAMP or AtlasPatch, or from
/// any file with a matrix `features`.
///
/// The layout is told by the file itself. `features` names the matrix where a file has several, as
/// AtlasPatch's do. The contract says what the file tells and marks the rest as unknown.
pub fn import_h5(path: &Path, features: Option<&str>) -> Result<Imported> {
    // The reader is another's: where it panics on a damaged file, the file is refused.
    catch_unwind(AssertUnwindSafe(|| import(path, features))).unwrap_or_else(|_| {
        Err(damaged(path, "a sound HDF5 file", "one on which the reader of HDF5 gives up"))
    })
}

fn import(path: &Path, features: Option<&str>) -> Result<Imported> {
    let (_, file_bytes) = open_regular(path)?;
    let file = File::open_streaming(path).map_err(|e| h5_error(path, &e))?;
    let root = file.root();
    let names = root.datasets().map_err(|e| h5_error(path, &e))?;
    let has = |name: &str| names.iter().any(|n| n == name);
    let root_attributes = root.attrs().map_err(|e| h5_error(path, &e))?;
    let slide = path.file_stem().and_then(|s| s.to_str()).unwrap_or(UNKNOWN).to_string();
    let origin = Origin::of(path, None)?;

    let (name, layout) = if has("feats") {
        ("feats".to_string(), Layout::Stamp)
    } else if has("features") {
        let tagged = attributes(path, &dataset(path, &file, "features")?)?;
        let layout = match (has("coords"), tagged.contains_key("encoder")) {
            (true, true) => Layout::Trident,
            (true, false) => Layout::Clam,
            (false, _) => Layout::Plain,
        };
        ("features".to_string(), layout)
    } else {
        (format!("features/{}", atlas_features(path, &file, features)?), Layout::AtlasPatch)
    };

    let matrix = dataset(path, &file, &name)?;
    let embeddings = read_features(path, &matrix, file_bytes)?;
    let of_matrix = attributes(path, &matrix)?;
    let known = Known { root: root_attributes, matrix: of_matrix };
    let coords = match layout {
        Layout::Plain => None,
        _ => Some(Coordinates::read(path, &file, embeddings.n_rows())?),
    };
    let size = coords.as_ref().map_or(0, |c| tile_size(layout, c, &known));
    let named = if has("metadata") { strings(path, &file, embeddings.n_rows())? } else { None };
    let metas = (0..embeddings.n_rows())
        .map(|i| {
            let place = coords.as_ref().map(|c| c.row(i));
            let tile_id = match (&named, place) {
                (Some(names), _) => format!("{slide}:{}", names[i]),
                (None, Some((x, y, own))) => {
                    format!("{slide}:{x}:{y}:{}", own.map_or(size, |s| s as u32))
                }
                (None, None) => format!("{slide}:{i}"),
            };
            let mut meta = bare_meta(tile_id, &slide, &origin);
            if let Some((x, y, own)) = place {
                (meta.x, meta.y) = (x, y);
                meta.size_level0_px = own.map_or(size, |s| s as u32);
            }
            meta
        })
        .collect();
    let contract = layout.contract(&name, embeddings.n_cols() as u32, &known);
    let views = vec![0; embeddings.n_rows()];
    Ok(Imported { contract, metas, views, embeddings })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Trident,
    Clam,
    Stamp,
    AtlasPatch,
    Plain,
}

/// Attributes of the file and of the matrix.
struct Known {
    root: Attributes,
    matrix: Attributes,
}

impl Known {
    fn text(&self, key: &str) -> Option<&str> {
        let found = self.root.get(key).or_else(|| self.matrix.get(key));
        found.and_then(AttrValue::as_str)
    }

    fn number(&self, key: &str) -> Option<f64> {
        let found = self.root.get(key).or_else(|| self.matrix.get(key))?;
        found.as_f64().or_else(|| found.as_i64().map(|i| i as f64))
    }
}

impl Layout {
    fn contract(self, matrix: &str, dim: u32, known: &Known) -> Contract {
        let (origin, backbone) = match self {
            Self::Trident => ("TRIDENT h5".to_string(), known.text("encoder")),
            Self::Clam => ("CLAM h5".to_string(), None),
            Self::Stamp => {
                let version = known.text("stamp_version").unwrap_or(UNKNOWN);
                (format!("STAMP {version} h5, coordinates in µm"), known.text("extractor"))
            }
            Self::AtlasPatch => ("AtlasPatch h5".to_string(), matrix.split('/').next_back()),
            Self::Plain => ("h5".to_string(), None),
        };
        let mut contract = imported_contract(&origin, backbone.unwrap_or(UNKNOWN), dim);
        if self == Self::Stamp {
            contract.tile_um = known.number("tile_size_um");
            contract.tile_px = known.number("tile_size_px").unwrap_or(0.0) as u32;
        }
        contract
    }
}

/// A tile's side in level-0 pixels, as the layout tells it for the whole file.
fn tile_size(layout: Layout, coords: &Coordinates, known: &Known) -> u32 {
    let number = |key: &str| {
        let own = coords.attributes.get(key);
        own.and_then(|v| v.as_f64().or_else(|| v.as_i64().map(|i| i as f64)))
            .or_else(|| known.number(key))
    };
    let px = match layout {
        Layout::Trident => number("patch_size_level0"),
        Layout::Clam => {
            // CLAM gives the downsampling of the level as one number per axis.
            let down = coords.attributes.get("downsample").and_then(AttrValue::to_f64s);
            let down = down.and_then(|d| d.first().copied()).or_else(|| number("downsample"));
            number("patch_size").map(|p| p * down.unwrap_or(1.0))
        }
        _ => None,
    };
    px.map_or(0, |p| p.round() as u32)
}

/// The most columns of coordinates; AtlasPatch has five.
const MAX_COORDINATES: u64 = 16;

/// Where tiles are: two columns, or AtlasPatch's five.
struct Coordinates {
    n_cols: usize,
    values: Vec<f64>,
    attributes: Attributes,
}

impl Coordinates {
    fn read(path: &Path, file: &File, n_rows: usize) -> Result<Self> {
        let coords = dataset(path, file, "coords")?;
        let shape = checked_shape(path, &coords)?;
        let wrong = |found| damaged(path, format!("coords of {n_rows} tiles"), found);
        let n_cols = match shape[..] {
            [n, n_cols] if n == n_rows as u64 && (2..=MAX_COORDINATES).contains(&n_cols) => {
                n_cols as usize
            }
            _ => return Err(wrong(format!("{shape:?}"))),
        };
        let values = coords.read_f64().map_err(|e| h5_error(path, &e))?;
        if values.len() != n_rows * n_cols {
            return Err(wrong(format!("{} numbers", values.len())));
        }
        Ok(Self { n_cols, values, attributes: attributes(path, &coords)? })
    }

    /// Left and top edge, and the tile's own width where the file has one per tile.
    fn row(&self, i: usize) -> (i64, i64, Option<i64>) {
        let row = &self.values[i * self.n_cols..(i + 1) * self.n_cols];
        let whole = |v: f64| v.round() as i64;
        (whole(row[0]), whole(row[1]), (self.n_cols == 5).then(|| whole(row[2])))
    }
}

/// The matrix of an AtlasPatch file: the one that was named, or the only one.
fn atlas_features(path: &Path, file: &File, wanted: Option<&str>) -> Result<String> {
    let group = file.group("features").map_err(|_| {
        damaged(path, "a dataset `features` or `feats`, or a group `features`", "neither")
    })?;
    let mut names = group.datasets().map_err(|e| h5_error(path, &e))?;
    names.sort();
    let found = match wanted {
        Some(wanted) => names.iter().find(|n| *n == wanted).cloned(),
        None if names.len() == 1 => names.pop(),
        None => None,
    };
    found.ok_or_else(|| {
        Error::input(
            "features",
            format!("one of {}", names.join(", ")),
            wanted.unwrap_or("none").to_string(),
            "name the matrix to import",
        )
    })
}

fn read_features(path: &Path, matrix: &Dataset, file_bytes: u64) -> Result<Matrix> {
    let shape = checked_shape(path, matrix)?;
    let (n_rows, n_cols) = match shape[..] {
        [n_rows, n_cols] if n_cols > 0 => (n_rows, n_cols),
        _ => return Err(damaged(path, "embeddings of N × dim", format!("{shape:?}"))),
    };
    // Chunks may be packed or missing, so the file's size bounds what is made and no more.
    let n_bytes = n_rows.saturating_mul(n_cols).saturating_mul(4);
    matrix_extent(path, [n_rows, n_cols], 4, n_bytes)?;
    check_unpacked(path, file_bytes, n_bytes)?;
    let values = match matrix.datatype().map_err(|e| h5_error(path, &e))? {
        // STAMP writes half precision, which the HDF5 reader hands over as bytes only.
        Datatype::FloatingPoint {
            size: 2, byte_order: DatatypeByteOrder::LittleEndian, ..
        } => {
            let bytes = matrix.read_raw().map_err(|e| h5_error(path, &e))?;
            let halves = bytes.chunks_exact(2);
            halves.map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
        }
        _ => matrix.read_f32().map_err(|e| h5_error(path, &e))?,
    };
    Matrix::new(n_rows as usize, n_cols as usize, values)
}

/// A dataset's shape; what it says of its values and of the chunks that hold them is checked
/// against the file before anything is allocated for them.
fn checked_shape(path: &Path, dataset: &Dataset) -> Result<Vec<u64>> {
    let file_bytes = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?.len();
    // A type may say that a number has gigabytes.
    let value_bytes = dataset.element_size().map_err(|e| h5_error(path, &e))?.max(1);
    let fits = |shape: &[u64]| {
        let n = shape.iter().try_fold(value_bytes, |n: u64, &side| n.checked_mul(side));
        n.is_some_and(|n| n <= file_bytes.saturating_mul(MAX_RATIO))
    };
    let outside = |found| damaged(path, "values inside the file", found);
    let shape = squeeze(dataset.shape().map_err(|e| h5_error(path, &e))?);
    if !fits(&shape) {
        return Err(outside(format!("a dataset of {shape:?}")));
    }
    if let Some(chunk) = dataset.chunk_shape().map_err(|e| h5_error(path, &e))? {
        // An index of a kind that cannot be listed is left to the reader.
        let chunks = dataset.chunks().unwrap_or_default();
        let beyond = chunks
            .iter()
            .find(|c| c.address.checked_add(c.storage_size).is_none_or(|end| end > file_bytes));
        if let Some(beyond) = beyond {
            return Err(outside(format!("a chunk of {} bytes", beyond.storage_size)));
        }
        if !fits(&chunk) {
            return Err(outside(format!("chunks of {chunk:?}")));
        }
    }
    Ok(shape)
}

/// Some tools write 1 × N × D.
fn squeeze(mut shape: Vec<u64>) -> Vec<u64> {
    if shape.len() == 3 && shape[0] == 1 {
        shape.remove(0);
    }
    shape
}

/// Names of tiles, where a file has one for each.
fn strings(path: &Path, file: &File, n_rows: usize) -> Result<Option<Vec<String>>> {
    let names = dataset(path, file, "metadata")?;
    if checked_shape(path, &names)?.iter().product::<u64>() != n_rows as u64 {
        return Ok(None);
    }
    Ok(names.read_string().ok().filter(|n| n.len() == n_rows))
}

fn dataset(path: &Path, file: &File, name: &str) -> Result<Dataset> {
    file.dataset(name).map_err(|e| h5_error(path, &e))
}

fn attributes(path: &Path, dataset: &Dataset) -> Result<Attributes> {
    dataset.attrs().map_err(|e| h5_error(path, &e))
}

fn h5_error(path: &Path, error: &hdf5_pure::Error) -> Error {
    damaged(path, "an HDF5 file of TRIDENT, CLAM, STAMP or AtlasPatch", error.to_string())
}

fn damaged(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::data(path, expected, found, "look at it with `h5dump -H`")
}
