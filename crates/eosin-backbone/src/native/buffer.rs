// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::{Deref, DerefMut};

use rayon::prelude::*;

/// Bytes of a cache line and of the widest vector: aligned rows never straddle two lines.
const ALIGN: usize = 64;

/// Zeroed `f32`s whose first one starts a cache line.
#[derive(Debug, Default)]
pub(super) struct AlignedVec {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl AlignedVec {
    pub(super) fn zeros(len: usize) -> Self {
        let slack = ALIGN / size_of::<f32>();
        let values = vec![0.0; len + slack];
        // `align_offset` may decline (usize::MAX); unaligned is then merely slower.
        let start = values.as_ptr().align_offset(ALIGN).min(slack);
        Self { values, start, len }
    }
}

impl Deref for AlignedVec {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedVec {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.len]
    }
}

/// Calls `run` with every chunk of `out` and its number.
pub(super) fn over_chunks(
    out: &mut [f32],
    chunk: usize,
    parallel: bool,
    run: impl Fn(usize, &mut [f32]) + Sync,
) {
    if parallel {
        out.par_chunks_mut(chunk).enumerate().for_each(|(index, out)| run(index, out));
    } else {
        out.chunks_mut(chunk).enumerate().for_each(|(index, out)| run(index, out));
    }
}
