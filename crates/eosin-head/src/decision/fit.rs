// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Fold, Probabilities, Result};
use eosin_eval::splits;

use super::{Decision, DecisionOptions, LogitAdjustment};
use crate::abstention::{Abstention, confidence};
use crate::calibrate::Calibration;
use crate::conformal::Conformal;
use crate::tune::threshold;

/// Folds in which calibration and threshold are fitted again to calibrate sets and abstention.
const CROSS_FITS: usize = 10;

impl Decision {
    /// Fits all that the options ask for on out-of-fold predictions, and the threshold on the
    /// probabilities as corrected; without options, that is
    /// [`Tuned::threshold`](crate::Tuned::threshold).
    ///
    /// Sets and abstention are calibrated on cross-fitted predictions: calibration, adjustment and
    /// threshold of a row are fitted again on the patients of other folds. Their guarantees are for
    /// new patients.
    pub fn fit(
        oof: &Probabilities,
        labels: &[u32],
        groups: &[u32],
        options: &DecisionOptions,
        seed: u64,
    ) -> Result<(Self, Option<f64>)> {
        let (mut decision, threshold) = Self::correction(oof, labels, groups, options, seed)?;
        if options.conformal_risk.is_none() && options.abstention_risk.is_none() {
            return Ok((decision, threshold));
        }
        let n_classes = oof.n_classes();
        let k = splits::feasible_folds(labels, groups, n_classes, CROSS_FITS)?;
        if k < 2 {
            return Err(Error::input(
                "guarantees for a new patient",
                "every class in tiles of at least 2 patients",
                format!("a class in {k}"),
                "give tiles of more patients, or ask for no sets and no abstention",
            ));
        }
        let folds = splits::grouped_stratified_kfold(labels, groups, n_classes, k, seed)?;
        let crossed = CrossFitted::new(oof, labels, groups, &folds, |oof, labels, groups| {
            Self::correction(oof, labels, groups, options, seed)
        })?;
        if let Some(risk) = options.conformal_risk {
            let rule = Conformal::fit(&crossed.probabilities, labels, groups, risk)?;
            decision.conformal = Some(rule);
        }
        if let Some(risk) = options.abstention_risk {
            let calls: Vec<(u32, f64)> = (0..labels.len())
                .map(|i| confidence(crossed.probabilities.row(i), crossed.thresholds[i]))
                .collect();
            let sure: Vec<f64> = calls.iter().map(|c| c.1).collect();
            let wrong: Vec<bool> = calls.iter().zip(labels).map(|(c, l)| c.0 != *l).collect();
            let rule = Abstention::fit(&sure, &wrong, groups, risk, options.certainty)?;
            decision.abstention = Some(rule);
        }
        Ok((decision, threshold))
    }

    /// Decides on the rows of every fold by what is fitted on the other folds' rows alone:
    /// calibration, adjustment, threshold and abstention, as the options ask for them.
    ///
    /// `folds` are those that the out-of-fold predictions were made in; each row is held out once.
    /// Where a class is in fewer than two patients of the other folds, abstention cannot be fitted
    /// on them and leaves the fold's rows uncalled.
    pub fn cross_fit(
        oof: &Probabilities,
        labels: &[u32],
        groups: &[u32],
        options: &DecisionOptions,
        folds: &[Fold],
        seed: u64,
    ) -> Result<CrossFitted> {
        let n_classes = oof.n_classes();
        let options = DecisionOptions { conformal_risk: None, ..*options };
        CrossFitted::new(oof, labels, groups, folds, |oof, labels, groups| {
            match options.abstention_risk {
                Some(risk) if splits::feasible_folds(labels, groups, n_classes, 2)? < 2 => {
                    let (mut decision, threshold) =
                        Self::correction(oof, labels, groups, &options, seed)?;
                    decision.abstention = Some(Abstention::calling_none(risk, options.certainty));
                    Ok((decision, threshold))
                }
                _ => Self::fit(oof, labels, groups, &options, seed),
            }
        })
    }

    /// Calibration, adjustment and threshold.
    fn correction(
        oof: &Probabilities,
        labels: &[u32],
        groups: &[u32],
        options: &DecisionOptions,
        seed: u64,
    ) -> Result<(Self, Option<f64>)> {
        let mut decision = Self {
            calibration: Calibration::fit(options.calibration, oof, labels)?,
            ..Self::default()
        };
        if options.logit_adjustment != 0.0 {
            let tau = options.logit_adjustment;
            decision.logit_adjustment = Some(LogitAdjustment::fit(oof.n_classes(), labels, tau)?);
        }
        let corrected = decision.correct(oof)?;
        let threshold = match oof.n_classes() {
            2 => threshold(&corrected, labels, groups, seed)?,
            _ => None,
        };
        Ok((decision, threshold))
    }
}

/// Rows that were decided on by what the rows of other folds gave.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossFitted {
    /// The probabilities that calls rest on.
    pub probabilities: Probabilities,
    /// The class of each row; `None` where it is left uncalled.
    pub called: Vec<Option<u32>>,
    /// The threshold that each row was called at.
    pub thresholds: Vec<Option<f64>>,
}

impl CrossFitted {
    /// `fit` decides from the rows that a fold does not hold out.
    fn new(
        oof: &Probabilities,
        labels: &[u32],
        groups: &[u32],
        folds: &[Fold],
        fit: impl Fn(&Probabilities, &[u32], &[u32]) -> Result<(Decision, Option<f64>)>,
    ) -> Result<Self> {
        let n_classes = oof.n_classes();
        let mut values = vec![0.0; oof.values().len()];
        let mut called = vec![None; labels.len()];
        let mut thresholds = vec![None; labels.len()];
        for fold in folds {
            let pick = |all: &[u32]| fold.train.iter().map(|&i| all[i]).collect::<Vec<u32>>();
            let train = select(oof, &fold.train)?;
            let (decision, threshold) = fit(&train, &pick(labels), &pick(groups))?;
            let decided = decision.apply(&select(oof, &fold.held_out)?, threshold)?;
            for (i, &row) in fold.held_out.iter().enumerate() {
                let own = decided.probabilities.row(i);
                values[row * n_classes..(row + 1) * n_classes].copy_from_slice(own);
                called[row] = decided.called[i];
                thresholds[row] = threshold;
            }
        }
        Ok(Self { probabilities: Probabilities::new(n_classes, values)?, called, thresholds })
    }
}

/// The probabilities of these rows.
pub(super) fn select(probabilities: &Probabilities, rows: &[usize]) -> Result<Probabilities> {
    let values = rows.iter().flat_map(|&row| probabilities.row(row).iter().copied()).collect();
    Probabilities::new(probabilities.n_classes(), values)
}
