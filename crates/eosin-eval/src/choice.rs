// SPDX-License-Identifier: MIT OR Apache-2.0

//! What choosing the best of several arms gains, measured where nothing was chosen.
//!
//! The best of several scores is too good by the luck that made it the best. In nested selection,
//! folds within each outer training part choose, and the outer fold, which had no say, scores.

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::inference::{Estimate, corrected_estimate};

/// Scores from which a choice and its gain are made again on every outer fold.
#[derive(Clone, Copy, Debug)]
pub struct NestedScores<'a> {
    /// By arm, for every outer fold: the mean over folds inside its training part, see
    /// [`InnerFolds`](crate::splits::InnerFolds).
    pub inner: &'a [Vec<f64>],
    /// By arm: the score on every outer fold.
    pub outer: &'a [Vec<f64>],
    /// Held-out groups over training groups of the outer folds.
    pub test_train_ratio: f64,
    /// Level of the interval.
    pub level: f64,
}

/// What a choice gains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChoiceGain {
    /// The gain over the baseline with its interval and p, over the outer folds.
    pub gain: Estimate,
    /// What the chosen arms score on the outer folds that had no say.
    pub score: Estimate,
    /// In how many outer folds each arm was chosen.
    pub chosen: Vec<usize>,
}

/// Chooses on the inner folds and scores on the outer ones, against a baseline's score per outer
/// fold, such as that of one arm or the mean of all.
///
/// `choose` gets one mean score per arm and returns the position of the arm to take.
pub fn choice_gain(
    scores: NestedScores,
    baseline: &[f64],
    choose: impl Fn(&[f64]) -> usize,
) -> Result<ChoiceGain> {
    let NestedScores { inner, outer, test_train_ratio, level } = scores;
    let n_folds = baseline.len();
    let same = |arms: &[Vec<f64>]| arms.iter().all(|arm| arm.len() == n_folds);
    if inner.is_empty() || inner.len() != outer.len() || !same(inner) || !same(outer) {
        return Err(Error::input(
            "nested scores",
            format!("inner and outer scores of the same arms on {n_folds} folds"),
            format!("{} and {} arms", inner.len(), outer.len()),
            "score every arm on the inner and the outer folds",
        ));
    }
    let mut chosen = vec![0; inner.len()];
    let mut taken = Vec::with_capacity(n_folds);
    for fold in 0..n_folds {
        let means: Vec<f64> = inner.iter().map(|arm| arm[fold]).collect();
        let arm = choose(&means).min(inner.len() - 1);
        chosen[arm] += 1;
        taken.push(outer[arm][fold]);
    }
    let gains: Vec<f64> = taken.iter().zip(baseline).map(|(a, b)| a - b).collect();
    Ok(ChoiceGain {
        gain: corrected_estimate(&gains, test_train_ratio, level)?,
        score: corrected_estimate(&taken, test_train_ratio, level)?,
        chosen,
    })
}

/// The position of the largest value, of equals the first; NaN is never taken before a number.
pub fn largest(means: &[f64]) -> usize {
    let better = |best: usize, i: usize| {
        if means[i] > means[best] || means[best].is_nan() && !means[i].is_nan() { i } else { best }
    };
    (0..means.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_fold_scores_what_the_inner_folds_chose() {
        let inner = [vec![0.9, 0.1, 0.9, 0.1], vec![0.5; 4]];
        let outer = [vec![0.6, 0.2, 0.7, 0.2], vec![0.4, 0.5, 0.4, 0.6]];
        let scores =
            NestedScores { inner: &inner, outer: &outer, test_train_ratio: 0.25, level: 0.95 };
        let found = choice_gain(scores, &[0.5; 4], largest).unwrap();
        assert_eq!(found.chosen, [2, 2]);
        assert!((found.score.estimate - 0.6).abs() < 1e-12);
        assert!((found.gain.estimate - 0.1).abs() < 1e-12);
        assert!(choice_gain(scores, &[0.5; 3], largest).is_err());
        assert_eq!(largest(&[f64::NAN, 0.2, 0.2]), 1);
    }
}
