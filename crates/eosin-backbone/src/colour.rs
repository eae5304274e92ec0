// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;

use crate::network::Network;

/// Length of the vector: 7 statistics of 6 channels and 6 correlations.
pub(crate) const COLOUR_DIM: usize = 48;

/// Statistics of colour and stain, a control without any network.
///
/// For each of red, green, blue (0 to 1) and haematoxylin, eosin, DAB: mean, standard deviation and
/// the 5th, 25th, 50th, 75th and 95th percentile; then the correlations RG, RB, GB, HE, HD, ED.
/// Stains are −log₁₀((v + 1) / 256) times the inverse of Ruifrok and Johnston's matrix (2001), cut
/// at 0. Percentiles interpolate linearly between order statistics.
pub(crate) struct ColourStatistics;

/// Inverse of the stain vectors' matrix, as scikit-image's `hed_from_rgb` has it.
const HED_FROM_RGB: [[f64; 3]; 3] = [
    [1.877_982_74, -1.007_678_69, -0.556_115_82],
    [-0.065_908_06, 1.134_730_37, -0.135_521_8],
    [-0.601_907_36, -0.480_414_19, 1.573_588_07],
];
const PERCENTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

impl Network for ColourStatistics {
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>> {
        let tiles = pixels.chunks_exact(px * px * 3).take(n_tiles);
        Ok(tiles.flat_map(statistics).collect())
    }
}

/// The vector of one tile.
fn statistics(tile: &[u8]) -> Vec<f32> {
    let density: Vec<f64> = (0..256).map(|v| -(f64::from(v + 1) / 256.0).log10()).collect();
    let n = tile.len() / 3;
    let mut channels: [Vec<f32>; 6] = std::array::from_fn(|_| Vec::with_capacity(n));
    for pixel in tile.as_chunks::<3>().0 {
        for (channel, value) in channels.iter_mut().zip(pixel) {
            channel.push(f32::from(*value) / 255.0);
        }
        for (stain, channel) in channels[3..].iter_mut().enumerate() {
            let amount: f64 =
                (0..3).map(|c| density[usize::from(pixel[c])] * HED_FROM_RGB[c][stain]).sum();
            channel.push(amount.max(0.0) as f32);
        }
    }
    let moments: Vec<(f64, f64)> = channels.iter().map(|c| mean_and_std(c)).collect();
    let correlations: Vec<f32> = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)]
        .iter()
        .map(|&(a, b)| correlation(&channels[a], &channels[b], moments[a], moments[b]))
        .collect();
    let mut vector = Vec::with_capacity(COLOUR_DIM);
    for (channel, (mean, std)) in channels.iter_mut().zip(moments) {
        vector.extend([mean as f32, std as f32]);
        channel.sort_unstable_by(f32::total_cmp);
        vector.extend(PERCENTILES.map(|p| percentile(channel, p)));
    }
    vector.extend(correlations);
    vector
}

fn mean_and_std(values: &[f32]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Pearson's correlation; 0 where one channel is constant.
fn correlation(
    a: &[f32],
    b: &[f32],
    (mean_a, std_a): (f64, f64),
    (mean_b, std_b): (f64, f64),
) -> f32 {
    if std_a < 1e-6 || std_b < 1e-6 {
        return 0.0;
    }
    let products =
        a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - mean_a) * (f64::from(y) - mean_b));
    (products.sum::<f64>() / a.len() as f64 / (std_a * std_b)) as f32
}

fn percentile(sorted: &[f32], p: f64) -> f32 {
    let position = p * (sorted.len() - 1) as f64;
    let (low, share) = (position.floor() as usize, position.fract());
    let high = (low + 1).min(sorted.len() - 1);
    (f64::from(sorted[low]) * (1.0 - share) + f64::from(sorted[high]) * share) as f32
}
