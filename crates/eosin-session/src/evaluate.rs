// SPDX-License-Identifier: MIT OR Apache-2.0

//! Predictions with their truth, and the metrics of them.

use eosin_core::{Fold, Probabilities, Result};
use eosin_eval::metrics::{brier, expected_calibration_error, log_loss, log_loss_multiclass};
use eosin_eval::{
    ConfusionMatrix, GroupBootstrap, Interval, PairedInterval, Ranked, Scale, trivial_calls,
};
use eosin_head::{CrossFitted, Decided, Decision, DecisionOptions};
use eosin_report::{self as report, TrivialCall};

/// Bins of equal mass for the expected calibration error.
pub const ECE_BINS: usize = 15;

const BINARY: [&str; 10] = [
    "AUROC",
    "AUPRC",
    "F1",
    "balanced accuracy",
    "MCC",
    "precision",
    "recall",
    "Brier score",
    "log loss",
    "ECE",
];
const MULTICLASS: [&str; 6] =
    ["macro AUROC", "macro F1", "balanced accuracy", "accuracy", "Cohen's kappa", "log loss"];

/// Predictions with what they should have been: all that a metric needs.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Class probabilities per row, as the model gives them.
    pub raw: Probabilities,
    /// Class probabilities per row, as the head corrects them.
    pub probabilities: Probabilities,
    /// True class index per row.
    pub labels: Vec<u32>,
    /// Group index per row.
    pub groups: Vec<u32>,
    /// Class that each row is called; none where it is left uncalled, which counts as a miss.
    pub called: Vec<Option<u32>>,
    /// Least probability of the last class at which each row is called positive, for binary tasks.
    pub thresholds: Vec<Option<f64>>,
    /// Whether rows may be left uncalled; then coverage is a metric.
    pub abstains: bool,
    /// Whether folds were corrected each by themselves. Such probabilities have no common order, so
    /// that what needs an order takes the model's own.
    pub of_folds: bool,
}

/// A metric with its interval over groups.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Estimate and interval.
    pub interval: Interval,
}

/// Metrics as a function of row weights.
type Statistics<'a> = Box<dyn Fn(&[f64]) -> Vec<f64> + Sync + 'a>;

impl Scored {
    /// Rows that a head never saw, decided on as it does.
    pub fn decided(
        (decision, threshold): (&Decision, Option<f64>),
        raw: Probabilities,
        labels: Vec<u32>,
        groups: Vec<u32>,
    ) -> Result<Self> {
        let Decided { probabilities, called, .. } = decision.apply(&raw, threshold)?;
        let thresholds = vec![threshold; called.len()];
        let (abstains, of_folds) = (decision.abstention.is_some(), false);
        Ok(Self { raw, probabilities, labels, groups, called, thresholds, abstains, of_folds })
    }

    /// Out-of-fold rows, each fold decided on by what the others gave, so that no call was chosen
    /// by the rows that it is scored on.
    pub fn cross_fitted(
        raw: Probabilities,
        labels: Vec<u32>,
        groups: Vec<u32>,
        options: &DecisionOptions,
        folds: &[Fold],
        seed: u64,
    ) -> Result<Self> {
        let CrossFitted { probabilities, called, thresholds } =
            Decision::cross_fit(&raw, &labels, &groups, options, folds, seed)?;
        let (abstains, of_folds) = (options.abstention_risk.is_some(), true);
        Ok(Self { raw, probabilities, labels, groups, called, thresholds, abstains, of_folds })
    }

    /// Whether the task has two classes, the last being the positive one.
    pub fn is_binary(&self) -> bool {
        self.probabilities.n_classes() == 2
    }

    /// The rows at these positions alone.
    pub fn select(&self, positions: &[usize]) -> Result<Self> {
        let rows = |of: &Probabilities| {
            let values = positions.iter().flat_map(|&i| of.row(i).iter().copied());
            Probabilities::new(of.n_classes(), values.collect())
        };
        Ok(Self {
            raw: rows(&self.raw)?,
            probabilities: rows(&self.probabilities)?,
            labels: positions.iter().map(|&i| self.labels[i]).collect(),
            groups: positions.iter().map(|&i| self.groups[i]).collect(),
            called: positions.iter().map(|&i| self.called[i]).collect(),
            thresholds: positions.iter().map(|&i| self.thresholds[i]).collect(),
            abstains: self.abstains,
            of_folds: self.of_folds,
        })
    }

    /// The metric that gains are about: the F1 of calls, which thresholds and weights change too.
    pub fn main_metric(&self) -> &'static str {
        self.names()[self.main_at()]
    }

    /// Where among the metrics the main one stands.
    pub fn main_at(&self) -> usize {
        if self.is_binary() { 2 } else { 1 }
    }

    /// What calls that look at no tile score on these rows.
    pub fn trivial(&self) -> Vec<TrivialCall> {
        let n_classes = self.probabilities.n_classes();
        let undefined = f64::NAN;
        let row = |call: &eosin_eval::TrivialCall| TrivialCall {
            name: call.name.to_string(),
            metrics: self
                .names()
                .iter()
                .map(|&name| report::Metric {
                    name: name.to_string(),
                    estimate: call.metric(name),
                    lower: undefined,
                    upper: undefined,
                })
                .collect(),
        };
        trivial_calls(&self.labels, n_classes).iter().map(row).collect()
    }

    /// Probability of the last class per row.
    pub fn scores(&self) -> Vec<f64> {
        self.probabilities.column(self.probabilities.n_classes() - 1)
    }

    /// Whether each row is of the last class.
    pub fn truths(&self) -> Vec<bool> {
        let last = self.probabilities.n_classes() as u32 - 1;
        self.labels.iter().map(|&l| l == last).collect()
    }

    /// Counts by true and called class, with the rows left uncalled.
    pub fn confusion(&self) -> Result<ConfusionMatrix> {
        self.weighted_confusion(None)
    }

    pub(crate) fn weighted_confusion(&self, weights: Option<&[f64]>) -> Result<ConfusionMatrix> {
        let n_classes = self.probabilities.n_classes();
        ConfusionMatrix::with_uncalled(&self.labels, &self.called, n_classes, weights)
    }

    /// Every metric with its interval over groups.
    pub fn metrics(&self, bootstrap: &GroupBootstrap) -> Result<Vec<Metric>> {
        let statistics = self.statistics()?;
        let scales: Vec<Scale> = self.names().iter().map(|name| scale(name)).collect();
        let intervals = bootstrap
            .intervals(&self.groups, &self.labels, &scales, |weights| statistics(weights))?;
        Ok(self
            .names()
            .iter()
            .zip(intervals)
            .map(|(&name, interval)| Metric { name, interval })
            .collect())
    }

    /// The main metric of `other` minus that of `self`, on the same rows and resamples.
    pub fn gain(&self, other: &Self, bootstrap: &GroupBootstrap) -> Result<PairedInterval> {
        let (ours, theirs) = (self.statistics()?, other.statistics()?);
        let at = self.main_at();
        bootstrap.paired(&self.groups, &self.labels, |w| ours(w)[at], |w| theirs(w)[at])
    }

    /// Metrics that need no call lead; coverage stands beside the first that needs calls.
    fn names(&self) -> Vec<&'static str> {
        let mut names = if self.is_binary() { BINARY.to_vec() } else { MULTICLASS.to_vec() };
        if self.abstains {
            names.insert(self.main_at() + 1, "coverage");
        }
        names
    }

    /// All metrics in the order of `names`, as a function of row weights.
    fn statistics(&self) -> Result<Statistics<'_>> {
        let (scores, truths) = (self.scores(), self.truths());
        let ranked =
            if self.is_binary() { vec![self.ranked()?] } else { self.each_against_the_rest()? };
        let n_metrics = self.names().len();
        Ok(Box::new(move |weights| {
            let Ok(confusion) = self.weighted_confusion(Some(weights)) else {
                return vec![f64::NAN; n_metrics];
            };
            let mut values = match &ranked[..] {
                [ranked] => vec![
                    ranked.auroc(Some(weights)),
                    ranked.auprc(Some(weights)),
                    confusion.f1(1),
                    confusion.balanced_accuracy(),
                    confusion.mcc(),
                    confusion.precision(1),
                    confusion.recall(1),
                    brier(&scores, &truths, Some(weights)),
                    log_loss(&scores, &truths, Some(weights)),
                    expected_calibration_error(&scores, &truths, Some(weights), ECE_BINS),
                ],
                classes => vec![
                    mean_auroc(classes, weights),
                    confusion.macro_f1(),
                    confusion.balanced_accuracy(),
                    confusion.accuracy(),
                    confusion.cohen_kappa(),
                    log_loss_multiclass(&self.probabilities, &self.labels, Some(weights)),
                ],
            };
            if self.abstains {
                values.insert(self.main_at() + 1, confusion.coverage());
            }
            values
        }))
    }

    /// Probabilities that rows can be put in order by.
    fn ordered(&self) -> &Probabilities {
        if self.of_folds { &self.raw } else { &self.probabilities }
    }

    /// The rows of two classes in their order.
    pub fn ranked(&self) -> Result<Ranked> {
        Ranked::new(&self.ordered().column(1), &self.truths())
    }

    /// The scores of each class, to rank its rows among all.
    fn each_against_the_rest(&self) -> Result<Vec<Ranked>> {
        let of_class = |class: usize| {
            let truths: Vec<bool> = self.labels.iter().map(|&l| l as usize == class).collect();
            Ranked::new(&self.ordered().column(class), &truths)
        };
        (0..self.probabilities.n_classes()).map(of_class).collect()
    }
}

/// The mean AUROC of each class against the rest, over classes that have rows; NaN where none has.
fn mean_auroc(classes: &[Ranked], weights: &[f64]) -> f64 {
    let known: Vec<f64> = classes
        .iter()
        .map(|ranked| ranked.auroc(Some(weights)))
        .filter(|area| area.is_finite())
        .collect();
    known.iter().sum::<f64>() / known.len() as f64
}

/// The range of a metric, for its interval.
fn scale(metric: &str) -> Scale {
    match metric {
        "MCC" | "Cohen's kappa" => Scale::Signed,
        "log loss" => Scale::Positive,
        _ => Scale::Unit,
    }
}
