// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use super::{ratio, weight};

/// Weighted counts of a binary decision.
///
/// A ratio whose denominator is zero is 0, as in scikit-learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BinaryCounts {
    /// Positive rows that were called positive.
    pub true_positive: f64,
    /// Negative rows that were called positive.
    pub false_positive: f64,
    /// Positive rows that were called negative.
    pub false_negative: f64,
    /// Negative rows that were called negative.
    pub true_negative: f64,
}

impl BinaryCounts {
    /// Counts decisions against labels; the shorter of both ends the count.
    pub fn of(called: &[bool], labels: &[bool], weights: Option<&[f64]>) -> Self {
        Self::count(called.iter().copied(), labels, weights)
    }

    /// Counts with every score of at least `threshold` called positive.
    pub fn at(scores: &[f64], labels: &[bool], weights: Option<&[f64]>, threshold: f64) -> Self {
        Self::count(scores.iter().map(|&s| s >= threshold), labels, weights)
    }

    fn count(called: impl Iterator<Item = bool>, labels: &[bool], weights: Option<&[f64]>) -> Self {
        let mut counts = Self::default();
        for (i, (called, &label)) in called.zip(labels).enumerate() {
            let cell = match (called, label) {
                (true, true) => &mut counts.true_positive,
                (true, false) => &mut counts.false_positive,
                (false, true) => &mut counts.false_negative,
                (false, false) => &mut counts.true_negative,
            };
            *cell += weight(weights, i);
        }
        counts
    }

    /// The share of calls that are right.
    pub fn accuracy(&self) -> f64 {
        let all =
            self.true_positive + self.false_positive + self.false_negative + self.true_negative;
        ratio(self.true_positive + self.true_negative, all, f64::NAN)
    }

    /// The share of positive calls that are right.
    pub fn precision(&self) -> f64 {
        ratio(self.true_positive, self.true_positive + self.false_positive, 0.0)
    }

    /// The share of positive rows that were found: sensitivity.
    pub fn recall(&self) -> f64 {
        ratio(self.true_positive, self.true_positive + self.false_negative, 0.0)
    }

    /// The share of negative rows that were left alone.
    pub fn specificity(&self) -> f64 {
        ratio(self.true_negative, self.true_negative + self.false_positive, 0.0)
    }

    /// The F1 score of the positive class.
    pub fn f1(&self) -> f64 {
        let both = 2.0 * self.true_positive;
        ratio(both, both + self.false_positive + self.false_negative, 0.0)
    }

    /// The mean of the recalls of the classes that occur; NaN without rows.
    pub fn balanced_accuracy(&self) -> f64 {
        let has_positive = self.true_positive + self.false_negative > 0.0;
        let has_negative = self.true_negative + self.false_positive > 0.0;
        match (has_positive, has_negative) {
            (true, true) => f64::midpoint(self.recall(), self.specificity()),
            (true, false) => self.recall(),
            (false, true) => self.specificity(),
            (false, false) => f64::NAN,
        }
    }

    /// Matthews' correlation coefficient, 0 where a margin is empty.
    pub fn mcc(&self) -> f64 {
        let Self { true_positive: tp, false_positive: fp, false_negative: fneg, true_negative: tn } =
            *self;
        let margins = ((tp + fp) * (tp + fneg)).sqrt() * ((tn + fp) * (tn + fneg)).sqrt();
        ratio(tp * tn - fp * fneg, margins, 0.0)
    }

    /// The precision that this recall and false-positive rate would have at another prevalence.
    pub fn precision_at_prevalence(&self, prevalence: f64) -> f64 {
        precision_at_prevalence(self.recall(), 1.0 - self.specificity(), prevalence)
    }
}

/// πR / (πR + (1 − π)FPR); NaN where nothing is called positive.
pub fn precision_at_prevalence(recall: f64, false_positive_rate: f64, prevalence: f64) -> f64 {
    let found = prevalence * recall;
    ratio(found, found + (1.0 - prevalence) * false_positive_rate, f64::NAN)
}
