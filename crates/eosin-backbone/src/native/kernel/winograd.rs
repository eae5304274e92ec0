// SPDX-License-Identifier: MIT OR Apache-2.0

//! Transforms of Winograd's minimal filtering (Lavin and Gray 2016) for 3 × 3 kernels:
//! F(2 × 2) with 16 products for 4 outputs, F(4 × 4) with 36 for 16, instead of 36 and 144.

use super::WinogradTask;
use super::simd::Simd;

/// Of the input, F(2): Bᵀ.
pub(super) const INPUT_2: [[i8; 4]; 4] =
    [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]];
/// Of the products, F(2): Aᵀ.
pub(super) const OUTPUT_2: [[i8; 4]; 2] = [[1, 1, 1, 0], [0, 1, -1, -1]];
/// Of the input, F(4): Bᵀ.
pub(super) const INPUT_4: [[i8; 6]; 6] = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
];
/// Of the products, F(4): Aᵀ.
pub(super) const OUTPUT_4: [[i8; 6]; 4] =
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]];

/// T · d for one column of a tile, zeros of T left out when this is compiled.
#[inline(always)]
unsafe fn column<S: Simd, const N: usize, const OUT: usize>(
    t: &[[i8; N]; OUT],
    d: [S::V; N],
) -> [S::V; OUT] {
    // SAFETY: the caller checked for the instruction set; no memory is touched.
    unsafe {
        let mut out = [S::splat(0.0); OUT];
        for (out, t) in out.iter_mut().zip(t) {
            for (t, d) in t.iter().zip(d) {
                match *t {
                    0 => {}
                    1 => *out = S::add(*out, d),
                    t => *out = S::mul_add(d, S::splat(f32::from(t)), *out),
                }
            }
        }
        out
    }
}

/// T · d · Tᵀ.
#[inline(always)]
unsafe fn sandwich<S: Simd, const N: usize, const OUT: usize>(
    t: &[[i8; N]; OUT],
    d: [[S::V; N]; N],
) -> [[S::V; OUT]; OUT] {
    // SAFETY: the caller checked for the instruction set; no memory is touched.
    unsafe {
        let zero = S::splat(0.0);
        let mut half = [[zero; N]; OUT];
        for x in 0..N {
            let mut values = [zero; N];
            for y in 0..N {
                values[y] = d[y][x];
            }
            let values = column::<S, N, OUT>(t, values);
            for y in 0..OUT {
                half[y][x] = values[y];
            }
        }
        let mut out = [[zero; OUT]; OUT];
        for y in 0..OUT {
            out[y] = column::<S, N, OUT>(t, half[y]);
        }
        out
    }
}

/// Input tiles to `N`² matrices of one row per tile.
///
/// # Safety
/// See [`WinogradTask`]; the instruction set of `S` must be available.
#[inline(always)]
pub(super) unsafe fn input<S: Simd, const N: usize>(matrix: &[[i8; N]; N], t: &WinogradTask) {
    // SAFETY: `WinogradTask`'s fields promise whole vectors at every pixel of every tile (`N`²
    // pixels, `N` − 2 apart) and in every row of the matrices.
    unsafe {
        for tile in 0..t.tiles_y * t.tiles_x {
            let (y, x) = (tile / t.tiles_x * (N - 2), tile % t.tiles_x * (N - 2));
            let corner = t.map.add(y * t.map_row + x * t.map_px);
            let row = t.matrices.add(tile * t.matrix_px);
            for c in (0..t.n_vectors).map(|vector| vector * S::LANES) {
                let mut d = [[S::splat(0.0); N]; N];
                for (y, d) in d.iter_mut().enumerate() {
                    for (x, d) in d.iter_mut().enumerate() {
                        *d = S::load(corner.add(y * t.map_row + x * t.map_px + c));
                    }
                }
                let d = sandwich::<S, N, N>(matrix, d);
                for (i, d) in d.as_flattened().iter().enumerate() {
                    S::store(row.add(i * t.matrix + c), *d);
                }
            }
        }
    }
}

/// `N`² matrices of products to output tiles, with bias, residual and limits.
///
/// # Safety
/// See [`WinogradTask`]; the instruction set of `S` must be available.
#[inline(always)]
pub(super) unsafe fn output<S: Simd, const N: usize, const OUT: usize>(
    matrix: &[[i8; N]; OUT],
    t: &WinogradTask,
) {
    // SAFETY: `WinogradTask`'s fields promise whole vectors at every pixel of every tile (`OUT`²
    // pixels), in every row of the matrices, in the bias and, where there is one, the residual.
    unsafe {
        let (lo, hi) = (S::splat(t.clamp[0]), S::splat(t.clamp[1]));
        for tile in 0..t.tiles_y * t.tiles_x {
            let (y, x) = (tile / t.tiles_x * OUT, tile % t.tiles_x * OUT);
            let corner = y * t.map_row + x * t.map_px;
            let row = t.matrices.add(tile * t.matrix_px);
            for c in (0..t.n_vectors).map(|vector| vector * S::LANES) {
                let mut d = [[S::splat(0.0); N]; N];
                for (i, d) in d.as_flattened_mut().iter_mut().enumerate() {
                    *d = S::load(row.add(i * t.matrix + c));
                }
                let d = sandwich::<S, N, OUT>(matrix, d);
                let bias = S::load(t.bias.add(c));
                for (y, d) in d.iter().enumerate() {
                    for (x, d) in d.iter().enumerate() {
                        let at = corner + y * t.map_row + x * t.map_px + c;
                        let mut value = S::add(*d, bias);
                        if !t.residual.is_null() {
                            value = S::add(value, S::load(t.residual.add(at)));
                        }
                        S::store(t.map.add(at), S::clamp(value, lo, hi));
                    }
                }
            }
        }
    }
}
