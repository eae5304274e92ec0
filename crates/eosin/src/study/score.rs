// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Fold, Probabilities, Result};
use eosin_eval::hypothesis::corrected_resampled_t;
use eosin_eval::{ConfusionMatrix, GroupBootstrap, PairedInterval, Ranked, Scale};
use eosin_report::{Metric, StudyGain};

use super::unit::{Fitted, called};

/// True classes and groups of all rows of a set, by row number.
pub struct Truth<'a> {
    pub labels: &'a [u32],
    pub groups: &'a [u32],
    pub n_classes: usize,
}

/// An arm's predictions on the same rows in every round of folds.
pub struct Scores {
    /// Row numbers, ascending.
    rows: Vec<usize>,
    labels: Vec<u32>,
    groups: Vec<u32>,
    n_classes: usize,
    rounds: Vec<Round>,
    /// The main metric in each fold of each round.
    by_fold: Vec<f64>,
}

struct Round {
    called: Vec<u32>,
    /// Probability of class 1 in ranked form, for two classes.
    ranked: Option<Ranked>,
}

impl Scores {
    /// Takes the units of an arm, those of a round together.
    pub fn new(rounds: &[Vec<&Fitted>], truth: &Truth) -> Result<Self> {
        let mut rows: Vec<usize> = rounds
            .first()
            .into_iter()
            .flatten()
            .flat_map(|unit| unit.rows.iter().copied())
            .collect();
        rows.sort_unstable();
        let place: BTreeMap<usize, usize> = rows.iter().enumerate().map(|(i, &r)| (r, i)).collect();
        let labels: Vec<u32> = rows.iter().map(|&r| truth.labels[r]).collect();
        let groups = rows.iter().map(|&r| truth.groups[r]).collect();
        let mut by_fold = Vec::new();
        let mut made = Vec::new();
        for units in rounds {
            let mut calls = vec![0; rows.len()];
            let mut positive = vec![0.0; rows.len()];
            for unit in units {
                let probabilities =
                    Probabilities::new(truth.n_classes, unit.probabilities.clone())?;
                let unit_calls = called(&probabilities, unit.threshold);
                let unit_labels: Vec<u32> = unit.rows.iter().map(|&r| truth.labels[r]).collect();
                by_fold.push(main_metric(&unit_labels, &unit_calls, truth.n_classes, None)?);
                for (i, row) in unit.rows.iter().enumerate() {
                    let at = place[row];
                    calls[at] = unit_calls[i];
                    positive[at] = probabilities.row(i)[truth.n_classes - 1];
                }
            }
            let ranked = if truth.n_classes == 2 {
                let truths: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
                Some(Ranked::new(&positive, &truths)?)
            } else {
                None
            };
            made.push(Round { called: calls, ranked });
        }
        Ok(Self { rows, labels, groups, n_classes: truth.n_classes, rounds: made, by_fold })
    }

    /// Name of the metric that arms are compared by.
    pub fn main_name(n_classes: usize) -> &'static str {
        names(n_classes)[0]
    }

    /// Every metric, the mean over rounds, with its interval over groups.
    pub fn metrics(&self, bootstrap: &GroupBootstrap) -> Result<Vec<Metric>> {
        let scales = names(self.n_classes)
            .map(|name| if name == "Cohen's kappa" { Scale::Signed } else { Scale::Unit });
        let found =
            bootstrap.intervals(&self.groups, &self.labels, &scales, |w| self.statistics(w))?;
        Ok(names(self.n_classes)
            .iter()
            .zip(found)
            .map(|(name, i)| Metric {
                name: (*name).to_string(),
                estimate: i.estimate,
                lower: i.lower,
                upper: i.upper,
            })
            .collect())
    }

    /// The main metric of `other` minus this one's, paired by rows and by folds.
    pub fn gain(
        &self,
        other: &Self,
        change: &str,
        bootstrap: &GroupBootstrap,
        test_train_ratio: Option<f64>,
    ) -> Result<StudyGain> {
        let PairedInterval { first, difference, .. } =
            bootstrap.paired(&self.groups, &self.labels, |w| self.main(w), |w| other.main(w))?;
        let differences: Vec<f64> = self
            .by_fold
            .iter()
            .zip(&other.by_fold)
            .map(|(a, b)| b - a)
            .filter(|d| d.is_finite())
            .collect();
        let p = match test_train_ratio {
            Some(ratio) if differences.len() > 1 => corrected_resampled_t(&differences, ratio)?.p,
            _ => f64::NAN,
        };
        Ok(StudyGain {
            change: change.to_string(),
            absolute: Metric {
                name: Self::main_name(self.n_classes).to_string(),
                estimate: difference.estimate,
                lower: difference.lower,
                upper: difference.upper,
            },
            relative: difference.estimate / first.estimate,
            p,
            p_holm: p,
        })
    }

    /// Whether both were scored on the same rows.
    pub fn same_rows(&self, other: &Self) -> bool {
        self.rows == other.rows && self.rounds.len() == other.rounds.len()
    }

    fn main(&self, weights: &[f64]) -> f64 {
        let of = |round: &Round| {
            main_metric(&self.labels, &round.called, self.n_classes, Some(weights))
                .unwrap_or(f64::NAN)
        };
        self.rounds.iter().map(of).sum::<f64>() / self.rounds.len() as f64
    }

    fn statistics(&self, weights: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; names(self.n_classes).len()];
        for round in &self.rounds {
            let found =
                ConfusionMatrix::new(&self.labels, &round.called, self.n_classes, Some(weights));
            let Ok(confusion) = found else { return vec![f64::NAN; sums.len()] };
            let values = match &round.ranked {
                Some(ranked) => [
                    confusion.f1(1),
                    ranked.auroc(Some(weights)),
                    ranked.auprc(Some(weights)),
                    confusion.balanced_accuracy(),
                ],
                None => [
                    confusion.macro_f1(),
                    confusion.balanced_accuracy(),
                    confusion.accuracy(),
                    confusion.cohen_kappa(),
                ],
            };
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value;
            }
        }
        sums.iter().map(|s| s / self.rounds.len() as f64).collect()
    }
}

/// n_te/n_tr counted in groups, for the corrected t-test.
pub fn ratio_of(folds: &[Fold], groups: &[u32]) -> f64 {
    let count = |rows: &[usize]| {
        let mut of: Vec<u32> = rows.iter().map(|&r| groups[r]).collect();
        of.sort_unstable();
        of.dedup();
        of.len() as f64
    };
    let (mut held_out, mut train) = (0.0, 0.0);
    for fold in folds {
        held_out += count(&fold.held_out);
        train += count(&fold.train);
    }
    held_out / train
}

fn names(n_classes: usize) -> [&'static str; 4] {
    if n_classes == 2 {
        ["F1", "AUROC", "AUPRC", "balanced accuracy"]
    } else {
        ["macro F1", "balanced accuracy", "accuracy", "Cohen's kappa"]
    }
}

fn main_metric(
    labels: &[u32],
    called: &[u32],
    n_classes: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    let confusion = ConfusionMatrix::new(labels, called, n_classes, weights)?;
    Ok(if n_classes == 2 { confusion.f1(1) } else { confusion.macro_f1() })
}
