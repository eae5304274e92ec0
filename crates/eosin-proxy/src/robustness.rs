// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether embeddings are near for their biology or for where they were made.

use eosin_core::{Error, Matrix, Result, TrainView};
use eosin_eval::{ConfusionMatrix, GroupBootstrap, Interval};
use serde::{Deserialize, Serialize};

use crate::dense::{map_products, normalise_rows};
use crate::probe::{nearest, vote};

/// The robustness index of one backbone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessIndex {
    /// Neighbours that were counted: those with which kNN classified best.
    pub k: usize,
    /// Balanced accuracy of kNN with that k, neighbours of other groups alone.
    pub knn_balanced_accuracy: f64,
    /// Σ SO / (Σ SO + Σ OS), 1 where biology alone makes neighbours and 0 where the centre does.
    pub index: Interval,
}

/// How the index is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RobustnessOptions {
    /// Values of k to choose from.
    pub k: Vec<usize>,
    /// Resamples of whole groups for the interval.
    pub bootstrap: GroupBootstrap,
}

impl Default for RobustnessOptions {
    fn default() -> Self {
        Self { k: vec![1, 3, 5, 10, 20, 50], bootstrap: GroupBootstrap::default() }
    }
}

/// The robustness index (PathoROB; Kömen et al.): among the k nearest rows by cosine, those of the
/// row's own group left out, the rows of the Same class and an Other centre over these and those
/// of an Other class and the Same centre.
///
/// `centres` has a number for each row of the view. The k is that of `options.k` with which kNN
/// has the best balanced accuracy, the smaller of equals. Nothing is trained.
pub fn robustness_index(
    train: &TrainView,
    centres: &[u32],
    options: &RobustnessOptions,
) -> Result<RobustnessIndex> {
    let (labels, groups) = (train.labels(), train.groups());
    check(train, centres, &options.k)?;
    let largest = options.k.iter().copied().max().unwrap_or(1);
    let lists = neighbours(train.features(), &groups, largest)?;
    let n_classes = train.classes().len();
    let mut best: Option<(usize, f64)> = None;
    let mut candidates = options.k.clone();
    candidates.sort_unstable();
    for k in candidates {
        let called: Vec<u32> =
            lists.iter().map(|l| vote(&l[..k.min(l.len())], &labels, n_classes)).collect();
        let score = ConfusionMatrix::new(&labels, &called, n_classes, None)?.balanced_accuracy();
        if best.is_none_or(|(_, b)| score > b) {
            best = Some((k, score));
        }
    }
    let (k, knn_balanced_accuracy) = best.unwrap_or((1, f64::NAN));
    let counts: Vec<(f64, f64)> = lists
        .iter()
        .enumerate()
        .map(|(row, list)| count(row, &list[..k.min(list.len())], &labels, centres))
        .collect();
    let index = options.bootstrap.interval(&groups, &labels, |weights| {
        let (mut so, mut os) = (0.0, 0.0);
        for (w, (s, o)) in weights.iter().zip(&counts) {
            so += w * s;
            os += w * o;
        }
        so / (so + os)
    })?;
    Ok(RobustnessIndex { k, knn_balanced_accuracy, index })
}

fn check(train: &TrainView, centres: &[u32], k: &[usize]) -> Result<()> {
    let several = centres.iter().any(|c| Some(c) != centres.first());
    if centres.len() != train.n_rows() || !several || k.is_empty() || k.contains(&0) {
        return Err(Error::input(
            "robustness index",
            format!("{} centres, at least two different, and values of k above 0", train.n_rows()),
            format!("{} centres and k of {k:?}", centres.len()),
            "give the centre of every slide in the manifest's column `centre`",
        ));
    }
    Ok(())
}

/// The nearest rows of other groups for every row, nearest first, with their similarities.
fn neighbours(mut features: Matrix, groups: &[u32], k: usize) -> Result<Vec<Vec<(u32, f32)>>> {
    normalise_rows(&mut features);
    map_products(&features, &features, |row, similarities| {
        nearest(similarities, k, |j| groups[j] != groups[row])
            .into_iter()
            .map(|j| (j as u32, similarities[j]))
            .collect()
    })
}

/// Neighbours of same class and other centre, and of other class and same centre.
fn count(row: usize, list: &[(u32, f32)], labels: &[u32], centres: &[u32]) -> (f64, f64) {
    let mut counts = (0.0, 0.0);
    for &(j, _) in list {
        let j = j as usize;
        match (labels[j] == labels[row], centres[j] == centres[row]) {
            (true, false) => counts.0 += 1.0,
            (false, true) => counts.1 += 1.0,
            _ => {}
        }
    }
    counts
}
