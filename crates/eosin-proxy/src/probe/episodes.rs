// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Fold, Matrix, ProxyScores, ProxyTask, Result, TrainView};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::simple_shot::ClassMeans;
use super::{balanced_accuracy, fold_seed, score_folds_by};

/// Probe `few-shot`: SimpleShot from a few rows of each class, the mean over many draws.
///
/// Each fold has `episodes` draws of `shots` training rows of every class (all rows of a class
/// that has fewer), judged on the whole held-out part; with five folds, 20 episodes are 100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FewShot {
    /// Training rows of each class.
    pub shots: usize,
    /// Draws for each fold.
    pub episodes: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for FewShot {
    fn default() -> Self {
        Self { shots: 5, episodes: 20, seed: 0 }
    }
}

impl ProxyTask for FewShot {
    fn kind(&self) -> &'static str {
        "few-shot"
    }

    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        if self.shots == 0 || self.episodes == 0 {
            return Err(Error::input(
                "probe few-shot, options shots and episodes",
                "at least 1 each",
                format!("{} and {}", self.shots, self.episodes),
                "1, 5, 25 and 100 shots are usual",
            ));
        }
        let n_classes = train.classes().len();
        score_folds_by(
            &format!("few-shot-{}", self.shots),
            train,
            folds,
            |fold, inner, held_out| {
                let (features, labels) = (inner.features(), inner.labels());
                let (asked, truth) = (held_out.features(), held_out.labels());
                let seed = fold_seed(self.seed, fold);
                let mut total = 0.0;
                for episode in 0..self.episodes {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream(episode as u64);
                    let (support, classes) = self.support(&features, &labels, n_classes, &mut rng);
                    let means = ClassMeans::fit(support, &classes, n_classes)?;
                    let called = means.classify(asked.clone())?;
                    total += balanced_accuracy(&truth, &called, n_classes)?;
                }
                Ok(total / self.episodes as f64)
            },
        )
    }
}

impl FewShot {
    /// The drawn rows and their classes.
    fn support(
        &self,
        features: &Matrix,
        labels: &[u32],
        n_classes: usize,
        rng: &mut ChaCha8Rng,
    ) -> (Matrix, Vec<u32>) {
        let (mut rows, mut classes) = (Vec::new(), Vec::new());
        for class in 0..n_classes as u32 {
            let own: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
            let n = self.shots.min(own.len());
            rows.extend(sample(rng, own.len(), n).into_iter().map(|i| own[i]));
            classes.extend(std::iter::repeat_n(class, n));
        }
        (features.select(&rows), classes)
    }
}
