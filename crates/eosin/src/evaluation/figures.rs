// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a fixed head of two classes is worth beyond its calls: how its probabilities hold, other
//! prevalences, other thresholds. Evaluations and studies show the same.

use eosin_core::{Probabilities, Result};
use eosin_eval::bootstrap::Scale;
use eosin_eval::metrics::{expected_calibration_error, perfect_ece, reliability};
use eosin_eval::prevalence::recalibrated_threshold;
use eosin_eval::{BinaryCounts, GroupBootstrap, Interval, Ranked};
use eosin_report as report;

use crate::evaluate::{ECE_BINS, Scored};
use crate::summary::RELIABILITY_BINS;

/// Draws for the calibration error of a perfect head.
const PERFECT_DRAWS: usize = 200;
/// Prevalences that are shown where nobody states one: from a screening to a referral.
const PREVALENCES: [f64; 4] = [0.001, 0.01, 0.05, 0.2];
/// Precisions at which recall is shown.
const PRECISIONS: [f64; 3] = [0.5, 0.8, 0.9];

/// How the probabilities of two classes hold: `before` calibration by `method`, and as scored.
pub(crate) fn calibration(
    before: &Probabilities,
    scored: &Scored,
    method: &str,
    seed: u64,
) -> report::CalibrationResult {
    let truths = scored.truths();
    let bins = |of: &Probabilities| -> Vec<report::ReliabilityBin> {
        reliability(&of.column(1), &truths, None, RELIABILITY_BINS)
            .iter()
            .map(|bin| report::ReliabilityBin {
                predicted: bin.predicted,
                observed: bin.observed,
                count: bin.weight as u64,
            })
            .collect()
    };
    let ece =
        |of: &Probabilities| expected_calibration_error(&of.column(1), &truths, None, ECE_BINS);
    let perfect = perfect_ece(&scored.scores(), ECE_BINS, PERFECT_DRAWS, seed);
    report::CalibrationResult {
        method: method.into(),
        before: bins(before),
        after: bins(&scored.probabilities),
        ece_before: ece(before),
        ece_after: ece(&scored.probabilities),
        ece_perfect: perfect.mean,
        ece_perfect_upper: perfect.upper,
    }
}

/// The calls at stated prevalences, or at a usual few; `assumed` is the share of positives that the
/// probabilities assume, where it is known.
pub(crate) fn at_prevalences(
    scored: &Scored,
    stated: &[f64],
    assumed: Option<f64>,
    bootstrap: &GroupBootstrap,
) -> Result<Vec<report::PrecisionAtPrevalence>> {
    if !scored.is_binary() {
        return Ok(Vec::new());
    }
    let prevalences = if stated.is_empty() { &PREVALENCES[..] } else { stated };
    let (called, truths) = (scored.called(), scored.truths());
    let called: Vec<bool> = called.iter().map(|&class| class == 1).collect();
    let intervals = bootstrap.intervals(
        &scored.groups,
        &scored.labels,
        &vec![Scale::Unit; prevalences.len()],
        |weights| {
            let counts = BinaryCounts::of(&called, &truths, Some(weights));
            prevalences.iter().map(|&p| counts.precision_at_prevalence(p)).collect()
        },
    )?;
    let counts = BinaryCounts::of(&called, &truths, None);
    let at = |(&prevalence, interval): (&f64, Interval)| {
        let (recall, specificity) = (counts.recall(), counts.specificity());
        let precision = counts.precision_at_prevalence(prevalence);
        let spared = (1.0 - prevalence) * specificity;
        report::PrecisionAtPrevalence {
            prevalence,
            stated: !stated.is_empty(),
            precision,
            interval: named("precision", &interval),
            negative_predictive_value: spared / (spared + prevalence * (1.0 - recall)),
            // Calls that find nothing are worth nothing.
            f1: if precision > 0.0 || precision.is_nan() {
                2.0 * precision * recall / (precision + recall)
            } else {
                0.0
            },
            threshold: assumed
                .zip(scored.threshold)
                .map(|(from, threshold)| recalibrated_threshold(threshold, prevalence, from)),
        }
    };
    Ok(prevalences.iter().zip(intervals).map(at).collect())
}

/// The recall at a few precisions.
pub(crate) fn at_precisions(
    scored: &Scored,
    ranked: &Ranked,
    bootstrap: &GroupBootstrap,
) -> Result<Vec<report::RecallAtPrecision>> {
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
        interval: named("recall", &interval),
        threshold: ranked.point_at_precision(precision, None).map(|point| point.threshold),
    };
    Ok(PRECISIONS.iter().zip(intervals).map(at).collect())
}

fn named(name: &str, interval: &Interval) -> report::Metric {
    report::Metric {
        name: name.into(),
        estimate: interval.estimate,
        lower: interval.lower,
        upper: interval.upper,
    }
}
