// SPDX-License-Identifier: MIT OR Apache-2.0

//! Random numbers by purpose, so that what is drawn for one thing never shifts another.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::dense::Array;

/// What numbers are drawn for; part of the key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Start = 1,
    Shuffle = 2,
    Dropout = 3,
    Tiles = 4,
    Apply = 5,
}

/// A generator for one purpose and up to three numbers.
pub(crate) fn generator(purpose: Purpose, parts: [u64; 3]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (slot, part) in key.chunks_exact_mut(8).zip(parts.into_iter().chain([purpose as u64])) {
        slot.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Weights from U(−1/√n, 1/√n), n being the inputs: PyTorch's default for linear layers.
pub(crate) fn start(rng: &mut ChaCha8Rng, name: &'static str, rows: usize, cols: usize) -> Array {
    start_with_inputs(rng, name, rows, cols, rows)
}

/// A bias for a layer of `inputs`, from the same distribution as its weights.
pub(crate) fn start_bias(
    rng: &mut ChaCha8Rng,
    name: &'static str,
    inputs: usize,
    cols: usize,
) -> Array {
    start_with_inputs(rng, name, 1, cols, inputs)
}

fn start_with_inputs(
    rng: &mut ChaCha8Rng,
    name: &'static str,
    rows: usize,
    cols: usize,
    inputs: usize,
) -> Array {
    let bound = 1.0 / (inputs.max(1) as f32).sqrt();
    let values = (0..rows * cols).map(|_| rng.random_range(-bound..bound)).collect();
    Array::new(name, rows, cols, values)
}

/// Zeros with probability `p`, otherwise 1/(1 − p).
pub(crate) fn dropout_mask(rng: &mut ChaCha8Rng, n: usize, p: f64) -> Vec<f32> {
    let kept = (1.0 / (1.0 - p)) as f32;
    (0..n).map(|_| if rng.random::<f32>() < p as f32 { 0.0 } else { kept }).collect()
}

/// The items in an order of chance.
pub(crate) fn shuffled(rng: &mut ChaCha8Rng, items: &[usize]) -> Vec<usize> {
    let mut items = items.to_vec();
    items.shuffle(rng);
    items
}
