// SPDX-License-Identifier: MIT OR Apache-2.0

use std::time::Instant;

use eosin_core::Result;

use super::buffer::AlignedVec;
use super::conv::PackedConv;
use super::kernel::Isa;
use super::vit_weights::Linear;

/// Sides of the product: its operands lie in a second-level cache together.
const SIDE: usize = 384;
const N_ROWS: usize = 192;
/// Products of a window, of which the fastest counts.
const PRODUCTS: usize = 32;
const WINDOWS: usize = 8;

/// Floating-point operations per second of matrix products from the cache, on all threads of the
/// current rayon pool together.
///
/// Takes some tenths of a second; the best of several windows on each thread counts, since
/// anything else on the machine only slows.
pub fn gemm_peak() -> Result<f64> {
    let rates = rayon::broadcast(|_| on_this_thread());
    rates.into_iter().sum()
}

fn on_this_thread() -> Result<f64> {
    let kernels = Isa::detect().kernels();
    let layer =
        Linear { n_in: SIDE, n_out: SIDE, weight: vec![1e-3; SIDE * SIDE], bias: vec![0.0; SIDE] };
    let layer = PackedConv::new(kernels, &layer.to_conv(), 0, SIDE)?;
    let mut input = AlignedVec::zeros(N_ROWS * SIDE);
    input.fill(1.0);
    let mut out = AlignedVec::zeros(N_ROWS * SIDE);
    let mut least = f64::INFINITY;
    for _ in 0..WINDOWS {
        let started = Instant::now();
        for _ in 0..PRODUCTS {
            layer.linear(kernels, &input, SIDE, &mut out, SIDE);
        }
        least = least.min(started.elapsed().as_secs_f64());
    }
    std::hint::black_box(&out);
    Ok(2.0 * (PRODUCTS * N_ROWS * SIDE * SIDE) as f64 / least.max(1e-9))
}
