// SPDX-License-Identifier: MIT OR Apache-2.0

//! Arms compared under cross-validation: estimate, interval, p and word are of one quantity.
//!
//! All rest on the per-fold scores and the corrected resampled t-test (Nadeau & Bengio 2003), with
//! one correction over all pairs of a family by Holm's method. A pair's interval has the level at
//! which Holm's method tested it, so that it leaves 0 out exactly where the adjusted p is below
//! 1 − level, and the word says so.

use std::fmt;

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::hypothesis::{Posterior, bayesian_correlated_t, corrected_resampled_t, holm};
use crate::nan_as_null;

/// Posterior probability from which two arms are called equivalent.
pub const EQUIVALENT: f64 = 0.95;

/// Scores of several arms on the same folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossValidated {
    /// The arms.
    pub arms: Vec<FoldScores>,
    /// Held-out groups over training groups, see
    /// [`test_train_ratio`](crate::splits::test_train_ratio).
    pub test_train_ratio: f64,
    /// Level of intervals; 1 − level is the error allowed over all pairs of a family together.
    pub level: f64,
    /// Half the width of the region in which a difference does not matter.
    pub rope: f64,
}

/// One arm's score on every fold; NaN where it has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoldScores {
    /// The arm's name.
    pub name: String,
    /// A score per fold of every repeat.
    pub scores: Vec<f64>,
}

/// A mean over folds with its corrected interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    #[serde(with = "nan_as_null")]
    pub estimate: f64,
    /// Lower end; NaN with fewer than two folds.
    #[serde(with = "nan_as_null")]
    pub lower: f64,
    /// Upper end.
    #[serde(with = "nan_as_null")]
    pub upper: f64,
    /// Two-sided p of the mean being 0; NaN with fewer than two folds.
    #[serde(with = "nan_as_null")]
    pub p: f64,
    /// Folds that it rests on.
    pub n_folds: usize,
}

/// What is known of the difference between two arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What it is compared with.
    pub against: String,
    /// Mean difference over the folds, `arm` minus `against`.
    #[serde(with = "nan_as_null")]
    pub estimate: f64,
    /// Lower end of the interval.
    #[serde(with = "nan_as_null")]
    pub lower: f64,
    /// Upper end of the interval.
    #[serde(with = "nan_as_null")]
    pub upper: f64,
    /// Level of the interval: that at which Holm's method tested the pair.
    pub interval_level: f64,
    /// Two-sided p of the corrected resampled t-test.
    #[serde(with = "nan_as_null")]
    pub p: f64,
    /// The same, adjusted by Holm's method over the family.
    #[serde(with = "nan_as_null")]
    pub p_holm: f64,
    /// Number of pairs in the family.
    pub n_pairs: usize,
    /// Posterior of the difference (Benavoli et al. 2017); none where the pair was not tested.
    pub posterior: Option<Posterior>,
    /// Folds on which both have a score.
    pub n_folds: usize,
    /// What may be said.
    pub word: Word,
}

/// What may be said of two arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// The adjusted p is small and the difference positive.
    Better,
    /// The adjusted p is small and the difference negative.
    Worse,
    /// The difference is within the ROPE with a posterior probability of [`EQUIVALENT`] or more.
    Equivalent,
    /// Neither: the folds do not say which is better, nor that it does not matter.
    NotToldApart,
    /// Fewer than two folds on which both have a score.
    NotTested,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Equivalent => "equivalent",
            Self::NotToldApart => "not told apart",
            Self::NotTested => "not tested",
        })
    }
}

impl Word {
    /// Whether the arms were told apart.
    pub fn differs(self) -> bool {
        matches!(self, Self::Better | Self::Worse)
    }

    /// The word of the same pair the other way round.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Better => Self::Worse,
            Self::Worse => Self::Better,
            other => other,
        }
    }
}

impl CrossValidated {
    /// Every pair of positions of `arms`, the smaller first.
    pub fn all_pairs(&self) -> Vec<(usize, usize)> {
        let n = self.arms.len();
        (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect()
    }

    /// Every arm against the one at `reference`.
    pub fn against(&self, reference: usize) -> Vec<(usize, usize)> {
        (0..self.arms.len()).filter(|&a| a != reference).map(|a| (a, reference)).collect()
    }

    /// Each arm's mean with its interval.
    pub fn estimates(&self) -> Result<Vec<Estimate>> {
        self.check(&[])?;
        self.arms.iter().map(|a| self.estimate(&a.scores)).collect()
    }

    /// Compares the first of each pair with the second; all pairs together are one family.
    pub fn compare(&self, pairs: &[(usize, usize)]) -> Result<Vec<Comparison>> {
        self.check(pairs)?;
        let differences: Vec<Vec<f64>> = pairs
            .iter()
            .map(|&(a, b)| {
                let both = self.arms[a].scores.iter().zip(&self.arms[b].scores);
                both.map(|(x, y)| x - y).filter(|d| d.is_finite()).collect()
            })
            .collect();
        let p: Vec<f64> = differences
            .iter()
            .map(|d| match d.len() {
                0 | 1 => Ok(f64::NAN),
                _ => Ok(corrected_resampled_t(d, self.test_train_ratio)?.p),
            })
            .collect::<Result<_>>()?;
        let adjusted = holm(&p);
        let shares = holm_shares(&p, 1.0 - self.level);
        let n_pairs = p.iter().filter(|p| !p.is_nan()).count();
        let made = pairs.iter().enumerate().map(|(i, &(a, b))| {
            let values = &differences[i];
            let mut found = Comparison {
                arm: self.arms[a].name.clone(),
                against: self.arms[b].name.clone(),
                estimate: values.iter().sum::<f64>() / values.len() as f64,
                lower: f64::NAN,
                upper: f64::NAN,
                interval_level: 1.0 - (1.0 - self.level) / shares[i],
                p: p[i],
                p_holm: adjusted[i],
                n_pairs,
                posterior: None,
                n_folds: values.len(),
                word: Word::NotTested,
            };
            if values.len() < 2 {
                return Ok(found);
            }
            let test = corrected_resampled_t(values, self.test_train_ratio)?;
            (found.lower, found.upper) = test.interval(found.interval_level)?;
            let posterior = bayesian_correlated_t(values, self.test_train_ratio, self.rope)?;
            found.word = if adjusted[i] < 1.0 - self.level {
                if test.mean > 0.0 { Word::Better } else { Word::Worse }
            } else if posterior.equivalent >= EQUIVALENT {
                Word::Equivalent
            } else {
                Word::NotToldApart
            };
            found.posterior = Some(posterior);
            Ok(found)
        });
        made.collect()
    }

    /// The mean of values per fold with its interval at the level, uncorrected for others.
    pub fn estimate(&self, values: &[f64]) -> Result<Estimate> {
        corrected_estimate(values, self.test_train_ratio, self.level)
    }

    fn check(&self, pairs: &[(usize, usize)]) -> Result<()> {
        let n_folds = self.arms.first().map_or(0, |a| a.scores.len());
        let unequal = self.arms.iter().find(|a| a.scores.len() != n_folds);
        let inside = pairs.iter().all(|&(a, b)| a.max(b) < self.arms.len());
        let sound = self.rope >= 0.0 && self.level > 0.0 && self.level < 1.0;
        if let Some(arm) = unequal {
            return Err(Error::input(
                format!("scores of {}", arm.name),
                format!("{n_folds} scores, one per fold, as the other arms have"),
                arm.scores.len().to_string(),
                "score every arm on the same folds",
            ));
        }
        if inside && sound {
            return Ok(());
        }
        Err(Error::input(
            "comparison of arms",
            format!(
                "pairs of {} arms, a rope of 0 or more, a level inside (0, 1)",
                self.arms.len()
            ),
            format!("rope {}, level {}, pairs {pairs:?}", self.rope, self.level),
            "rope 0.01 and level 0.95 are usual",
        ))
    }
}

/// The mean of finite values per fold with the interval of the corrected resampled t-test.
pub fn corrected_estimate(values: &[f64], test_train_ratio: f64, level: f64) -> Result<Estimate> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let n_folds = finite.len();
    if n_folds < 2 {
        let estimate = finite.first().copied().unwrap_or(f64::NAN);
        return Ok(Estimate { estimate, lower: f64::NAN, upper: f64::NAN, p: f64::NAN, n_folds });
    }
    let test = corrected_resampled_t(&finite, test_train_ratio)?;
    let (lower, upper) = test.interval(level)?;
    Ok(Estimate { estimate: test.mean, lower, upper, p: test.p, n_folds })
}

/// The number by which Holm's method divides the error of each hypothesis: of m hypotheses the one
/// of the smallest p is tested at 1/m of it, the next at 1/(m − 1), and from the first that is not
/// rejected on, all are at that one's share.
fn holm_shares(p: &[f64], error: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]).then(a.cmp(&b)));
    let mut shares = vec![1.0; p.len()];
    let mut stopped = None;
    for (rank, &i) in order.iter().enumerate() {
        let own = (order.len() - rank) as f64;
        if stopped.is_none() && own * p[i] >= error {
            stopped = Some(own);
        }
        shares[i] = stopped.unwrap_or(own);
    }
    shares
}

#[cfg(test)]
mod tests;
