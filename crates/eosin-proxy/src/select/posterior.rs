// SPDX-License-Identifier: MIT OR Apache-2.0

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};

use eosin_core::{Error, Result};

/// The posterior probability of each arm that its mean is the largest.
///
/// `scores[a][r]` is arm a's score on fold r. The joint posterior of the means is multivariate t
/// with R − 1 degrees of freedom, the observed means and covariance (1/R + n_te/n_tr)·S: the
/// correlated t-test of Benavoli et al. for all arms at once. A standard normal combination of
/// the centred folds has covariance (R − 1)·S, which spares a factorisation of S. Ties share.
pub(super) fn probability_best(
    scores: &[&[f64]],
    test_train_ratio: f64,
    draws: usize,
    seed: u64,
) -> Result<Vec<f64>> {
    let n_folds = scores.first().map_or(0, |s| s.len());
    let df = n_folds as f64 - 1.0;
    let chi = ChiSquared::new(df).map_err(|e| {
        Error::input("folds", "at least 2", format!("{n_folds} ({e})"), "score more folds")
    })?;
    let means: Vec<f64> = scores.iter().map(|s| s.iter().sum::<f64>() / s.len() as f64).collect();
    let spread = (1.0 / n_folds as f64 + test_train_ratio).sqrt();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut wins = vec![0.0; scores.len()];
    for _ in 0..draws {
        let normal: Vec<f64> = (0..n_folds).map(|_| rng.sample(StandardNormal)).collect();
        // (z·Σ)/√(R−1) has covariance S, and 1/√(χ²/df) makes it t.
        let scale = spread / df.sqrt() / (chi.sample(&mut rng) / df).sqrt();
        let drawn: Vec<f64> = scores
            .iter()
            .zip(&means)
            .map(|(s, m)| m + scale * s.iter().zip(&normal).map(|(x, z)| (x - m) * z).sum::<f64>())
            .collect();
        let best = drawn.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let winners: Vec<usize> = (0..drawn.len()).filter(|&a| drawn[a] >= best).collect();
        for &a in &winners {
            wins[a] += 1.0 / winners.len() as f64;
        }
    }
    Ok(wins.into_iter().map(|w| w / draws as f64).collect())
}
