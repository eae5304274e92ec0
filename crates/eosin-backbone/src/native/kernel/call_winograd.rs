// SPDX-License-Identifier: MIT OR Apache-2.0

use super::WinogradTask;
use super::isa::Kernels;

/// Square tiles of a map and what they become.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Tiles {
    /// Outputs along a side of a tile: 2 or 4; others compute nothing.
    pub(in super::super) outputs: usize,
    /// Tiles in a column of them.
    pub(in super::super) down: usize,
    /// Tiles in a row of them.
    pub(in super::super) across: usize,
    /// Channels: a whole number of vectors, from pixel to pixel of the map.
    pub(in super::super) channels: usize,
    /// From row to row of the map.
    pub(in super::super) row: usize,
}

/// What follows the output transform.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Finish<'a> {
    pub(in super::super) bias: &'a [f32],
    /// Laid out as the map.
    pub(in super::super) residual: Option<&'a [f32]>,
    pub(in super::super) clamp: [f32; 2],
}

impl Tiles {
    /// Input pixels along a side of a tile, and products.
    pub(in super::super) fn inputs(&self) -> usize {
        self.outputs + 2
    }

    /// Values of all matrices.
    pub(in super::super) fn matrices_len(&self) -> usize {
        self.inputs() * self.inputs() * self.matrix_len()
    }

    /// Values of one matrix: a row per tile.
    pub(in super::super) fn matrix_len(&self) -> usize {
        self.down * self.across * self.channels
    }

    /// Values up to the last pixel of the last tile, where tiles of `side` overlap if they must.
    fn map_end(&self, side: usize) -> usize {
        let last = |tiles: usize| (tiles - 1) * self.outputs + side - 1;
        last(self.down) * self.row + (last(self.across) + 1) * self.channels
    }

    fn is_sound(&self, kernels: &Kernels) -> bool {
        matches!(self.outputs, 2 | 4)
            && self.down > 0
            && self.across > 0
            && self.channels.is_multiple_of(kernels.lanes)
    }
}

/// Transforms the tiles of `map`, whose first value is the first input of the first tile.
pub(in super::super) fn winograd_input(
    kernels: &Kernels,
    tiles: &Tiles,
    map: &[f32],
    matrices: &mut [f32],
) {
    if !tiles.is_sound(kernels) {
        return;
    }
    let map = &map[..tiles.map_end(tiles.inputs())];
    let task = WinogradTask {
        // Only read by an input transform.
        map: map.as_ptr().cast_mut(),
        map_row: tiles.row,
        map_px: tiles.channels,
        tiles_y: tiles.down,
        tiles_x: tiles.across,
        n_vectors: tiles.channels / kernels.lanes,
        matrices: matrices[..tiles.matrices_len()].as_mut_ptr(),
        matrix: tiles.matrix_len(),
        matrix_px: tiles.channels,
        bias: std::ptr::null(),
        residual: std::ptr::null(),
        clamp: [0.0; 2],
    };
    // SAFETY: a `Kernels` exists only where its instruction set does; the slices end at the last
    // value of the last tile and of the last matrix.
    unsafe { (kernels.winograd_input[tiles.outputs / 4])(&task) };
}

/// Transforms products back into the tiles of `map`, whose first value is the first output.
pub(in super::super) fn winograd_output(
    kernels: &Kernels,
    tiles: &Tiles,
    matrices: &[f32],
    finish: &Finish<'_>,
    map: &mut [f32],
) {
    if !tiles.is_sound(kernels) {
        return;
    }
    let end = tiles.map_end(tiles.outputs);
    let task = WinogradTask {
        map: map[..end].as_mut_ptr(),
        map_row: tiles.row,
        map_px: tiles.channels,
        tiles_y: tiles.down,
        tiles_x: tiles.across,
        n_vectors: tiles.channels / kernels.lanes,
        // Only read by an output transform.
        matrices: matrices[..tiles.matrices_len()].as_ptr().cast_mut(),
        matrix: tiles.matrix_len(),
        matrix_px: tiles.channels,
        bias: finish.bias[..tiles.channels].as_ptr(),
        residual: finish.residual.map_or(std::ptr::null(), |r| r[..end].as_ptr()),
        clamp: finish.clamp,
    };
    // SAFETY: a `Kernels` exists only where its instruction set does; the slices end at the last
    // value of the last tile, of the last matrix and of the last channel.
    unsafe { (kernels.winograd_output[tiles.outputs / 4])(&task) };
}
