// SPDX-License-Identifier: MIT OR Apache-2.0

//! Products of bytes: unsigned activations times signed weights, summed exactly in 32 bits, so
//! every instruction set gives the same sums.

use super::call::Panel;
use super::isa::{Isa, MAX_PIXELS, MAX_VECTORS};

/// Activations are stored as this plus −127 to 127.
const ZERO: u8 = 128;

/// Input values that are multiplied by one instruction.
pub(in super::super) const QUAD: usize = 4;

/// The byte kernels of one instruction set.
#[derive(Debug)]
pub(in super::super) struct Int8Kernels {
    /// Values in a vector of sums.
    pub(in super::super) lanes: usize,
    /// Most rows in a tile.
    pixels: usize,
    /// Most vectors of output channels in a tile.
    pub(in super::super) vectors: usize,
    /// By vectors − 1 and rows − 1.
    tiles: [[unsafe fn(&Int8Task); MAX_PIXELS]; MAX_VECTORS],
    quantise: unsafe fn(&[f32], &[usize], usize, &mut [u8]) -> f32,
}

/// Rows of a linear layer in bytes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Int8Call<'a> {
    pub(in super::super) panels: &'a [Panel],
    /// For each quad of input values, four weights per output channel of the panel.
    pub(in super::super) weights: &'a [i8],
    /// Where sums start: what the activations' zero adds, taken off.
    pub(in super::super) start: &'a [i32],
    /// Of each output channel's weights.
    pub(in super::super) scale: &'a [f32],
    pub(in super::super) bias: &'a [f32],
    /// Rows of `n_quads` quads.
    pub(in super::super) input: &'a [u8],
    /// Of each row's activations.
    pub(in super::super) row_scale: &'a [f32],
    pub(in super::super) n_quads: usize,
    /// From row to row of the output, also of the residual.
    pub(in super::super) out_px: usize,
    pub(in super::super) residual: Option<&'a [f32]>,
}

/// One register tile.
struct Int8Task {
    input: *const u8,
    n_quads: usize,
    panel: *const i8,
    start: *const i32,
    scale: *const f32,
    bias: *const f32,
    row_scale: *const f32,
    /// Null for none.
    residual: *const f32,
    out: *mut f32,
    out_px: usize,
}

/// A machine's byte products.
///
/// # Safety
/// Methods may be called only where the instruction set is available; pointers must be valid for
/// `LANES` values.
trait Dot: Copy {
    /// A vector of sums.
    type I: Copy;
    /// Quads of weights, one per lane.
    type B: Copy;
    const LANES: usize;

    unsafe fn load(p: *const i32) -> Self::I;
    /// Reads `LANES` quads.
    unsafe fn weights(p: *const i8) -> Self::B;
    /// Adds to every lane the products of a quad of activations and the lane's quad of weights.
    unsafe fn dot(sums: Self::I, quad: u32, weights: Self::B) -> Self::I;
    /// Writes sums · row · scale + bias + residual; a null residual is none.
    unsafe fn finish(
        sums: Self::I,
        row: f32,
        scale: *const f32,
        bias: *const f32,
        residual: *const f32,
        out: *mut f32,
    );
}

/// # Safety
/// The task's pointers reach `MR` rows of `n_quads` quads, `NV · LANES` output channels with their
/// weights, and as many outputs in each of `MR` rows.
#[inline(always)]
unsafe fn tile<D: Dot, const MR: usize, const NV: usize>(t: &Int8Task) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = [[D::load(t.start); NV]; MR];
        for v in 1..NV {
            let start = D::load(t.start.add(v * D::LANES));
            for row in &mut sums {
                row[v] = start;
            }
        }
        let mut panel = t.panel;
        for k in 0..t.n_quads {
            let mut weights = [D::weights(panel); NV];
            for (v, w) in weights.iter_mut().enumerate().skip(1) {
                *w = D::weights(panel.add(v * D::LANES * QUAD));
            }
            for (r, row) in sums.iter_mut().enumerate() {
                let at = t.input.add((r * t.n_quads + k) * QUAD);
                let quad = at.cast::<u32>().read_unaligned();
                for v in 0..NV {
                    row[v] = D::dot(row[v], quad, weights[v]);
                }
            }
            panel = panel.add(NV * D::LANES * QUAD);
        }
        for (r, row) in sums.iter().enumerate() {
            for (v, sums) in row.iter().enumerate() {
                let c = v * D::LANES;
                let at = r * t.out_px + c;
                let residual = if t.residual.is_null() { t.residual } else { t.residual.add(at) };
                let row = *t.row_scale.add(r);
                D::finish(*sums, row, t.scale.add(c), t.bias.add(c), residual, t.out.add(at));
            }
        }
    }
}

/// Brings a row, which lies in pieces of `len` values at `starts`, to bytes; returns what a byte
/// stands for. A NaN or infinity makes that NaN or infinite, so that it is not hidden.
#[inline(always)]
fn quantise(input: &[f32], starts: &[usize], len: usize, out: &mut [u8]) -> f32 {
    // Without their sign, floats are ordered as their bits are.
    let mut most = 0_u32;
    for start in starts {
        for value in &input[*start..*start + len] {
            most = most.max(value.to_bits() & 0x7FFF_FFFF);
        }
    }
    let most = f32::from_bits(most);
    let inverse = if most > f32::MIN_POSITIVE * 128.0 { 127.0 / most } else { 0.0 };
    // Adding 1.5 · 2²³ leaves the rounded value in the lowest bits.
    let magic = 12_582_912.0 + f32::from(ZERO);
    for (start, out) in starts.iter().zip(out.chunks_mut(len.max(1))) {
        for (value, byte) in input[*start..*start + len].iter().zip(out) {
            *byte = (value * inverse + magic).to_bits() as u8;
        }
    }
    most / 127.0
}

impl Isa {
    /// The byte kernels; what holds of [`Isa::kernels`] holds of them.
    pub(in super::super) fn int8_kernels(self) -> &'static Int8Kernels {
        let is_there = |isa| Self::available().contains(&isa);
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if is_there(self) && is_x86_feature_detected!("avx512vnni") => &VNNI,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx2 if is_there(Self::Avx2) => &AVX2,
            _ => &PORTABLE,
        }
    }
}

impl Int8Kernels {
    /// Brings `row_scale.len()` rows to bytes: row r's pieces of `len` values are at
    /// `starts` + r · `px`.
    pub(in super::super) fn quantise_rows(
        &self,
        input: &[f32],
        (starts, len, px): (&[usize], usize, usize),
        out: &mut [u8],
        row_scale: &mut [f32],
    ) {
        let n_bytes = out.len() / row_scale.len().max(1);
        let rows = out.chunks_exact_mut(n_bytes.max(1)).zip(row_scale);
        for (row, (out, scale)) in rows.enumerate() {
            // SAFETY: an `Int8Kernels` exists only where its instruction set does; the function
            // itself is safe.
            *scale = unsafe { (self.quantise)(&input[row * px..], starts, len, out) };
        }
    }

    /// Multiplies as many rows as there are row scales.
    pub(in super::super) fn rows(&self, c: &Int8Call<'_>, out: &mut [f32]) {
        let n_rows = c.row_scale.len();
        if n_rows == 0 || c.n_quads == 0 {
            return;
        }
        let ends = c.panels.iter().map(|p| (p.channel + p.vectors * self.lanes, p));
        let end_channel = ends.clone().map(|(end, _)| end).max().unwrap_or(0);
        let per_channel = c.n_quads * QUAD;
        let end_weight =
            ends.map(|(_, p)| p.offset + per_channel * p.vectors * self.lanes).max().unwrap_or(0);
        // These slices are the bounds checks for every pointer below.
        let end_out = (n_rows - 1) * c.out_px + end_channel;
        let input = &c.input[..n_rows * per_channel];
        let out = &mut out[..end_out];
        let residual = c.residual.map(|r| &r[..end_out]);
        let (weights, start) = (&c.weights[..end_weight], &c.start[..end_channel]);
        let (scale, bias) = (&c.scale[..end_channel], &c.bias[..end_channel]);
        let n_tiles = n_rows.div_ceil(self.pixels);
        let (narrow, n_wider) = (n_rows / n_tiles, n_rows % n_tiles);
        for panel in c.panels {
            let mut row = 0;
            for tile in 0..n_tiles {
                let pixels = narrow + usize::from(tile < n_wider);
                let to = row * c.out_px + panel.channel;
                let task = Int8Task {
                    input: input[row * per_channel..].as_ptr(),
                    n_quads: c.n_quads,
                    panel: weights[panel.offset..].as_ptr(),
                    start: start[panel.channel..].as_ptr(),
                    scale: scale[panel.channel..].as_ptr(),
                    bias: bias[panel.channel..].as_ptr(),
                    row_scale: c.row_scale[row..].as_ptr(),
                    residual: residual.map_or(std::ptr::null(), |r| r[to..].as_ptr()),
                    out: out[to..].as_mut_ptr(),
                    out_px: c.out_px,
                };
                // SAFETY: an `Int8Kernels` exists only where its instruction set does. The slices
                // above end at the last value of the last row, and this tile's rows row ..
                // row + pixels ≤ n_rows lie below it; the panel's weights, starts, scales and
                // biases end within their slices likewise.
                unsafe { self.tiles[panel.vectors - 1][pixels - 1](&task) };
                row += pixels;
            }
        }
    }
}

/// Instantiates the byte kernels for an instruction set inside functions that enable it.
macro_rules! kernels {
    ($table:ident, $dot:ty, $pixels:literal, $vectors:literal $(, $feature:literal)?) => {
        static $table: Int8Kernels = {
            /// # Safety
            /// As for [`tile`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn t<const MR: usize, const NV: usize>(task: &Int8Task) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { tile::<$dot, MR, NV>(task) }
            }
            /// # Safety
            /// The instruction set must be available.
            $(#[target_feature(enable = $feature)])?
            unsafe fn q(input: &[f32], starts: &[usize], len: usize, out: &mut [u8]) -> f32 {
                quantise(input, starts, len, out)
            }
            Int8Kernels {
                lanes: <$dot>::LANES,
                pixels: $pixels,
                vectors: $vectors,
                tiles: [
                    [t::<1, 1>, t::<2, 1>, t::<3, 1>, t::<4, 1>,
                     t::<5, 1>, t::<6, 1>, t::<7, 1>, t::<8, 1>],
                    [t::<1, 2>, t::<2, 2>, t::<3, 2>, t::<4, 2>,
                     t::<5, 2>, t::<6, 2>, t::<7, 2>, t::<8, 2>],
                    [t::<1, 3>, t::<2, 3>, t::<3, 3>, t::<4, 3>,
                     t::<5, 3>, t::<6, 3>, t::<7, 3>, t::<8, 3>],
                ],
                quantise: q,
            }
        };
    };
}

kernels!(PORTABLE, Portable, 4, 2);
#[cfg(target_arch = "x86_64")]
kernels!(AVX2, x86::Avx2, 4, 2, "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(VNNI, x86::Vnni, 8, 3, "avx512f,avx512vnni");

/// Plain Rust.
#[derive(Clone, Copy)]
struct Portable;

impl Dot for Portable {
    type I = [i32; 4];
    type B = [[i8; QUAD]; 4];
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn load(p: *const i32) -> [i32; 4] {
        // SAFETY: the caller passes a pointer to four values; alignment is not assumed.
        unsafe { p.cast::<[i32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn weights(p: *const i8) -> [[i8; QUAD]; 4] {
        // SAFETY: the caller passes a pointer to four quads, whose alignment is that of bytes.
        unsafe { p.cast::<[[i8; QUAD]; 4]>().read() }
    }

    #[inline(always)]
    unsafe fn dot(sums: [i32; 4], quad: u32, weights: [[i8; QUAD]; 4]) -> [i32; 4] {
        let quad = quad.to_ne_bytes();
        std::array::from_fn(|lane| {
            let products = quad.iter().zip(&weights[lane]);
            sums[lane] + products.map(|(a, w)| i32::from(*a) * i32::from(*w)).sum::<i32>()
        })
    }

    #[inline(always)]
    unsafe fn finish(
        sums: [i32; 4],
        row: f32,
        scale: *const f32,
        bias: *const f32,
        residual: *const f32,
        out: *mut f32,
    ) {
        for (lane, sum) in sums.iter().enumerate() {
            // SAFETY: the caller passes pointers to four values, or no residual.
            unsafe {
                let value = *sum as f32 * (row * *scale.add(lane)) + *bias.add(lane);
                let rest = if residual.is_null() { 0.0 } else { *residual.add(lane) };
                *out.add(lane) = value + rest;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, __m512i, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_cvtepi32_ps,
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mul_ps,
        _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi16, _mm256_srai_epi16,
        _mm256_srli_epi16, _mm256_storeu_ps, _mm512_add_ps, _mm512_cvtepi32_ps,
        _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps,
        _mm512_set1_epi32, _mm512_set1_ps, _mm512_storeu_ps,
    };

    use super::Dot;

    /// 16-bit products: AVX2's own byte products saturate.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2;

    /// AVX-512 with VNNI: four byte products and their sum in one instruction.
    #[derive(Clone, Copy)]
    pub(super) struct Vnni;

    impl Dot for Avx2 {
        type I = __m256i;
        /// The even and the odd bytes.
        type B = [__m256i; 2];
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn load(p: *const i32) -> __m256i {
            // SAFETY: the caller checked for AVX2 and passes a pointer to eight values.
            unsafe { _mm256_loadu_si256(p.cast()) }
        }

        #[inline(always)]
        unsafe fn weights(p: *const i8) -> [__m256i; 2] {
            // SAFETY: the caller checked for AVX2 and passes a pointer to eight quads.
            unsafe {
                let bytes = _mm256_loadu_si256(p.cast());
                [
                    _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes)),
                    _mm256_srai_epi16::<8>(bytes),
                ]
            }
        }

        #[inline(always)]
        unsafe fn dot(sums: __m256i, quad: u32, [even, odd]: [__m256i; 2]) -> __m256i {
            // SAFETY: the caller checked for AVX2.
            unsafe {
                let quad = _mm256_set1_epi32(quad as i32);
                let low = _mm256_and_si256(quad, _mm256_set1_epi16(0xFF));
                let high = _mm256_srli_epi16::<8>(quad);
                let sums = _mm256_add_epi32(sums, _mm256_madd_epi16(low, even));
                _mm256_add_epi32(sums, _mm256_madd_epi16(high, odd))
            }
        }

        #[inline(always)]
        unsafe fn finish(
            sums: __m256i,
            row: f32,
            scale: *const f32,
            bias: *const f32,
            residual: *const f32,
            out: *mut f32,
        ) {
            // SAFETY: the caller checked for AVX2 and FMA and passes pointers to eight values, or
            // no residual.
            unsafe {
                let factor = _mm256_mul_ps(_mm256_set1_ps(row), _mm256_loadu_ps(scale));
                let sums = _mm256_cvtepi32_ps(sums);
                let mut value = _mm256_fmadd_ps(sums, factor, _mm256_loadu_ps(bias));
                if !residual.is_null() {
                    value = _mm256_add_ps(value, _mm256_loadu_ps(residual));
                }
                _mm256_storeu_ps(out, value);
            }
        }
    }

    impl Dot for Vnni {
        type I = __m512i;
        type B = __m512i;
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn load(p: *const i32) -> __m512i {
            // SAFETY: the caller checked for AVX-512 and passes a pointer to sixteen values.
            unsafe { _mm512_loadu_si512(p.cast()) }
        }

        #[inline(always)]
        unsafe fn weights(p: *const i8) -> __m512i {
            // SAFETY: the caller checked for AVX-512 and passes a pointer to sixteen quads.
            unsafe { _mm512_loadu_si512(p.cast()) }
        }

        #[inline(always)]
        unsafe fn dot(sums: __m512i, quad: u32, weights: __m512i) -> __m512i {
            // SAFETY: the caller checked for AVX-512 VNNI.
            unsafe { _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(quad as i32), weights) }
        }

        #[inline(always)]
        unsafe fn finish(
            sums: __m512i,
            row: f32,
            scale: *const f32,
            bias: *const f32,
            residual: *const f32,
            out: *mut f32,
        ) {
            // SAFETY: the caller checked for AVX-512 and passes pointers to sixteen values, or no
            // residual.
            unsafe {
                let factor = _mm512_mul_ps(_mm512_set1_ps(row), _mm512_loadu_ps(scale));
                let sums = _mm512_cvtepi32_ps(sums);
                let mut value = _mm512_fmadd_ps(sums, factor, _mm512_loadu_ps(bias));
                if !residual.is_null() {
                    value = _mm512_add_ps(value, _mm512_loadu_ps(residual));
                }
                _mm512_storeu_ps(out, value);
            }
        }
    }
}
