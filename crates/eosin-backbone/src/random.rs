// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::arch::TensorSpec;
use crate::{WeightMap, WeightTensor};

/// Draws every tensor of a network from a seed.
pub fn random_weights(specs: &[TensorSpec], seed: u64) -> WeightMap {
    let mut map = WeightMap::new(format!("random weights, seed {seed}"));
    for spec in specs {
        map.insert(spec.name.clone(), random_tensor(&spec.name, &spec.shape, seed));
    }
    map
}

/// The tensor that belongs to a name, a shape and a seed.
///
/// Value i is centre + spread · (2u − 1), computed in `f64` and rounded once to `f32`, where u is
/// the upper 24 bits of splitmix64(start + i · 0x9E3779B97F4A7C15) over 2²⁴ and start is the
/// FNV-1a hash of the name xor splitmix64(seed). Centre and spread depend on the name's end and on
/// the shape alone, so `tests/golden/backbone/weights.py` draws the same bits:
///
/// | tensor | centre | spread |
/// |---|---|---|
/// | `running_mean` | 0 | 0.1 |
/// | `running_var` | 1 | 0.25 |
/// | one dimension, name ending in `gamma` (layer scale) | 0.2 | 0.1 |
/// | one dimension, name ending in `weight` (norm scale) | 1 | 0.1 |
/// | other of one dimension (bias) | 0 | 0.05 |
/// | `pos_embed`, tokens and other of no fan-in | 0 | 0.5 |
/// | weight with fan-in f = product of all dimensions but the first | 0 | √(3 g / f) |
///
/// The gain g is 2 for convolutions (He et al. 2015: half of the variance falls to a ReLU) and 1
/// for linear layers and 1 × 1 convolutions.
pub fn random_tensor(name: &str, shape: &[usize], seed: u64) -> WeightTensor {
    let (centre, spread) = centre_and_spread(name, shape);
    let start = fnv1a(name) ^ splitmix64(seed);
    let value = |i: u64| {
        let bits = splitmix64(start.wrapping_add(i.wrapping_mul(GOLDEN))) >> 40;
        let unit = bits as f64 / f64::from(1_u32 << 24);
        (centre + spread * (2.0 * unit - 1.0)) as f32
    };
    let n = shape.iter().product::<usize>() as u64;
    WeightTensor { shape: shape.to_vec(), values: (0..n).map(value).collect() }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn centre_and_spread(name: &str, shape: &[usize]) -> (f64, f64) {
    if name.ends_with("running_mean") {
        return (0.0, 0.1);
    }
    if name.ends_with("running_var") {
        return (1.0, 0.25);
    }
    let is_token = name.ends_with("token") || name.ends_with("embed");
    match shape {
        _ if is_token => (0.0, 0.5),
        [_] if name.ends_with("gamma") => (0.2, 0.1),
        [_] if name.ends_with("weight") => (1.0, 0.1),
        [] | [_] => (0.0, 0.05),
        [_, inner @ ..] => {
            let fan_in = inner.iter().product::<usize>().max(1) as f64;
            let gain = if shape.len() == 4 && shape[3] > 1 { 2.0 } else { 1.0 };
            (0.0, (3.0 * gain / fan_in).sqrt())
        }
    }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The output function of Steele, Lea and Flood's SplitMix (2014).
fn splitmix64(state: u64) -> u64 {
    let mut z = state.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
