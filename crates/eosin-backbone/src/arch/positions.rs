// SPDX-License-Identifier: MIT OR Apache-2.0

/// Brings position embeddings of an `old` × `old` grid to `new` × `new` as timm does: bicubic with
/// antialias (`F.interpolate(…, mode="bicubic", antialias=True)`), separably, in `f64`.
///
/// `values` are old · old rows of `dim`.
pub(super) fn resample_positions(values: &[f32], dim: usize, old: usize, new: usize) -> Vec<f32> {
    if old == new {
        return values.to_vec();
    }
    let taps = taps(old, new);
    // Along x first, then along y, as PyTorch does.
    let mut wide = vec![0.0; old * new * dim];
    for y in 0..old {
        for (x, (from, weights)) in taps.iter().enumerate() {
            let out = &mut wide[(y * new + x) * dim..][..dim];
            for (i, weight) in weights.iter().enumerate() {
                let row = &values[(y * old + from + i) * dim..][..dim];
                out.iter_mut().zip(row).for_each(|(o, v)| *o += weight * f64::from(*v));
            }
        }
    }
    let mut resampled = Vec::with_capacity(new * new * dim);
    for (from, weights) in &taps {
        for x in 0..new {
            for c in 0..dim {
                let terms = weights.iter().enumerate();
                let sum: f64 = terms.map(|(i, w)| w * wide[((from + i) * new + x) * dim + c]).sum();
                resampled.push(sum as f32);
            }
        }
    }
    resampled
}

/// First input and weights of every output along one side.
fn taps(old: usize, new: usize) -> Vec<(usize, Vec<f64>)> {
    let scale = old as f64 / new as f64;
    let stretch = scale.max(1.0);
    let support = 2.0 * stretch;
    let tap = |i: usize| {
        let centre = scale * (i as f64 + 0.5);
        let from = ((centre - support + 0.5) as i64).max(0) as usize;
        let to = ((centre + support + 0.5) as usize).min(old);
        let weights: Vec<f64> =
            (from..to).map(|j| cubic((j as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = weights.iter().sum();
        (from, weights.into_iter().map(|w| w / sum).collect())
    };
    (0..new).map(tap).collect()
}

/// Keys' cubic kernel (1981) with a = −0.5, which is what antialiased resampling uses.
fn cubic(x: f64) -> f64 {
    let (x, a) = (x.abs(), -0.5);
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}
