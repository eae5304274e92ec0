// SPDX-License-Identifier: MIT OR Apache-2.0

use super::generic::{depthwise, tile};
use super::rowwise::{elementwise, layer_norm, softmax};
use super::simd::{Portable, Simd};
use super::winograd::{INPUT_2, INPUT_4, OUTPUT_2, OUTPUT_4, input, output};
use super::{DepthwiseTask, Elementwise, NormTask, TileTask, WinogradTask};

/// An instruction set for which there are kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// Any machine.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512F.
    Avx512,
    /// Any 64-bit ARM.
    Neon,
}

/// Most pixels in a register tile of any kernel.
pub(super) const MAX_PIXELS: usize = 8;
/// Most vectors of output channels in a register tile of any kernel.
pub(super) const MAX_VECTORS: usize = 3;

type TileKernel = unsafe fn(&TileTask<'_>);
type DepthwiseKernel = unsafe fn(&DepthwiseTask<'_>);
type NormKernel = unsafe fn(&NormTask);
type SoftmaxKernel = unsafe fn(*mut f32, usize);
type WinogradKernel = unsafe fn(&WinogradTask);
type ElementwiseKernel = unsafe fn(Elementwise, *mut f32, *const f32, usize);

/// The kernels of one instruction set, with the sizes that its registers allow.
#[derive(Debug)]
pub(in super::super) struct Kernels {
    /// Whose they are.
    pub(in super::super) isa: Isa,
    /// Values in a vector.
    pub(in super::super) lanes: usize,
    /// Most pixels in a tile.
    pub(in super::super) pixels: usize,
    /// Most vectors of output channels in a tile.
    pub(in super::super) vectors: usize,
    /// By vectors − 1 and pixels − 1.
    pub(super) tiles: [[TileKernel; MAX_PIXELS]; MAX_VECTORS],
    /// By kernel (3, 5) and stride (1, 2).
    pub(super) depthwise: [[DepthwiseKernel; 2]; 2],
    pub(super) layer_norm: NormKernel,
    pub(super) softmax: SoftmaxKernel,
    pub(super) elementwise: ElementwiseKernel,
    /// By outputs along a tile's side (2, 4).
    pub(super) winograd_input: [WinogradKernel; 2],
    pub(super) winograd_output: [WinogradKernel; 2],
}

impl Isa {
    /// The best of this machine.
    pub fn detect() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// Everything that this machine can run, the best last.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                found.push(Self::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Self::Neon);
        found
    }

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// The kernels; the portable ones where this machine has not got the instruction set, so that
    /// holding a `&Kernels` proves that they may be called.
    pub(in super::super) fn kernels(self) -> &'static Kernels {
        if !Self::available().contains(&self) {
            return &PORTABLE;
        }
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => &AVX2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => &AVX512,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => &NEON,
            _ => &PORTABLE,
        }
    }
}

/// Instantiates every kernel for an instruction set inside functions that enable it.
macro_rules! kernels {
    ($table:ident, $isa:ident, $simd:ty, $pixels:literal, $vectors:literal, $wide3:literal, $wide5:literal
     $(, $feature:literal)?) => {
        static $table: Kernels = {
            /// # Safety
            /// As for [`tile`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn t<const MR: usize, const NV: usize>(task: &TileTask<'_>) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { tile::<$simd, MR, NV>(task) }
            }
            /// # Safety
            /// As for [`depthwise`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn d<const K: usize, const S: usize, const WIDE: usize>(
                task: &DepthwiseTask<'_>,
            ) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { depthwise::<$simd, K, S, WIDE>(task) }
            }
            /// # Safety
            /// As for [`layer_norm`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn n(task: &NormTask) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { layer_norm::<$simd>(task) }
            }
            /// # Safety
            /// As for [`softmax`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn s(row: *mut f32, n_vectors: usize) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { softmax::<$simd>(row, n_vectors) }
            }
            /// # Safety
            /// As for [`elementwise`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn e(what: Elementwise, values: *mut f32, gate: *const f32, n_vectors: usize) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { elementwise::<$simd>(what, values, gate, n_vectors) }
            }
            /// # Safety
            /// As for [`input`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn i2(task: &WinogradTask) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { input::<$simd, 4>(&INPUT_2, task) }
            }
            /// # Safety
            /// As for [`input`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn i4(task: &WinogradTask) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { input::<$simd, 6>(&INPUT_4, task) }
            }
            /// # Safety
            /// As for [`output`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn o2(task: &WinogradTask) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { output::<$simd, 4, 2>(&OUTPUT_2, task) }
            }
            /// # Safety
            /// As for [`output`].
            $(#[target_feature(enable = $feature)])?
            unsafe fn o4(task: &WinogradTask) {
                // SAFETY: promised by the caller, who also checked for the instruction set.
                unsafe { output::<$simd, 6, 4>(&OUTPUT_4, task) }
            }
            Kernels {
                isa: Isa::$isa,
                lanes: <$simd>::LANES,
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
                depthwise: [
                    [d::<3, 1, $wide3>, d::<3, 2, $wide3>],
                    [d::<5, 1, $wide5>, d::<5, 2, $wide5>],
                ],
                layer_norm: n,
                softmax: s,
                elementwise: e,
                winograd_input: [i2, i4],
                winograd_output: [o2, o4],
            }
        };
    };
}

kernels!(PORTABLE, Portable, Portable, 4, 2, 2, 2);
#[cfg(target_arch = "x86_64")]
kernels!(AVX2, Avx2, super::x86::Avx2, 6, 2, 4, 4, "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(AVX512, Avx512, super::x86::Avx512, 8, 3, 7, 4, "avx512f");
#[cfg(target_arch = "aarch64")]
kernels!(NEON, Neon, super::neon::Neon, 8, 2, 7, 4, "neon");
