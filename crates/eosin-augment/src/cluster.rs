// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::options::{FittedOn, copy_sources, with_copies, within};
use crate::random::Streams;
use crate::spread::{Spread, mean_of};

const KIND: &str = "cluster-noise";
/// Rounds of k-means at most; it is a partition that is wanted, not the best one.
const MAX_ROUNDS: usize = 50;

/// Kind `cluster-noise`: x + γ·N(0, Σ_c), Σ_c being the covariance of the k-means cluster that the
/// row's parent is in (latent augmentation, ICLR 2022). Labels are not looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterNoise {
    /// Clusters of the training rows; fewer where there are fewer rows.
    pub clusters: usize,
    /// Strength γ; 1 draws with the cluster's own covariance.
    pub gamma: f32,
    /// New rows for each row, which share its weight; with 0 the row is replaced. 25 to 100 were
    /// used by the authors.
    pub copies: usize,
    /// Seed of k-means.
    pub seed: u64,
}

struct FittedClusters {
    fitted_on: FittedOn,
    gamma: f32,
    copies: usize,
    /// The cluster of each training row, by position.
    cluster: Vec<usize>,
    spreads: Vec<Spread>,
}

impl Default for ClusterNoise {
    fn default() -> Self {
        Self { clusters: 16, gamma: 1.0, copies: 4, seed: 0 }
    }
}

impl FeatureTransform for ClusterNoise {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "clusters", self.clusters as f64, 1.0, 10_000.0)?;
        within(KIND, "gamma", self.gamma.into(), 0.0, 10.0)?;
        within(KIND, "copies", self.copies as f64, 0.0, 1000.0)?;
        let features = train.features();
        let cluster = k_means(&features, self.clusters, self.seed);
        let n_clusters = cluster.iter().max().map_or(0, |c| c + 1);
        let spreads = (0..n_clusters)
            .map(|c| {
                let rows: Vec<usize> = (0..cluster.len()).filter(|&i| cluster[i] == c).collect();
                Spread::of(&features, &rows)
            })
            .collect();
        Ok(Box::new(FittedClusters {
            fitted_on: FittedOn { kind: KIND, n_rows: train.n_rows(), dim: train.dim() },
            gamma: self.gamma,
            copies: self.copies,
            cluster,
            spreads,
        }))
    }
}

impl FittedTransform for FittedClusters {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let sources = copy_sources(batch.n_rows(), self.copies);
        let noisy =
            Streams::new(draw, KIND).fill(sources.len(), self.fitted_on.dim, |row, rng, new| {
                let source = sources[row];
                new.copy_from_slice(batch.features().row(source));
                let cluster = self.cluster[batch.parents()[source] as usize];
                self.spreads[cluster].add(self.gamma, rng, new);
            })?;
        with_copies(batch, self.copies, noisy, None)
    }
}

/// The cluster of each row by Lloyd's rounds from k-means++ centres.
fn k_means(features: &Matrix, k: usize, seed: u64) -> Vec<usize> {
    let n = features.n_rows();
    if n == 0 {
        return Vec::new();
    }
    let mut centres = spread_rows(features, k.min(n), &mut ChaCha8Rng::seed_from_u64(seed));
    let mut cluster = vec![0; n];
    for _ in 0..MAX_ROUNDS {
        let assigned: Vec<usize> = (0..n)
            .into_par_iter()
            .map(|i| {
                let distance = |c: usize| square_distance(features.row(i), &centres[c]);
                (0..centres.len())
                    .map(|c| (distance(c), c))
                    .min_by(|a, b| a.0.total_cmp(&b.0))
                    .map_or(0, |best| best.1)
            })
            .collect();
        if assigned == cluster {
            break;
        }
        cluster = assigned;
        for (c, centre) in centres.iter_mut().enumerate() {
            let rows: Vec<usize> = (0..n).filter(|&i| cluster[i] == c).collect();
            // A centre that lost all its rows stays where it is.
            if !rows.is_empty() {
                *centre = mean_of(features, &rows).into_iter().map(|v| v as f32).collect();
            }
        }
    }
    cluster
}

/// k-means++: each centre is a row, drawn in proportion to its squared distance to those before.
fn spread_rows(features: &Matrix, k: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<f32>> {
    let n = features.n_rows();
    let mut centres = vec![features.row(rng.random_range(0..n)).to_vec()];
    let mut nearest = vec![f64::INFINITY; n];
    while centres.len() < k {
        let last = &centres[centres.len() - 1];
        for (distance, row) in nearest.iter_mut().zip(features.rows()) {
            *distance = distance.min(square_distance(row, last));
        }
        let mut at = rng.random::<f64>() * nearest.iter().sum::<f64>();
        let next = nearest.iter().position(|d| {
            at -= d;
            at < 0.0
        });
        centres.push(features.row(next.unwrap_or(n - 1)).to_vec());
    }
    centres
}

pub(crate) fn square_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum()
}
