// SPDX-License-Identifier: MIT OR Apache-2.0

//! One independent random stream per row, so that threads cannot change what is drawn.

use eosin_core::{Draw, Matrix, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

/// The random streams of one draw of one kind of transform.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    key: [u8; 32],
}

impl Streams {
    /// `kind` separates transforms that run under the same draw.
    pub(crate) fn new(draw: Draw, kind: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [draw.seed, draw.fold, draw.epoch] {
            hasher.update(&part.to_le_bytes());
        }
        hasher.update(kind.as_bytes());
        Self { key: *hasher.finalize().as_bytes() }
    }

    /// The stream of number `row`; ChaCha counts blocks, so streams never meet.
    pub(crate) fn row(&self, row: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(row as u64);
        rng
    }

    /// A matrix whose row r is filled by `fill(r, stream of r, row)`, rows in parallel.
    pub(crate) fn fill(
        &self,
        n_rows: usize,
        dim: usize,
        fill: impl Fn(usize, &mut ChaCha8Rng, &mut [f32]) + Sync,
    ) -> Result<Matrix> {
        let mut values = vec![0.0; n_rows * dim];
        values
            .par_chunks_mut(dim.max(1))
            .enumerate()
            .for_each(|(row, new)| fill(row, &mut self.row(row), new));
        Matrix::new(n_rows, dim, values)
    }
}

/// The draw of stage `stage` of a pipeline, so that two stages of one kind differ.
pub(crate) fn stage_draw(draw: Draw, stage: usize) -> Draw {
    // The golden-ratio step of SplitMix64 spreads neighbouring stages over all seeds.
    let step = (stage as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Draw { seed: draw.seed.wrapping_add(step), ..draw }
}
