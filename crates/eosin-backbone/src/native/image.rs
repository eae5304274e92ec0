// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use rayon::prelude::*;

use super::kernel::Isa;

/// What a network is fed, and the instruction set that it computes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Side of a tile in pixels.
    pub px: usize,
    /// Mean that is subtracted, in units of 0 to 1.
    pub mean: [f64; 3],
    /// Standard deviation that is divided by, in units of 0 to 1.
    pub std: [f64; 3],
    /// Where the machine has not got it, the portable kernels run.
    pub isa: Isa,
    /// Arithmetic of a transformer's linear layers; other layers are always in f32.
    pub precision: Precision,
}

/// Arithmetic of linear layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 8-bit weights with a scale per output, 8-bit activations with a scale per token, exact
    /// 32-bit sums.
    Int8,
}

/// A normalised RGB image with a network's zeros around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImageLayout {
    /// Side of the tile in pixels.
    px: usize,
    /// Zeros before a row or column.
    before: usize,
    /// Side with zeros.
    side: usize,
    /// Values in a row.
    pub(super) row: usize,
}

/// Brings bytes to what a network expects: (byte / 255 − mean) / std.
#[derive(Debug)]
pub(super) struct Normaliser {
    /// For each byte of a row.
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl ImageLayout {
    pub(super) fn new(px: usize, before: usize, after: usize) -> Self {
        let side = px + before + after;
        Self { px, before, side, row: side * 3 }
    }

    /// Bytes of a tile.
    pub(super) fn tile_len(&self) -> usize {
        self.px * self.px * 3
    }

    /// Values with zeros.
    pub(super) fn len(&self) -> usize {
        self.side * self.row
    }

    /// Calls `run` with every tile, the number of parts into which it may split its work and its
    /// row of `out`.
    ///
    /// Whole images keep every core busy without meeting; one is split only where there are fewer
    /// images than cores, since neighbouring parts wait for each other or compute rows twice.
    pub(super) fn over_tiles(
        &self,
        pixels: &[u8],
        n_tiles: usize,
        out: &mut [f32],
        dim: usize,
        run: impl Fn(&[u8], usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        self.over_groups(1, pixels, n_tiles, out, dim, run)
    }

    /// As [`ImageLayout::over_tiles`] with up to `most` tiles, and their rows, in a call: as many
    /// as leave work for every core.
    pub(super) fn over_groups(
        &self,
        most: usize,
        pixels: &[u8],
        n_tiles: usize,
        out: &mut [f32],
        dim: usize,
        run: impl Fn(&[u8], usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        let tile = self.tile_len();
        if pixels.len() != n_tiles * tile || out.len() != n_tiles * dim {
            return Err(Error::input(
                "batch",
                format!("{} bytes and room for {} values", n_tiles * tile, n_tiles * dim),
                format!("{} bytes and room for {} values", pixels.len(), out.len()),
                "pass whole tiles of the backbone's input size",
            ));
        }
        let n_threads = rayon::current_num_threads();
        let parts = (n_threads / n_tiles.max(1)).max(1);
        let group = (n_tiles / n_threads).clamp(1, most);
        let rows = out.par_chunks_mut(group * dim);
        pixels.par_chunks(group * tile).zip(rows).for_each(|(tiles, rows)| run(tiles, parts, rows));
        Ok(())
    }
}

impl Input {
    /// In f32 on this machine's best instruction set; `mean` and `std` are in units of 0 to 1.
    pub fn new(px: usize, mean: [f64; 3], std: [f64; 3]) -> Self {
        Self { px, mean, std, isa: Isa::detect(), precision: Precision::F32 }
    }
}

impl Normaliser {
    pub(super) fn new(input: &Input) -> Self {
        let Input { px, mean, std, .. } = *input;
        let row = |value: &dyn Fn(usize) -> f64| -> Vec<f32> {
            (0..px * 3).map(|i| value(i % 3) as f32).collect()
        };
        Self {
            scale: row(&|colour| 1.0 / (255.0 * std[colour])),
            shift: row(&|colour| -mean[colour] / std[colour]),
        }
    }

    /// Writes inside of the zeros, which were there from the start.
    pub(super) fn run(&self, layout: &ImageLayout, tile: &[u8], image: &mut [f32]) {
        let rows = tile.chunks_exact(layout.px * 3);
        let padded = image.chunks_exact_mut(layout.row).skip(layout.before);
        for (from, to) in rows.zip(padded) {
            let factors = self.scale.iter().zip(&self.shift);
            let to = to[layout.before * 3..].iter_mut();
            for ((to, &byte), (scale, shift)) in to.zip(from).zip(factors) {
                *to = f32::from(byte) * scale + shift;
            }
        }
    }
}
