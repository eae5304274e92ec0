// SPDX-License-Identifier: MIT OR Apache-2.0

//! Leaving doubtful rows uncalled, so that those called are wrong at most at a stated rate.

use eosin_core::{Error, Probabilities, Result};
use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

/// A cutoff on confidence above which calls are wrong at most at rate `risk`, with probability
/// `certainty` over the rows that it was fitted on (selection with guaranteed risk, Geifman and
/// El-Yaniv 2017).
///
/// Confidence is how far a call is from being another: see [`confidence`]. The guarantee holds for
/// rows that are exchangeable with those it was fitted on, as tiles of new patients are only on
/// average over many patients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abstention {
    /// The rate of errors among calls that is allowed.
    pub risk: f64,
    /// The probability with which it is kept.
    pub certainty: f64,
    /// Rows of at least this confidence are called; above 1, none is.
    pub cutoff: f64,
    /// Share of the rows it was fitted on that are called.
    pub coverage: f64,
}

impl Abstention {
    /// Finds the lowest cutoff whose bound on the risk holds, on held-out predictions such as
    /// out-of-fold ones.
    ///
    /// `threshold` is that of [`confidence`]. Where no cutoff's bound holds, no row is called.
    pub fn fit(
        held_out: &Probabilities,
        labels: &[u32],
        threshold: Option<f64>,
        risk: f64,
        certainty: f64,
    ) -> Result<Self> {
        let n = held_out.n_rows();
        if labels.len() != n || n == 0 {
            return Err(Error::input(
                "abstention",
                format!("{n} labels, one per prediction, and at least one"),
                labels.len().to_string(),
                "fit on held-out predictions with their labels",
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
        let mut rows: Vec<(f64, bool)> = (0..n)
            .map(|i| {
                let (called, sure) = confidence(held_out.row(i), threshold);
                (sure, called != labels[i])
            })
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        // Bisection looks at ⌈log₂ n⌉ cutoffs, among which the doubt is shared.
        let looks = (n as f64).log2().ceil().max(1.0);
        let doubt = (1.0 - certainty) / looks;
        let mut found = None;
        let (mut low, mut high) = (1, n);
        for _ in 0..looks as usize {
            let middle = usize::midpoint(low, high);
            let cutoff = rows[middle - 1].0;
            // Rows of equal confidence are called together.
            let called = rows.partition_point(|r| r.0 >= cutoff);
            let wrong = rows[..called].iter().filter(|r| r.1).count();
            if upper_bound(wrong, called, doubt) <= risk {
                found = Some((cutoff, called));
                low = (middle + 1).min(high);
            } else {
                high = (middle - 1).max(low);
            }
        }
        let (cutoff, called) = found.unwrap_or((f64::MAX, 0));
        Ok(Self { risk, certainty, cutoff, coverage: called as f64 / n as f64 })
    }
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

/// The rate that `wrong` errors in `n` trials stay below with probability 1 − doubt
/// (Clopper–Pearson).
fn upper_bound(wrong: usize, n: usize, doubt: f64) -> f64 {
    if wrong >= n {
        return 1.0;
    }
    let (a, b) = (wrong as f64 + 1.0, (n - wrong) as f64);
    let (mut low, mut high) = (0.0, 1.0);
    // P(X ≤ wrong) = 1 − I_p(wrong + 1, n − wrong) falls with p.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if 1.0 - beta_reg(a, b, middle) > doubt { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests;
