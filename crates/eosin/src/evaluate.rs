// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Probabilities, Result};
use eosin_eval::metrics::{brier, expected_calibration_error, log_loss, log_loss_multiclass};
use eosin_eval::{
    BinaryCounts, ConfusionMatrix, GroupBootstrap, Interval, PairedInterval, Ranked, Scale,
    trivial_calls,
};
use eosin_report::{self as report, TrivialCall};

/// Bins of equal mass for the expected calibration error.
pub const ECE_BINS: usize = 15;

/// Predictions with what they should have been: all that a metric needs.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Class probabilities per row.
    pub probabilities: Probabilities,
    /// True class index per row.
    pub labels: Vec<u32>,
    /// Group index per row.
    pub groups: Vec<u32>,
    /// Least probability of the last class that is called positive, for binary tasks.
    pub threshold: Option<f64>,
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
    /// Whether the task has two classes, the last being the positive one.
    pub fn is_binary(&self) -> bool {
        self.probabilities.n_classes() == 2
    }

    /// The rows at these positions alone.
    pub fn select(&self, positions: &[usize]) -> Result<Self> {
        let values = positions.iter().flat_map(|&i| self.probabilities.row(i).iter().copied());
        Ok(Self {
            probabilities: Probabilities::new(self.probabilities.n_classes(), values.collect())?,
            labels: positions.iter().map(|&i| self.labels[i]).collect(),
            groups: positions.iter().map(|&i| self.groups[i]).collect(),
            threshold: self.threshold,
        })
    }

    /// The metric that gains are about: the F1 of calls, which thresholds and weights change too.
    pub fn main_metric(&self) -> &'static str {
        self.names()[self.main_at()]
    }

    fn main_at(&self) -> usize {
        if self.is_binary() { 2 } else { 0 }
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

    /// Class that each row is called.
    pub fn called(&self) -> Vec<u32> {
        match self.threshold {
            Some(threshold) if self.is_binary() => {
                self.scores().iter().map(|&s| u32::from(s >= threshold)).collect()
            }
            _ => self.probabilities.argmax(),
        }
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

    /// Counts by true and called class.
    pub fn confusion(&self) -> Result<ConfusionMatrix> {
        ConfusionMatrix::new(&self.labels, &self.called(), self.probabilities.n_classes(), None)
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

    fn names(&self) -> &'static [&'static str] {
        if self.is_binary() {
            &[
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
            ]
        } else {
            &["macro F1", "balanced accuracy", "accuracy", "Cohen's kappa", "log loss"]
        }
    }

    /// All metrics in the order of `names`, as a function of row weights.
    fn statistics(&self) -> Result<Statistics<'_>> {
        let called = self.called();
        if !self.is_binary() {
            let n_classes = self.probabilities.n_classes();
            return Ok(Box::new(move |weights| {
                let Ok(confusion) =
                    ConfusionMatrix::new(&self.labels, &called, n_classes, Some(weights))
                else {
                    return vec![f64::NAN; 5];
                };
                vec![
                    confusion.macro_f1(),
                    confusion.balanced_accuracy(),
                    confusion.accuracy(),
                    confusion.cohen_kappa(),
                    log_loss_multiclass(&self.probabilities, &self.labels, Some(weights)),
                ]
            }));
        }
        let (scores, truths) = (self.scores(), self.truths());
        let called: Vec<bool> = called.iter().map(|&c| c == 1).collect();
        let ranked = Ranked::new(&scores, &truths)?;
        Ok(Box::new(move |weights| {
            let counts = BinaryCounts::of(&called, &truths, Some(weights));
            vec![
                ranked.auroc(Some(weights)),
                ranked.auprc(Some(weights)),
                counts.f1(),
                counts.balanced_accuracy(),
                counts.mcc(),
                counts.precision(),
                counts.recall(),
                brier(&scores, &truths, Some(weights)),
                log_loss(&scores, &truths, Some(weights)),
                expected_calibration_error(&scores, &truths, Some(weights), ECE_BINS),
            ]
        }))
    }
}

/// The range of a metric, for its interval.
fn scale(metric: &str) -> Scale {
    match metric {
        "MCC" | "Cohen's kappa" => Scale::Signed,
        "log loss" => Scale::Positive,
        _ => Scale::Unit,
    }
}
