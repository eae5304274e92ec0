// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Fold, HeldOutView, Matrix, ProxyScores, ProxyTask, Result, TrainView};

use super::{call_folds, score_by_calls};
use crate::dense::{map_products, normalise_rows};

/// Probe `simple-shot`: nearest class mean of centred embeddings of unit length (Wang et al. 2019).
///
/// The training rows' mean is subtracted, rows are scaled to length 1, and a row gets the class
/// whose mean is nearest by Euclid. Nothing is tuned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimpleShot;

/// The class means of one training set.
pub(crate) struct ClassMeans {
    mean: Vec<f32>,
    /// Classes that have rows, in order.
    classes: Vec<u32>,
    means: Matrix,
    /// ‖m‖²/2 of each class mean m, since argmin ‖x−m‖² = argmax x·m − ‖m‖²/2.
    half_squares: Vec<f32>,
}

impl ProxyTask for SimpleShot {
    fn kind(&self) -> &'static str {
        "simple-shot"
    }

    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        score_by_calls(self, train, folds)
    }

    fn classify(&self, train: &TrainView, folds: &[Fold]) -> Result<Option<Vec<Vec<u32>>>> {
        call_folds(train, folds, |_, inner, held_out| classify(inner, held_out)).map(Some)
    }
}

fn classify(train: &TrainView, held_out: &HeldOutView) -> Result<Vec<u32>> {
    ClassMeans::fit(train.features(), &train.labels(), train.classes().len())?
        .classify(held_out.features())
}

impl ClassMeans {
    pub(crate) fn fit(mut features: Matrix, labels: &[u32], n_classes: usize) -> Result<Self> {
        let mean = column_means(&features);
        centre_and_scale(&mut features, &mean);
        let dim = features.n_cols();
        let mut sums = vec![vec![0.0_f64; dim]; n_classes];
        let mut counts = vec![0_usize; n_classes];
        for (row, &label) in features.rows().zip(labels) {
            counts[label as usize] += 1;
            for (sum, &x) in sums[label as usize].iter_mut().zip(row) {
                *sum += f64::from(x);
            }
        }
        let classes: Vec<u32> = (0..n_classes as u32).filter(|&c| counts[c as usize] > 0).collect();
        let means: Vec<Vec<f32>> = classes
            .iter()
            .map(|&c| {
                let n = counts[c as usize] as f64;
                sums[c as usize].iter().map(|s| (s / n) as f32).collect()
            })
            .collect();
        let half_square =
            |m: &Vec<f32>| (m.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 2.0) as f32;
        let half_squares = means.iter().map(half_square).collect();
        Ok(Self { mean, classes, means: Matrix::from_rows(&means)?, half_squares })
    }

    pub(crate) fn classify(&self, mut features: Matrix) -> Result<Vec<u32>> {
        centre_and_scale(&mut features, &self.mean);
        map_products(&features, &self.means, |_, products| {
            let closeness = |i: usize| products[i] - self.half_squares[i];
            let best = (0..products.len())
                .fold(0, |best, i| if closeness(i) > closeness(best) { i } else { best });
            self.classes.get(best).copied().unwrap_or(0)
        })
    }
}

fn column_means(features: &Matrix) -> Vec<f32> {
    let mut sums = vec![0.0_f64; features.n_cols()];
    for row in features.rows() {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    let n = features.n_rows().max(1) as f64;
    sums.into_iter().map(|s| (s / n) as f32).collect()
}

fn centre_and_scale(features: &mut Matrix, mean: &[f32]) {
    for i in 0..features.n_rows() {
        for (x, m) in features.row_mut(i).iter_mut().zip(mean) {
            *x -= m;
        }
    }
    normalise_rows(features);
}
