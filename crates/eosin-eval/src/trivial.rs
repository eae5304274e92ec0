// SPDX-License-Identifier: MIT OR Apache-2.0

//! What calls that look at no tile score: the level that a head must beat.

use crate::metrics::{brier, log_loss};
use crate::{BinaryCounts, ConfusionMatrix};

/// A way to call rows that looks at no tile, with the metrics that it has.
#[derive(Clone, Debug, PartialEq)]
pub struct TrivialCall {
    /// What is called, such as `everything called positive`.
    pub name: &'static str,
    metrics: Vec<(&'static str, f64)>,
}

impl TrivialCall {
    /// The metric of this name, such as `F1`; NaN where such a call has none.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics.iter().find(|(own, _)| *own == name).map_or(f64::NAN, |(_, value)| *value)
    }
}

/// The trivial calls of a task on rows of these classes.
///
/// For two classes: every row is called positive, whose F1 is 2π/(1 + π) at a share π of
/// positives; or rows are called positive at random, as often as they occur, which is also a
/// head that gives every row the probability π. For more classes: every row is called the most
/// frequent class. Metrics of random calls are expected values for many rows.
pub fn trivial_calls(labels: &[u32], n_classes: usize) -> Vec<TrivialCall> {
    if labels.is_empty() {
        return Vec::new();
    }
    if n_classes == 2 { of_two(labels) } else { most_frequent(labels, n_classes) }
}

fn of_two(labels: &[u32]) -> Vec<TrivialCall> {
    let truths: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
    let share = truths.iter().filter(|&&t| t).count() as f64 / truths.len() as f64;
    let all = BinaryCounts::of(&vec![true; truths.len()], &truths, None);
    let shares = vec![share; truths.len()];
    let areas = [("AUROC", 0.5), ("AUPRC", share), ("balanced accuracy", 0.5), ("MCC", 0.0)];
    let with = |own: &[(&'static str, f64)]| areas.iter().chain(own).copied().collect();
    vec![
        TrivialCall {
            name: "everything called positive",
            metrics: with(&[("F1", all.f1()), ("precision", share), ("recall", all.recall())]),
        },
        TrivialCall {
            name: "called at random, as often as they occur",
            metrics: with(&[
                ("F1", share),
                ("precision", share),
                ("recall", share),
                ("Brier score", brier(&shares, &truths, None)),
                ("log loss", log_loss(&shares, &truths, None)),
            ]),
        },
    ]
}

fn most_frequent(labels: &[u32], n_classes: usize) -> Vec<TrivialCall> {
    let mut counts = vec![0_usize; n_classes];
    for &label in labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    // Of equals the first, so that the order of rows decides nothing.
    let class = (0..n_classes).rev().max_by_key(|&c| counts[c]).unwrap_or(0) as u32;
    let called = vec![class; labels.len()];
    let Ok(confusion) = ConfusionMatrix::new(labels, &called, n_classes, None) else {
        return Vec::new();
    };
    let of_share = |count: usize| {
        let share = count as f64 / labels.len() as f64;
        if share > 0.0 { -share * share.ln() } else { 0.0 }
    };
    vec![TrivialCall {
        name: "everything called the most frequent class",
        metrics: vec![
            ("macro AUROC", 0.5),
            ("macro F1", confusion.macro_f1()),
            ("balanced accuracy", confusion.balanced_accuracy()),
            ("accuracy", confusion.accuracy()),
            ("Cohen's kappa", 0.0),
            // A head that gives every row the classes' shares.
            ("log loss", counts.iter().map(|&count| of_share(count)).sum()),
        ],
    }]
}

#[cfg(test)]
mod tests {
    use super::trivial_calls;

    #[test]
    fn two_classes_have_the_levels_of_their_share() {
        // One in five is positive: 2π/(1 + π) = 1/3.
        let calls = trivial_calls(&[1, 0, 0, 0, 0], 2);
        assert!((calls[0].metric("F1") - 1.0 / 3.0).abs() < 1e-12);
        assert!((calls[0].metric("recall") - 1.0).abs() < 1e-12);
        assert_eq!((calls[1].metric("F1"), calls[1].metric("AUPRC")), (0.2, 0.2));
        assert!((calls[1].metric("Brier score") - 0.16).abs() < 1e-12);
        assert!(calls[0].metric("log loss").is_nan());
    }

    #[test]
    fn more_classes_are_called_the_most_frequent() {
        let calls = trivial_calls(&[2, 2, 0, 1], 3);
        assert_eq!(calls.len(), 1);
        assert!((calls[0].metric("accuracy") - 0.5).abs() < 1e-12);
        assert!((calls[0].metric("balanced accuracy") - 1.0 / 3.0).abs() < 1e-12);
        assert!((calls[0].metric("log loss") - 1.5 * 2.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn no_rows_have_no_level() {
        assert!(trivial_calls(&[], 2).is_empty());
    }
}
