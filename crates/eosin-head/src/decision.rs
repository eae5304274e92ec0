// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a head's probabilities to calls: calibration, logit adjustment, threshold, sets, abstention.

#[cfg(feature = "fit")]
mod fit;

use eosin_core::{Error, Probabilities, Result};
use serde::{Deserialize, Serialize};

use crate::abstention::{Abstention, confidence};
use crate::calibrate::{Calibration, CalibrationMethod};
use crate::conformal::Conformal;
#[cfg(feature = "fit")]
pub use fit::CrossFitted;

/// What to fit on out-of-fold predictions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionOptions {
    /// How probabilities are corrected.
    pub calibration: CalibrationMethod,
    /// The exponent τ by which class shares are divided out; 0 leaves them in, 1 makes classes
    /// equally likely before a tile is seen (logit adjustment, Menon et al. 2021).
    pub logit_adjustment: f64,
    /// Give sets of classes that, for tiles of a new patient, miss the true one at most so often.
    pub conformal_risk: Option<f64>,
    /// Leave rows uncalled so that those called of new patients are wrong at most so often.
    pub abstention_risk: Option<f64>,
    /// The probability with which `abstention_risk` is kept.
    pub certainty: f64,
}

/// How a head's probabilities become calls; saved with the head.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decision {
    /// The correction, which comes first.
    pub calibration: Option<Calibration>,
    /// The adjustment for class shares, which comes second.
    pub logit_adjustment: Option<LogitAdjustment>,
    /// Sets of classes, from the probabilities so corrected.
    pub conformal: Option<Conformal>,
    /// Which rows to leave uncalled.
    pub abstention: Option<Abstention>,
}

/// p_k / share_k^τ, scaled to sum to 1 (Menon et al. 2021).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogitAdjustment {
    /// The exponent τ.
    pub tau: f64,
    /// Each class's share of the training rows.
    pub shares: Vec<f64>,
}

/// What [`Decision::apply`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The probabilities that calls rest on.
    pub probabilities: Probabilities,
    /// Each row's class; `None` where it is left uncalled.
    pub called: Vec<Option<u32>>,
    /// Each row's set of classes, where sets were asked for.
    pub sets: Option<Vec<Vec<u32>>>,
}

impl Default for DecisionOptions {
    fn default() -> Self {
        Self {
            calibration: CalibrationMethod::None,
            logit_adjustment: 0.0,
            conformal_risk: None,
            abstention_risk: None,
            certainty: 0.95,
        }
    }
}

impl Decision {
    /// Decides on a head's probabilities; for two classes, the second is called at `threshold`.
    pub fn apply(&self, raw: &Probabilities, threshold: Option<f64>) -> Result<Decided> {
        let probabilities = self.correct(raw)?;
        let call = |i: usize| {
            let (class, sure) = confidence(probabilities.row(i), threshold);
            self.abstention.is_none_or(|rule| sure >= rule.cutoff).then_some(class)
        };
        let called = (0..probabilities.n_rows()).map(call).collect();
        let sets = self.conformal.as_ref().map(|conformal| conformal.sets(&probabilities));
        Ok(Decided { probabilities, called, sets })
    }

    /// Probabilities after calibration and logit adjustment.
    pub fn correct(&self, raw: &Probabilities) -> Result<Probabilities> {
        let calibrated = match &self.calibration {
            Some(calibration) => calibration.apply(raw)?,
            None => raw.clone(),
        };
        match &self.logit_adjustment {
            Some(adjustment) => adjustment.apply(&calibrated),
            None => Ok(calibrated),
        }
    }

    /// Refuses what no fit can give, as a damaged file may hold it.
    pub(crate) fn check(&self, n_classes: usize) -> Result<()> {
        if let Some(calibration) = &self.calibration {
            calibration.check()?;
        }
        if let Some(conformal) = &self.conformal
            && conformal.classes.len() != n_classes
        {
            return Err(Error::input(
                "conformal sets",
                format!("a cutoff for each of {n_classes} classes"),
                conformal.classes.len().to_string(),
                "train the head again",
            ));
        }
        match &self.logit_adjustment {
            Some(adjustment) if adjustment.shares.len() != n_classes => {
                Err(adjustment.mismatch(n_classes))
            }
            _ => Ok(()),
        }
    }
}

impl LogitAdjustment {
    /// Takes the shares from labels; a class without rows counts as half a row.
    pub fn fit(n_classes: usize, labels: &[u32], tau: f64) -> Result<Self> {
        if !tau.is_finite() {
            return Err(Error::input(
                "logit_adjustment",
                "a finite number",
                tau.to_string(),
                "1 makes all classes equally likely beforehand",
            ));
        }
        let rows = |k: usize| labels.iter().filter(|&&l| l as usize == k).count() as f64;
        let n = labels.len().max(1) as f64;
        Ok(Self { tau, shares: (0..n_classes).map(|k| rows(k).max(0.5) / n).collect() })
    }

    /// Adjusted probabilities.
    pub fn apply(&self, probabilities: &Probabilities) -> Result<Probabilities> {
        let n_classes = probabilities.n_classes();
        if self.shares.len() != n_classes {
            return Err(self.mismatch(n_classes));
        }
        let mut values = probabilities.values().to_vec();
        for row in values.chunks_exact_mut(n_classes) {
            for (p, share) in row.iter_mut().zip(&self.shares) {
                *p /= share.powf(self.tau);
            }
            let total: f64 = row.iter().sum();
            for p in row {
                *p /= total;
            }
        }
        Probabilities::new(n_classes, values)
    }

    fn mismatch(&self, n_classes: usize) -> Error {
        Error::input(
            "logit adjustment",
            format!("{n_classes} shares, one per class"),
            self.shares.len().to_string(),
            "the head is damaged; train it again",
        )
    }
}

#[cfg(all(test, feature = "fit"))]
mod tests;
