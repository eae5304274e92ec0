// SPDX-License-Identifier: MIT OR Apache-2.0

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::expected_calibration_error;
use crate::bootstrap::quantile;

/// The calibration error that a perfect head of the same probabilities would show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerfectEce {
    /// Its mean over draws.
    pub mean: f64,
    /// What it stays below in 95 % of draws: an error above it is no chance of the sample.
    pub upper: f64,
}

/// The expected calibration error of labels that are drawn from the probabilities themselves.
///
/// It is not 0, since a bin of few rows is off by chance; an error is to be read beside it. Rows
/// are drawn independently: those of one patient, which are not, make the error of even a perfect
/// head larger. NaN without rows or draws.
pub fn perfect_ece(probabilities: &[f64], n_bins: usize, draws: usize, seed: u64) -> PerfectEce {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut errors: Vec<f64> = (0..draws)
        .map(|_| {
            let labels: Vec<bool> =
                probabilities.iter().map(|&p| rng.random::<f64>() < p).collect();
            expected_calibration_error(probabilities, &labels, None, n_bins)
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    PerfectEce { mean, upper: quantile(&errors, 0.95) }
}
