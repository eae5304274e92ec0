// SPDX-License-Identifier: MIT OR Apache-2.0

//! What every import does before it believes a file: only regular files are opened, shapes are
//! bounded by what the file holds, and values are read into memory that was asked for carefully.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use eosin_core::{ArrayExtent, Error, Matrix, Result, irregularity};
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

/// Types of values that embeddings come in, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    F16,
    Bf16,
    F32,
    F64,
}

/// The longest row: above every backbone's, and what a contract may say of one.
const MAX_DIM: u64 = 1 << 16;
/// Values that are read at a time.
const BLOCK: usize = 1 << 18;
/// Bytes per packed byte, and of the smallest file, that a compressed matrix may take: embeddings
/// hardly pack, and rows of zeros need no import.
const MAX_UNPACKED: u64 = 64;
const FREE_UNPACKED: u64 = 64 << 20;

impl ValueType {
    pub fn n_bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Opens a file that is no pipe, which would wait for its writer, and no device, which never ends;
/// with its size.
pub fn open_regular(path: &Path) -> Result<(File, u64)> {
    let failed = |e| Error::io("read", path, e);
    let check = |metadata: &Metadata| match irregularity(metadata) {
        None => Ok(()),
        Some(found) => Err(refused(path, "a regular file", found.into())),
    };
    check(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    check(&metadata)?;
    Ok((file, metadata.len()))
}

/// Refuses a shape that no set of embeddings has, or that is not exactly what `n_bytes` hold.
pub fn matrix_extent(
    path: &Path,
    shape: [u64; 2],
    value_bytes: usize,
    n_bytes: u64,
) -> Result<ArrayExtent> {
    let [n_rows, n_cols] = shape;
    if !(1..=MAX_DIM).contains(&n_cols) {
        let found = format!("{n_rows} rows of {n_cols}");
        return Err(refused(path, &format!("rows of 1 to {MAX_DIM} values"), found));
    }
    let extent = ArrayExtent::new(&shape, value_bytes).and_then(|e| e.holding(n_bytes));
    let expected = format!("{n_rows} × {n_cols} values of {value_bytes} bytes");
    extent.map_err(|found| refused(path, &expected, found))
}

/// Refuses what a small file unpacks to more than embeddings do.
pub fn check_unpacked(path: &Path, packed: u64, unpacked: u64) -> Result<()> {
    let most = packed.saturating_mul(MAX_UNPACKED).saturating_add(FREE_UNPACKED);
    if unpacked <= most {
        return Ok(());
    }
    Err(refused(
        path,
        &format!("at most {most} bytes of values in {packed} packed ones"),
        format!("{unpacked} bytes"),
    ))
}

/// Reads a matrix whose shape [`matrix_extent`] has checked.
pub fn read_matrix(
    path: &Path,
    input: &mut impl Read,
    shape: [u64; 2],
    value_type: ValueType,
) -> Result<Matrix> {
    let sides = shape.map(|side| usize::try_from(side).unwrap_or(usize::MAX));
    let n_values = sides[0].saturating_mul(sides[1]);
    let failed = |e: std::io::Error| Error::io("read", path, e);
    let mut values: Vec<f32> = Vec::new();
    // An error where the memory is not there, instead of the end of the program.
    values.try_reserve_exact(n_values).map_err(|e| failed(e.into()))?;
    let mut bytes = vec![0_u8; BLOCK.min(n_values) * value_type.n_bytes()];
    while values.len() < n_values {
        let n = BLOCK.min(n_values - values.len());
        let block = &mut bytes[..n * value_type.n_bytes()];
        input.read_exact(block).map_err(failed)?;
        widen(block, value_type, &mut values);
    }
    Matrix::new(sides[0], sides[1], values)
}

fn widen(bytes: &[u8], value_type: ValueType, values: &mut Vec<f32>) {
    let before = values.len();
    match value_type {
        ValueType::F16 | ValueType::Bf16 => {
            let pairs = bytes.as_chunks::<2>().0.iter();
            let bits: Vec<u16> = pairs.map(|b| u16::from_le_bytes(*b)).collect();
            values.resize(before + bits.len(), 0.0);
            let out = &mut values[before..];
            if value_type == ValueType::F16 {
                bits.reinterpret_cast::<half::f16>().convert_to_f32_slice(out);
            } else {
                bits.reinterpret_cast::<half::bf16>().convert_to_f32_slice(out);
            }
        }
        ValueType::F32 => {
            values.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
        }
        ValueType::F64 => {
            let eights = bytes.as_chunks::<8>().0.iter();
            values.extend(eights.map(|b| f64::from_le_bytes(*b) as f32));
        }
    }
}

fn refused(path: &Path, expected: &str, found: String) -> Error {
    Error::data(path, expected, found, "look at the file with the tool that wrote it")
}
