// SPDX-License-Identifier: MIT OR Apache-2.0

use std::cmp::Ordering;

use eosin_core::{Error, Fold, HeldOutView, ProxyScores, ProxyTask, Result, TrainView};
use serde::{Deserialize, Serialize};

use super::score_folds;
use crate::dense::{map_products, normalise_rows};

/// Probe `knn`: the majority of the k training rows that are nearest by cosine.
///
/// Of classes with equally many votes, that with the larger sum of similarities is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnnProbe {
    /// Neighbours that vote; all training rows where they are fewer.
    pub k: usize,
}

impl Default for KnnProbe {
    fn default() -> Self {
        Self { k: 20 }
    }
}

impl ProxyTask for KnnProbe {
    fn kind(&self) -> &'static str {
        "knn"
    }

    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        if self.k == 0 {
            return Err(Error::input("probe knn, option k", "at least 1", "0", "20 is usual"));
        }
        score_folds(self.kind(), train, folds, |_, inner, held_out| self.classify(inner, held_out))
    }
}

impl KnnProbe {
    fn classify(&self, train: &TrainView, held_out: &HeldOutView) -> Result<Vec<u32>> {
        let (mut known, mut asked) = (train.features(), held_out.features());
        normalise_rows(&mut known);
        normalise_rows(&mut asked);
        let labels = train.labels();
        let n_classes = train.classes().len();
        map_products(&asked, &known, |_, similarities| {
            vote(&nearest(similarities, self.k), similarities, &labels, n_classes)
        })
    }
}

/// The `k` positions of largest value, in descending order; equals stand in order of position.
pub(crate) fn nearest(similarities: &[f32], k: usize) -> Vec<usize> {
    let descending = |&a: &usize, &b: &usize| -> Ordering {
        similarities[b].total_cmp(&similarities[a]).then(a.cmp(&b))
    };
    let mut order: Vec<usize> = (0..similarities.len()).collect();
    if k < order.len() {
        order.select_nth_unstable_by(k, descending);
        order.truncate(k);
    }
    order.sort_unstable_by(descending);
    order
}

fn vote(neighbours: &[usize], similarities: &[f32], labels: &[u32], n_classes: usize) -> u32 {
    let mut votes = vec![(0_usize, 0.0_f64); n_classes];
    for &i in neighbours {
        let class = &mut votes[labels[i] as usize];
        class.0 += 1;
        class.1 += f64::from(similarities[i]);
    }
    let better = |a: (usize, f64), b: (usize, f64)| a.0 > b.0 || (a.0 == b.0 && a.1 > b.1);
    (0..n_classes).fold(0, |best, c| if better(votes[c], votes[best]) { c } else { best }) as u32
}
