// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sets of classes that hold the true one with a stated probability.

use eosin_core::{Error, Probabilities, Result};
use serde::{Deserialize, Serialize};

/// Split conformal prediction with the score 1 − p(true class) (Vovk; Sadinle et al. 2019).
///
/// For rows that are exchangeable with the calibration rows, [`sets`](Self::sets) miss the true
/// class with probability at most `risk`. Tiles of one patient are not exchangeable with those of
/// another: calibrate with many patients, and read the risk as a mean over them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conformal {
    /// The probability of a miss that is allowed.
    pub risk: f64,
    /// Classes of at least this probability are in the set.
    pub cutoff: f64,
}

impl Conformal {
    /// Calibrates on held-out predictions, such as out-of-fold ones.
    ///
    /// With n rows and too small a risk, n < 1/risk − 1, every class is in every set.
    pub fn fit(held_out: &Probabilities, labels: &[u32], risk: f64) -> Result<Self> {
        let known = labels.iter().all(|&l| (l as usize) < held_out.n_classes());
        if labels.len() != held_out.n_rows() || labels.is_empty() || !known {
            return Err(Error::input(
                "conformal prediction",
                format!("{} known labels, one per prediction", held_out.n_rows()),
                labels.len().to_string(),
                "calibrate on held-out predictions with their labels",
            ));
        }
        if !(risk > 0.0 && risk < 1.0) {
            return Err(Error::input(
                "risk",
                "a number between 0 and 1",
                risk.to_string(),
                "0.1 allows one miss in ten",
            ));
        }
        let mut scores: Vec<f64> =
            labels.iter().enumerate().map(|(i, &l)| 1.0 - held_out.row(i)[l as usize]).collect();
        scores.sort_by(f64::total_cmp);
        // The ⌈(n + 1)(1 − risk)⌉-th smallest score; the small number forgives rounding.
        let rank = ((scores.len() + 1) as f64 * (1.0 - risk) - 1e-9).ceil() as usize;
        let cutoff = scores.get(rank.max(1) - 1).map_or(0.0, |score| 1.0 - score);
        Ok(Self { risk, cutoff })
    }

    /// The classes of every row's set, which may be none or several.
    pub fn sets(&self, probabilities: &Probabilities) -> Vec<Vec<u32>> {
        let set = |i: usize| {
            let row = probabilities.row(i).iter().zip(0..);
            // 1 − (1 − p) may be a last digit off p.
            row.filter(|(p, _)| **p >= self.cutoff - 1e-12).map(|(_, class)| class).collect()
        };
        (0..probabilities.n_rows()).map(set).collect()
    }

    /// The class of every row whose set has exactly one; `None` abstains.
    pub fn decide(&self, probabilities: &Probabilities) -> Vec<Option<u32>> {
        let alone = |set: Vec<u32>| if let [class] = set[..] { Some(class) } else { None };
        self.sets(probabilities).into_iter().map(alone).collect()
    }
}

#[cfg(test)]
mod tests;
