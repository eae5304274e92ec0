// SPDX-License-Identifier: MIT OR Apache-2.0

//! Heads where findings are more or less frequent than where they were trained.
//!
//! All rests on label shift: classes look the same everywhere and only their shares differ. That
//! cannot be seen from unlabelled tiles, so a figure made here is worth what that assumption is.

use std::collections::BTreeSet;

use eosin_core::{Error, Probabilities, Result};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{FEWEST_GROUPS, Form, GroupBootstrap, Interval, Scale};

/// Rounds of the EM algorithm at most; it converges slowly where classes overlap much.
const MAX_ROUNDS: usize = 10_000;
/// The shares move by less than this in the last round.
const CONVERGED: f64 = 1e-9;
/// Where probabilities are this near the training shares, they tell of hardly anything else.
const LEAST_RESOLUTION: f64 = 0.02;
/// An interval wider than this leaves open whether a class is rare or frequent.
const WIDEST: f64 = 0.5;

/// The shares of classes among unlabelled rows, or the reason why they cannot be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrevalenceEstimate {
    /// Each class's share with its interval over groups.
    pub shares: Vec<Interval>,
    /// Why they must not be used, where that is so.
    pub refusal: Option<String>,
}

/// Probabilities for rows among which classes have other shares: p_k·new_k/old_k, scaled to sum
/// to 1 (Saerens et al. 2002, equation 2.4).
///
/// `from` are the shares that the probabilities assume, usually those of the training rows.
pub fn recalibrated(
    probabilities: &Probabilities,
    from: &[f64],
    to: &[f64],
) -> Result<Probabilities> {
    let n_classes = probabilities.n_classes();
    check_shares("class shares of the training rows", from, n_classes)?;
    check_shares("class shares to calibrate to", to, n_classes)?;
    let mut values = probabilities.values().to_vec();
    for row in values.chunks_exact_mut(n_classes) {
        reweigh(row, from, to);
    }
    Probabilities::new(n_classes, values)
}

/// The threshold on recalibrated probabilities at which the same rows are called as at
/// `threshold` before, for two classes.
pub fn recalibrated_threshold(threshold: f64, from: f64, to: f64) -> f64 {
    let mut row = [1.0 - threshold, threshold];
    reweigh(&mut row, &[1.0 - from, from], &[1.0 - to, to]);
    row[1]
}

/// The shares of classes among unlabelled rows that the EM algorithm of Saerens, Latinne &
/// Decaestecker (2002) finds, with a weight per row.
///
/// They are the shares under which the rows are most likely, if only the shares differ from
/// `from`. With two classes the same maximum is found by Newton's method, in far fewer passes.
/// Probabilities must be calibrated for `from`.
pub fn estimate_shares(
    probabilities: &Probabilities,
    from: &[f64],
    weights: Option<&[f64]>,
) -> Result<Vec<f64>> {
    let n_classes = probabilities.n_classes();
    check_shares("class shares of the training rows", from, n_classes)?;
    let n = probabilities.n_rows();
    let weight = |i: usize| weights.map_or(1.0, |w| w.get(i).copied().unwrap_or(0.0));
    let total: f64 = (0..n).map(weight).sum();
    if total <= 0.0 {
        return Err(Error::input(
            "unlabelled rows",
            "at least one of positive weight",
            n.to_string(),
            "give the probabilities of the new site's tiles",
        ));
    }
    if n_classes == 2 {
        let ratios = (0..n).filter(|&i| weight(i) > 0.0).map(|i| {
            let row = probabilities.row(i);
            (weight(i), row[0] / from[0], row[1] / from[1])
        });
        let share = most_likely_share(&ratios.collect::<Vec<_>>());
        return Ok(vec![1.0 - share, share]);
    }
    let mut shares = from.to_vec();
    let mut row = vec![0.0; n_classes];
    for _ in 0..MAX_ROUNDS {
        let mut next = vec![0.0; n_classes];
        for i in 0..n {
            row.copy_from_slice(probabilities.row(i));
            reweigh(&mut row, from, &shares);
            for (sum, p) in next.iter_mut().zip(&row) {
                *sum += weight(i) * p / total;
            }
        }
        let moved = next.iter().zip(&shares).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        shares = next;
        if moved < CONVERGED {
            break;
        }
    }
    Ok(shares)
}

/// The share π of the second class with the largest Σ w ln((1 − π)a + πb), over rows (w, a, b). The
/// sum is concave in π, so that its slope falls and is 0 at one place at most.
fn most_likely_share(rows: &[(f64, f64, f64)]) -> f64 {
    let slopes = |share: f64| {
        rows.iter().fold((0.0, 0.0), |(slope, curve), &(w, a, b)| {
            let step = (b - a) / ((1.0 - share) * a + share * b);
            (slope + w * step, curve - w * step * step)
        })
    };
    let (mut low, mut high, mut share) = (0.0, 1.0, 0.5);
    for _ in 0..MAX_ROUNDS {
        let (slope, curve) = slopes(share);
        if slope > 0.0 {
            low = share;
        } else {
            high = share;
        }
        let newton = share - slope / curve;
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        let moved = (next - share).abs();
        share = next;
        if moved < 1e-13 {
            break;
        }
    }
    share
}

/// [`estimate_shares`] with intervals over groups, and a refusal where they cannot be told: fewer
/// than five groups, probabilities that hardly vary, or an interval wider than half of all.
pub fn estimate_prevalence(
    probabilities: &Probabilities,
    groups: &[u32],
    from: &[f64],
    bootstrap: &GroupBootstrap,
) -> Result<PrevalenceEstimate> {
    let n_classes = probabilities.n_classes();
    if groups.len() != probabilities.n_rows() {
        return Err(Error::input(
            "groups of unlabelled rows",
            format!("{}, one per row", probabilities.n_rows()),
            groups.len().to_string(),
            "give the patient or slide of every tile",
        ));
    }
    // Less than half a row of a class is none.
    let least = 0.5 / probabilities.n_rows() as f64;
    let snapped = |share: f64| match share {
        _ if share < least => 0.0,
        _ if share > 1.0 - least => 1.0,
        _ => share,
    };
    let shares_of = |weights: Option<&[f64]>| -> Result<Vec<f64>> {
        Ok(estimate_shares(probabilities, from, weights)?.into_iter().map(snapped).collect())
    };
    let estimates = shares_of(None)?;
    let n_groups = groups.iter().collect::<BTreeSet<_>>().len();
    let hopeless = if n_groups < FEWEST_GROUPS {
        Some(format!("{n_groups} patients or slides, and at least {FEWEST_GROUPS} are needed"))
    } else if resolution(probabilities, from) < LEAST_RESOLUTION {
        Some("the head tells the classes apart too little for their shares to be seen".to_string())
    } else {
        None
    };
    if hopeless.is_some() {
        let alone = |estimate| Interval {
            estimate,
            lower: f64::NAN,
            upper: f64::NAN,
            undefined: 0,
            replicates: 0,
            n_groups,
            form: Form::None,
        };
        let shares = estimates.into_iter().map(alone).collect();
        return Ok(PrevalenceEstimate { shares, refusal: hopeless });
    }
    // No row is known to be of any class, so that there are no strata.
    let labels = vec![0; groups.len()];
    let shares =
        bootstrap.intervals(groups, &labels, &vec![Scale::Unit; n_classes], |weights| {
            estimate_shares(probabilities, from, Some(weights))
                .unwrap_or_else(|_| vec![f64::NAN; n_classes])
        })?;
    let widest = shares.iter().map(|s| s.upper - s.lower).fold(0.0, f64::max);
    let refusal = (widest > WIDEST).then(|| {
        format!(
            "a share's interval is {widest:.2} wide: these tiles do not say whether the class is \
             rare or frequent"
        )
    });
    Ok(PrevalenceEstimate { shares, refusal })
}

/// How far the probabilities are from the training shares, over how far perfect ones would be: 0
/// where every row has the training shares, so that any shares are as likely as any others. A site
/// without findings, all of whose rows are near 0, is far from them.
fn resolution(probabilities: &Probabilities, from: &[f64]) -> f64 {
    let n = probabilities.n_rows() as f64;
    let of = |class: usize| {
        let share = from[class];
        let column = probabilities.column(class);
        let distance = column.iter().map(|p| (p - share).powi(2)).sum::<f64>() / n;
        distance / (share * (1.0 - share)).max(f64::MIN_POSITIVE)
    };
    (0..probabilities.n_classes()).map(of).fold(0.0, f64::max)
}

fn reweigh(row: &mut [f64], from: &[f64], to: &[f64]) {
    for ((p, old), new) in row.iter_mut().zip(from).zip(to) {
        *p *= new / old;
    }
    let sum: f64 = row.iter().sum();
    // Certain probabilities of classes that cannot be leave nothing to scale: they stay certain.
    if sum > 0.0 {
        for p in row.iter_mut() {
            *p /= sum;
        }
    } else {
        row.copy_from_slice(to);
    }
}

fn check_shares(what: &str, shares: &[f64], n_classes: usize) -> Result<()> {
    let sum: f64 = shares.iter().sum();
    let positive = shares.iter().all(|s| *s > 0.0);
    if shares.len() == n_classes && positive && (sum - 1.0).abs() < 1e-6 {
        return Ok(());
    }
    Err(Error::input(
        what,
        format!("{n_classes} numbers above 0 that sum to 1"),
        format!("{shares:?}"),
        "a prevalence lies between 0 and 1, and both ends are no prevalence",
    ))
}

#[cfg(test)]
mod tests;
