// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;

use bytemuck::{cast_slice, cast_slice_mut};
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use serde::{Deserialize, Serialize};

#[cfg(target_endian = "big")]
compile_error!("shards are little-endian and are written and read without swapping bytes");

/// The number type in which embeddings are kept; readers always get `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE half precision, rounded to nearest even: half the size, three significant digits.
    #[default]
    F16,
    /// As the backbone gave them.
    F32,
}

impl Dtype {
    /// Bytes of one value.
    pub fn width(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
        })
    }
}

/// Rows of embeddings as they stand in a shard.
#[derive(Clone, Debug)]
pub(crate) enum Encoded {
    F16(Vec<u16>),
    F32(Vec<f32>),
}

impl Encoded {
    pub(crate) fn new(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F16 => Self::F16(Vec::new()),
            Dtype::F32 => Self::F32(Vec::new()),
        }
    }

    /// No values, with room for as many.
    pub(crate) fn emptied(&self) -> Self {
        match self {
            Self::F16(bits) => Self::F16(Vec::with_capacity(bits.len())),
            Self::F32(values) => Self::F32(Vec::with_capacity(values.len())),
        }
    }

    /// Rounds `values` and adds them.
    pub(crate) fn push(&mut self, values: &[f32]) {
        match self {
            Self::F16(bits) => {
                let start = bits.len();
                bits.resize(start + values.len(), 0);
                bits[start..].reinterpret_cast_mut::<half::f16>().convert_from_f32_slice(values);
            }
            Self::F32(all) => all.extend_from_slice(values),
        }
    }

    /// The position of the first value at or after `from` that is NaN or infinite.
    pub(crate) fn first_bad(&self, from: usize) -> Option<usize> {
        match self {
            // Exponent bits all set: NaN or infinity.
            Self::F16(bits) => first(bits, from, |b| b & 0x7C00 == 0x7C00),
            Self::F32(values) => first(values, from, |v| !v.is_finite()),
        }
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        match self {
            Self::F16(bits) => bits.truncate(len),
            Self::F32(values) => values.truncate(len),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F16(bits) => bits.len(),
            Self::F32(values) => values.len(),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::F16(bits) => cast_slice(bits),
            Self::F32(values) => cast_slice(values),
        }
    }
}

/// As `position`, but looks at blocks without leaving early, which the compiler makes vector code
/// of; nearly always there is nothing to find.
fn first<T: Copy>(values: &[T], from: usize, bad: impl Fn(T) -> bool) -> Option<usize> {
    const BLOCK: usize = 1024;
    let blocks = values[from..].chunks(BLOCK);
    let at = blocks.clone().position(|block| block.iter().fold(false, |any, v| any | bad(*v)))?;
    let start = from + at * BLOCK;
    values[start..].iter().position(|v| bad(*v)).map(|i| start + i)
}

/// Reads bytes of a shard and widens them to `f32`, through a buffer that is kept.
#[derive(Default)]
pub(crate) struct Widener {
    bits: Vec<u16>,
}

impl Widener {
    /// Fills `out` with what `read` puts into the bytes it is given.
    pub(crate) fn fill<E>(
        &mut self,
        dtype: Dtype,
        out: &mut [f32],
        read: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match dtype {
            Dtype::F16 => {
                self.bits.resize(out.len(), 0);
                read(cast_slice_mut(&mut self.bits))?;
                self.bits.reinterpret_cast::<half::f16>().convert_to_f32_slice(out);
                Ok(())
            }
            Dtype::F32 => read(cast_slice_mut(out)),
        }
    }
}
