// SPDX-License-Identifier: MIT OR Apache-2.0

//! Leaving doubtful rows uncalled, so that for new patients those called are wrong at most at a
//! stated rate.

use std::collections::BTreeMap;

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Shares of a patient's rows that the cutoffs looked at call, on average over patients, with the
/// share of the doubt that each look takes (Learn then Test, Angelopoulos et al. 2021). Stricter
/// cutoffs call less, so that they say less of each patient, and are looked at with less hope.
const LOOKS: [(f64, f64); 4] = [(1.0, 0.4), (0.8, 0.3), (0.6, 0.2), (0.4, 0.1)];
/// Bets against the risk being broken, as shares of the largest that cannot lose all, and how the
/// stake is split among them. The largest wins most where no call is wrong.
const BETS: [(f64, f64); 3] = [(0.95, 0.5), (0.6, 0.25), (0.3, 0.25)];

/// A cutoff on confidence above which calls are wrong at most at rate `risk`, with probability
/// `certainty` over the patients that it was fitted on.
///
/// The rate is over new patients, each counting the same: the mean share of a patient's rows that
/// are called wrong, over the mean share that are called. It is bounded over patients, by betting
/// (Waudby-Smith & Ramdas 2023, with a fixed mixture of bets): nothing is assumed of how rows of a
/// patient depend on each other, nor of how wrong a patient can be. That has its price: below
/// `needed` patients not even a head without an error can be told to keep the risk, and no row is
/// called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abstention {
    /// The rate of errors among calls that is allowed.
    pub risk: f64,
    /// The probability with which it is kept.
    pub certainty: f64,
    /// Rows of at least this confidence are called; above 1, none is.
    pub cutoff: f64,
    /// Share of a patient's rows that are called, the mean over those it was fitted on.
    pub coverage: f64,
    /// Patients that it was fitted on; 0 where an older release counted rows.
    #[serde(default)]
    pub patients: usize,
}

impl Abstention {
    /// Finds the cutoff that calls most rows among those whose bound holds, on cross-fitted calls:
    /// those of heads, calibrations and thresholds that did not see the row's patient.
    ///
    /// `sure` is the [`confidence`] of each row and `wrong` whether its call is. Where no cutoff's
    /// bound holds, no row is called.
    pub fn fit(
        sure: &[f64],
        wrong: &[bool],
        groups: &[u32],
        risk: f64,
        certainty: f64,
    ) -> Result<Self> {
        let n = sure.len();
        if wrong.len() != n || groups.len() != n || n == 0 {
            return Err(Error::input(
                "abstention",
                format!("{n} calls and groups, one per row, and at least one"),
                format!("{} and {}", wrong.len(), groups.len()),
                "fit on held-out predictions with their labels and patients",
            ));
        }
        for (name, value) in [("abstention risk", risk), ("certainty", certainty)] {
            if !(value > 0.0 && value < 1.0) {
                return Err(Error::input(
                    name,
                    "a number between 0 and 1",
                    value.to_string(),
                    "a risk of 0.05 at a certainty of 0.95 allows one wrong call in twenty",
                ));
            }
        }
        let mut of_patient: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (row, &group) in groups.iter().enumerate() {
            of_patient.entry(group).or_default().push(row);
        }
        let patients: Vec<Vec<usize>> = of_patient.into_values().collect();
        for (called, doubt) in LOOKS {
            let cutoff = cutoff_that_calls(called, sure, &patients);
            let shares: Vec<(f64, f64)> = patients
                .iter()
                .map(|rows| {
                    let calls = rows.iter().filter(|&&row| sure[row] >= cutoff);
                    let errors = calls.clone().filter(|&&row| wrong[row]).count();
                    let size = rows.len() as f64;
                    (calls.count() as f64 / size, errors as f64 / size)
                })
                .collect();
            let excess = shares.iter().map(|(called, wrong)| wrong - risk * called);
            if log_winnings(excess, risk) >= -(doubt * (1.0 - certainty)).ln() {
                let coverage = shares.iter().map(|s| s.0).sum::<f64>() / shares.len() as f64;
                return Ok(Self { risk, certainty, cutoff, coverage, patients: patients.len() });
            }
        }
        Ok(Self { patients: patients.len(), ..Self::calling_none(risk, certainty) })
    }

    /// The rule that calls no row.
    pub(crate) fn calling_none(risk: f64, certainty: f64) -> Self {
        Self { risk, certainty, cutoff: f64::MAX, coverage: 0.0, patients: 0 }
    }

    /// Patients below which no guarantee can be given at this risk and certainty, not even where
    /// no call is wrong.
    pub fn needed(&self) -> usize {
        let goal = -(LOOKS[0].1 * (1.0 - self.certainty)).ln();
        let enough = |n: usize| log_winnings(std::iter::repeat_n(-self.risk, n), self.risk) >= goal;
        // Winnings rise with every patient: doubling and halving find the first that is enough.
        let mut high = 1;
        while !enough(high) && high < 1 << 24 {
            high *= 2;
        }
        let mut low = high / 2;
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            if enough(middle) { high = middle } else { low = middle }
        }
        high
    }

    /// Whether rows are called, and called with the guarantee.
    pub fn is_guaranteed(&self) -> bool {
        self.coverage > 0.0 && self.patients > 0
    }
}

/// The confidence that calls such a share of a patient's rows, on average over patients.
fn cutoff_that_calls(share: f64, sure: &[f64], patients: &[Vec<usize>]) -> f64 {
    let mass = |rows: &Vec<usize>| 1.0 / (rows.len() * patients.len()) as f64;
    let mut rows: Vec<(f64, f64)> =
        patients.iter().flat_map(|rows| rows.iter().map(|&row| (sure[row], mass(rows)))).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut called = 0.0;
    for (confidence, weight) in rows {
        called += weight;
        if called >= share - 1e-9 {
            // All rows are called whatever their confidence, those of new patients too.
            return if share >= 1.0 { 0.0 } else { confidence };
        }
    }
    0.0
}

/// The logarithm of what a stake of 1 has become after betting, patient by patient, that the mean
/// of `excess`, which lies between −risk and 1 − risk, is below 0. Were it not, winnings would be
/// at most 1 on average, whatever the distribution, and so reach 1/doubt with probability at most
/// `doubt` (Markov).
fn log_winnings(excess: impl Iterator<Item = f64>, risk: f64) -> f64 {
    let mut logs = BETS.map(|(_, stake)| stake.ln());
    for z in excess {
        for (log, (share, _)) in logs.iter_mut().zip(BETS) {
            *log += (-share / (1.0 - risk) * z).ln_1p();
        }
    }
    let largest = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
    largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()
}

/// The class that a row is called, and how sure that is, from 0 to 1.
///
/// With two classes and a threshold t, the second class is called at p ≥ t, and sureness is the
/// distance of p from t over the largest there is on its side. Otherwise it is the probability of
/// the most probable class.
pub fn confidence(row: &[f64], threshold: Option<f64>) -> (u32, f64) {
    if let (&[_, p], Some(t)) = (row, threshold) {
        let room = if p >= t { 1.0 - t } else { t };
        let sure = if room > 0.0 { (p - t).abs() / room } else { 1.0 };
        return (u32::from(p >= t), sure);
    }
    let best = (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    (best as u32, row.get(best).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests;
