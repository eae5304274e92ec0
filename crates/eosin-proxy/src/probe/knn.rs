// SPDX-License-Identifier: MIT OR Apache-2.0

use std::cmp::Ordering;

use eosin_core::{Error, Fold, Matrix, ProxyScores, ProxyTask, Result, TrainView};
use serde::{Deserialize, Serialize};

use super::{call_folds, score_by_calls};
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
        score_by_calls(self, train, folds)
    }

    fn classify(&self, train: &TrainView, folds: &[Fold]) -> Result<Option<Vec<Vec<u32>>>> {
        if self.k == 0 {
            return Err(Error::input("probe knn, option k", "at least 1", "0", "20 is usual"));
        }
        let shared = Shared::new(train, self.k)?;
        call_folds(train, folds, |fold, _, _| {
            let mut is_train = vec![false; train.n_rows()];
            for &i in &fold.train {
                is_train[i] = true;
            }
            let n_train = fold.train.len();
            let class = |&row: &usize| shared.classify(row, self.k, &is_train, n_train);
            Ok(fold.held_out.iter().map(class).collect())
        })
        .map(Some)
    }

    /// One search for neighbours serves every fold.
    fn shares_work(&self) -> bool {
        true
    }
}

/// Neighbours kept for each row, as a multiple of k. With five folds a fifth of them is held out,
/// so that the search over all rows again is almost never needed.
const KEPT: usize = 4;

/// The nearest rows of other groups for every row of a view, and what is needed to look further.
///
/// Folds never tear a group, so a row's own group is never among the rows it is judged by, and one
/// search serves every fold.
struct Shared {
    features: Matrix,
    labels: Vec<u32>,
    n_classes: usize,
    /// Position and similarity, nearest first.
    lists: Vec<Vec<(u32, f32)>>,
}

impl Shared {
    fn new(train: &TrainView, k: usize) -> Result<Self> {
        let mut features = train.features();
        normalise_rows(&mut features);
        let groups = train.groups();
        let kept = k.saturating_mul(KEPT);
        let lists = map_products(&features, &features, |row, similarities| {
            let other = |j: usize| groups[j] != groups[row];
            nearest(similarities, kept, other)
                .into_iter()
                .map(|j| (j as u32, similarities[j]))
                .collect()
        })?;
        let n_classes = train.classes().len();
        Ok(Self { features, labels: train.labels(), n_classes, lists })
    }

    /// The class of row `row` by its `k` nearest of the rows that `is_train` marks.
    fn classify(&self, row: usize, k: usize, is_train: &[bool], n_train: usize) -> u32 {
        let known = |&&(j, _): &&(u32, f32)| is_train[j as usize];
        let mut neighbours: Vec<(u32, f32)> =
            self.lists[row].iter().filter(known).take(k).copied().collect();
        if neighbours.len() < k.min(n_train) {
            // Too many of the list are held out. Products of single rows may differ in the last
            // bit from those of blocks, which matters for exact ties alone.
            let x = self.features.row(row);
            let dot = |y: &[f32]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f32>();
            let similarities: Vec<f32> = self.features.rows().map(dot).collect();
            neighbours = nearest(&similarities, k, |j| is_train[j])
                .into_iter()
                .map(|j| (j as u32, similarities[j]))
                .collect();
        }
        vote(&neighbours, &self.labels, self.n_classes)
    }
}

/// The `k` positions of largest value of those allowed, in descending order; equals stand in order
/// of position.
pub(crate) fn nearest(
    similarities: &[f32],
    k: usize,
    allowed: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let descending = |&a: &usize, &b: &usize| -> Ordering {
        similarities[b].total_cmp(&similarities[a]).then(a.cmp(&b))
    };
    let mut order: Vec<usize> = (0..similarities.len()).filter(|&i| allowed(i)).collect();
    if k < order.len() {
        order.select_nth_unstable_by(k, descending);
        order.truncate(k);
    }
    order.sort_unstable_by(descending);
    order
}

/// The class with most votes, of equals that with the larger sum of similarities.
pub(crate) fn vote(neighbours: &[(u32, f32)], labels: &[u32], n_classes: usize) -> u32 {
    let mut votes = vec![(0_usize, 0.0_f64); n_classes];
    for &(row, similarity) in neighbours {
        let class = &mut votes[labels[row as usize] as usize];
        class.0 += 1;
        class.1 += f64::from(similarity);
    }
    let better = |a: (usize, f64), b: (usize, f64)| a.0 > b.0 || (a.0 == b.0 && a.1 > b.1);
    (0..n_classes).fold(0, |best, c| if better(votes[c], votes[best]) { c } else { best }) as u32
}
