// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands beside the metrics of a head, whoever shows them: how its probabilities hold, what
//! its calls are worth at other prevalences and at fixed precision, and what it leaves uncalled.

use eosin_core::Result;
use eosin_eval::metrics::{
    brier, expected_calibration_error, log_loss, perfect_ece, precision_at_prevalence, reliability,
};
use eosin_eval::prevalence::recalibrated_threshold;
use eosin_eval::{GroupBootstrap, Interval, Scale};
use eosin_head::{Calibration, Decision, HeadFile};
use eosin_report as report;

use crate::evaluate::{ECE_BINS, Metric, Scored};
use crate::prevalence::assumed_shares;

/// Bins of the reliability plot.
const RELIABILITY_BINS: usize = 10;
/// Draws for the calibration error of a perfect head.
const PERFECT_DRAWS: usize = 200;
/// Prevalences that are shown where nobody states one: from a screening to a referral.
const PREVALENCES: [f64; 4] = [0.001, 0.01, 0.05, 0.2];
/// Precisions at which recall is shown.
const PRECISIONS: [f64; 3] = [0.5, 0.8, 0.9];

/// What stands beside the metrics; of more than two classes abstention alone.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How probabilities hold, before and after the head's correction.
    pub calibration: Option<report::CalibrationResult>,
    /// What the calls are worth at stated prevalences, or at a usual few.
    pub precision_at_prevalence: Vec<report::PrecisionAtPrevalence>,
    /// The largest recall at fixed precisions.
    pub recall_at_precision: Vec<report::RecallAtPrecision>,
    /// What is left uncalled, where it may be.
    pub abstention: Option<report::AbstentionResult>,
}

impl Figures {
    /// Those of a head on rows that it never saw, or that its folds held out.
    pub fn of(
        scored: &Scored,
        file: &HeadFile,
        stated: &[f64],
        bootstrap: &GroupBootstrap,
    ) -> Result<Self> {
        let abstention = abstention(scored);
        if !scored.is_binary() {
            return Ok(Self { abstention, ..Self::default() });
        }
        let assumed = assumed_shares(file).map(|shares| shares[1]);
        let own = (assumed, file.threshold);
        Ok(Self {
            calibration: Some(calibration(scored, method(&file.decision), bootstrap.seed)),
            precision_at_prevalence: at_prevalences(scored, stated, own, bootstrap)?,
            recall_at_precision: at_precisions(scored, bootstrap)?,
            abstention,
        })
    }

    /// Each figure by the name that a head's card gives it.
    pub fn named(&self) -> Vec<(String, f64)> {
        let mut named = Vec::new();
        if let Some(c) = &self.calibration {
            named.extend(
                [
                    ("Brier score before calibration", c.brier_before),
                    ("log loss before calibration", c.log_loss_before),
                    ("ECE before calibration", c.ece_before),
                    ("ECE of a perfect head", c.ece_perfect),
                ]
                .map(|(name, value)| (name.to_string(), value)),
            );
        }
        named.extend(
            self.precision_at_prevalence.iter().map(|at| {
                (format!("precision at a prevalence of {}", at.prevalence), at.precision)
            }),
        );
        named.extend(
            self.recall_at_precision
                .iter()
                .map(|at| (format!("recall at a precision of {}", at.precision), at.recall)),
        );
        named.extend(self.abstention.iter().map(|a| ("wrong among calls".to_string(), a.wrong)));
        named
    }
}

/// As a report has it.
pub fn metric(metric: crate::evaluate::Metric) -> report::Metric {
    report::Metric {
        name: metric.name.to_string(),
        estimate: metric.interval.estimate,
        lower: metric.interval.lower,
        upper: metric.interval.upper,
    }
}

/// What a head corrects its probabilities by.
fn method(decision: &Decision) -> &'static str {
    match (&decision.calibration, &decision.logit_adjustment) {
        (None, None) => "none, so that before and after are the same",
        (None, Some(_)) => "none; class shares are divided out",
        (Some(Calibration::Temperature { .. }), _) => "a temperature",
        (Some(Calibration::Platt { .. }), _) => "Platt's line",
        (Some(Calibration::Isotonic { .. }), _) => "isotonic regression",
    }
}

/// How the probabilities of two classes hold, as the model gives them and as `method` corrects them.
pub fn calibration(scored: &Scored, method: &str, seed: u64) -> report::CalibrationResult {
    let truths = scored.truths();
    let (before, after) = (scored.raw.column(1), scored.scores());
    let bins = |of: &[f64]| reliability_bins(of, &truths);
    let ece = |of: &[f64]| expected_calibration_error(of, &truths, None, ECE_BINS);
    let perfect = perfect_ece(&after, ECE_BINS, PERFECT_DRAWS, seed);
    report::CalibrationResult {
        method: method.into(),
        before: bins(&before),
        after: bins(&after),
        ece_before: ece(&before),
        ece_after: ece(&after),
        ece_perfect: perfect.mean,
        ece_perfect_upper: perfect.upper,
        brier_before: brier(&before, &truths, None),
        brier_after: brier(&after, &truths, None),
        log_loss_before: log_loss(&before, &truths, None),
        log_loss_after: log_loss(&after, &truths, None),
    }
}

/// Predicted against observed probabilities.
pub fn reliability_bins(scores: &[f64], truths: &[bool]) -> Vec<report::ReliabilityBin> {
    reliability(scores, truths, None, RELIABILITY_BINS)
        .iter()
        .map(|bin| report::ReliabilityBin {
            predicted: bin.predicted,
            observed: bin.observed,
            count: bin.weight as u64,
        })
        .collect()
}

/// The calls at stated prevalences, or at a usual few. Rows left uncalled are called neither.
///
/// `assumed` is the share of positives that the probabilities assume, where it is known, and
/// `threshold` the head's own.
pub fn at_prevalences(
    scored: &Scored,
    stated: &[f64],
    (assumed, threshold): (Option<f64>, Option<f64>),
    bootstrap: &GroupBootstrap,
) -> Result<Vec<report::PrecisionAtPrevalence>> {
    let prevalences = if stated.is_empty() { &PREVALENCES[..] } else { stated };
    let intervals = bootstrap.intervals(
        &scored.groups,
        &scored.labels,
        &vec![Scale::Unit; prevalences.len()],
        |weights| {
            let Ok(confusion) = scored.weighted_confusion(Some(weights)) else {
                return vec![f64::NAN; prevalences.len()];
            };
            let (found, false_alarms) = (confusion.share(1, 1), confusion.share(0, 1));
            prevalences.iter().map(|&p| precision_at_prevalence(found, false_alarms, p)).collect()
        },
    )?;
    let confusion = scored.confusion()?;
    let (recall, false_alarms) = (confusion.share(1, 1), confusion.share(0, 1));
    let at = |(&prevalence, interval): (&f64, Interval)| {
        let precision = precision_at_prevalence(recall, false_alarms, prevalence);
        report::PrecisionAtPrevalence {
            prevalence,
            stated: !stated.is_empty(),
            precision,
            interval: metric(Metric { name: "precision", interval }),
            negative_predictive_value: precision_at_prevalence(
                confusion.share(0, 0),
                confusion.share(1, 0),
                1.0 - prevalence,
            ),
            // Calls that find nothing are worth nothing.
            f1: if precision > 0.0 || precision.is_nan() {
                2.0 * precision * recall / (precision + recall)
            } else {
                0.0
            },
            threshold: assumed
                .zip(threshold)
                .map(|(from, threshold)| recalibrated_threshold(threshold, prevalence, from)),
        }
    };
    Ok(prevalences.iter().zip(intervals).map(at).collect())
}

/// The recall at a few precisions.
pub fn at_precisions(
    scored: &Scored,
    bootstrap: &GroupBootstrap,
) -> Result<Vec<report::RecallAtPrecision>> {
    let ranked = scored.ranked()?;
    let intervals = bootstrap.intervals(
        &scored.groups,
        &scored.labels,
        &[Scale::Unit; PRECISIONS.len()],
        |weights| {
            PRECISIONS.iter().map(|&p| ranked.recall_at_precision(p, Some(weights))).collect()
        },
    )?;
    let at = |(&precision, interval): (&f64, Interval)| report::RecallAtPrecision {
        precision,
        recall: ranked.recall_at_precision(precision, None),
        interval: metric(Metric { name: "recall", interval }),
        threshold: ranked
            .point_at_precision(precision, None)
            .map(|point| point.threshold)
            .filter(|_| !scored.of_folds),
    };
    Ok(PRECISIONS.iter().zip(intervals).map(at).collect())
}

/// What is left uncalled, where it may be.
fn abstention(scored: &Scored) -> Option<report::AbstentionResult> {
    if !scored.abstains {
        return None;
    }
    let calls = scored.called.iter().zip(&scored.labels);
    let called: Vec<(u32, u32)> = calls.filter_map(|(c, &l)| Some(((*c)?, l))).collect();
    let wrong = called.iter().filter(|(call, label)| call != label).count();
    let n_rows = scored.labels.len();
    Some(report::AbstentionResult {
        n_uncalled: (n_rows - called.len()) as u64,
        coverage: called.len() as f64 / n_rows as f64,
        wrong: wrong as f64 / called.len() as f64,
    })
}
