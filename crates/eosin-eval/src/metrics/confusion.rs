// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{ratio, weight};

/// Weighted counts of classes called (columns) against true classes (rows).
///
/// Rows may be left uncalled. They are rows of their class like any other and were not found, so
/// that every score counts them as misses: the scores are scikit-learn's where being left uncalled
/// is one more class that is called and that no row is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    n_classes: usize,
    counts: Vec<f64>,
    /// Rows of each class that were left uncalled.
    uncalled: Vec<f64>,
}

impl ConfusionMatrix {
    /// Counts; classes are indices below `n_classes`.
    pub fn new(
        truth: &[u32],
        called: &[u32],
        n_classes: usize,
        weights: Option<&[f64]>,
    ) -> Result<Self> {
        Self::count_all(truth, called.iter().map(|&c| Some(c)), n_classes, weights)
    }

    /// As [`new`](Self::new), with `None` for rows that were left uncalled.
    pub fn with_uncalled(
        truth: &[u32],
        called: &[Option<u32>],
        n_classes: usize,
        weights: Option<&[f64]>,
    ) -> Result<Self> {
        Self::count_all(truth, called.iter().copied(), n_classes, weights)
    }

    fn count_all(
        truth: &[u32],
        called: impl ExactSizeIterator<Item = Option<u32>>,
        n_classes: usize,
        weights: Option<&[f64]>,
    ) -> Result<Self> {
        if truth.len() != called.len() || weights.is_some_and(|w| w.len() != truth.len()) {
            return Err(Error::input(
                "confusion matrix",
                format!("{} calls and weights", truth.len()),
                format!("{} calls", called.len()),
                "give one true class, one call and one weight per row",
            ));
        }
        let mut found = Self {
            n_classes,
            counts: vec![0.0; n_classes * n_classes],
            uncalled: vec![0.0; n_classes],
        };
        for (i, (&t, c)) in truth.iter().zip(called).enumerate() {
            let largest = t.max(c.unwrap_or(0));
            if largest as usize >= n_classes {
                return Err(Error::input(
                    "confusion matrix",
                    format!("classes below {n_classes}"),
                    largest.to_string(),
                    "count every class",
                ));
            }
            let cell = match c {
                Some(c) => &mut found.counts[t as usize * n_classes + c as usize],
                None => &mut found.uncalled[t as usize],
            };
            *cell += weight(weights, i);
        }
        Ok(found)
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The weight of rows of class `truth` that were called `called`.
    pub fn count(&self, truth: usize, called: usize) -> f64 {
        self.counts[truth * self.n_classes + called]
    }

    /// Every count, one row per true class.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// The weight of rows of each class that were left uncalled.
    pub fn uncalled(&self) -> &[f64] {
        &self.uncalled
    }

    /// Adds the counts of another matrix of as many classes, such as that of another fold.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        if self.n_classes != other.n_classes {
            return Err(Error::input(
                "confusion matrix",
                format!("{} classes", self.n_classes),
                other.n_classes.to_string(),
                "pool matrices of one task only",
            ));
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        for (count, more) in self.uncalled.iter_mut().zip(&other.uncalled) {
            *count += more;
        }
        Ok(())
    }

    /// The share of rows that were called rightly; NaN without rows.
    pub fn accuracy(&self) -> f64 {
        ratio(self.diagonal(), self.total(), f64::NAN)
    }

    /// The share of rows that were called anything; NaN without rows.
    pub fn coverage(&self) -> f64 {
        ratio(self.counts.iter().sum(), self.total(), f64::NAN)
    }

    /// The share of a class's rows that were called so; NaN where it has none.
    pub fn share(&self, truth: usize, called: usize) -> f64 {
        ratio(self.count(truth, called), self.true_total(truth), f64::NAN)
    }

    /// The share of the class's rows that were found, 0 where it has none.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.true_total(class), 0.0)
    }

    /// The share of the class's calls that are right, 0 where it was never called.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.called_total(class), 0.0)
    }

    /// The F1 score of one class, 0 where it neither occurs nor was called.
    pub fn f1(&self, class: usize) -> f64 {
        let totals = self.true_total(class) + self.called_total(class);
        ratio(2.0 * self.count(class, class), totals, 0.0)
    }

    /// The mean F1 of the classes that occur or were called.
    pub fn macro_f1(&self) -> f64 {
        self.mean_over(|c| self.true_total(c) + self.called_total(c) > 0.0, |c| self.f1(c))
    }

    /// The mean recall of the classes that occur.
    pub fn balanced_accuracy(&self) -> f64 {
        self.mean_over(|c| self.true_total(c) > 0.0, |c| self.recall(c))
    }

    /// Cohen's κ, NaN where agreement by chance is certain.
    pub fn cohen_kappa(&self) -> f64 {
        let total = self.total();
        let chance: f64 =
            (0..self.n_classes).map(|c| self.true_total(c) * self.called_total(c)).sum();
        let expected_disagreement = total * total - chance;
        let disagreement = total * (total - self.diagonal());
        1.0 - ratio(disagreement, expected_disagreement, f64::NAN)
    }

    /// Matthews' correlation coefficient for any number of classes (Gorodkin 2004), 0 where all
    /// rows are of one class or called alike.
    pub fn mcc(&self) -> f64 {
        let total = self.total();
        let (mut cov, mut of_truth, mut of_calls) =
            (self.diagonal() * total, total * total, total * total);
        for class in 0..self.n_classes {
            let (is, called) = (self.true_total(class), self.called_total(class));
            cov -= is * called;
            of_truth -= is * is;
            of_calls -= called * called;
        }
        of_calls -= self.uncalled.iter().sum::<f64>().powi(2);
        ratio(cov, of_truth.max(0.0).sqrt() * of_calls.max(0.0).sqrt(), 0.0)
    }

    fn total(&self) -> f64 {
        self.counts.iter().chain(&self.uncalled).sum()
    }

    fn diagonal(&self) -> f64 {
        (0..self.n_classes).map(|c| self.count(c, c)).sum()
    }

    fn true_total(&self, class: usize) -> f64 {
        (0..self.n_classes).map(|c| self.count(class, c)).sum::<f64>() + self.uncalled[class]
    }

    fn called_total(&self, class: usize) -> f64 {
        (0..self.n_classes).map(|c| self.count(c, class)).sum()
    }

    fn mean_over(&self, counts: impl Fn(usize) -> bool, value: impl Fn(usize) -> f64) -> f64 {
        let classes: Vec<usize> = (0..self.n_classes).filter(|&c| counts(c)).collect();
        ratio(classes.iter().map(|&c| value(c)).sum(), classes.len() as f64, f64::NAN)
    }
}
