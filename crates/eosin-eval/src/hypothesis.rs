// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tests that compare arms scored on the same folds or groups.

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Scores of two arms on the same folds: the mean difference with its corrected spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrectedT {
    /// Mean difference.
    pub mean: f64,
    /// Its standard error, corrected for the rows that the folds' training parts share.
    pub standard_error: f64,
    /// `mean / standard_error`.
    pub t: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// Two-sided p.
    pub p: f64,
}

/// The posterior of the difference between two arms, cut by a region of practical equivalence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posterior {
    /// P(difference < −ROPE): the second arm is worse.
    pub worse: f64,
    /// P(|difference| ≤ ROPE).
    pub equivalent: f64,
    /// P(difference > ROPE): the second arm is better.
    pub better: f64,
}

/// Wilcoxon's signed-rank test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wilcoxon {
    /// The smaller of the sums of ranks of positive and of negative differences.
    pub statistic: f64,
    /// Two-sided p.
    pub p: f64,
}

impl CorrectedT {
    /// The mean's interval at a level between 0 and 1.
    pub fn interval(&self, level: f64) -> Result<(f64, f64)> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::input(
                "level of an interval",
                "a number between 0 and 1",
                level.to_string(),
                "the usual choice is 0.95",
            ));
        }
        let half = student(0.0, 1.0, self.df)?.inverse_cdf(f64::midpoint(1.0, level))
            * self.standard_error;
        Ok((self.mean - half, self.mean + half))
    }
}

/// The corrected resampled t-test (Nadeau & Bengio 2003).
///
/// t = d̄ / √((1/R + n_te/n_tr)·s²) with R − 1 degrees of freedom; `test_train_ratio` is n_te/n_tr
/// counted in groups, 1/(k − 1) for k folds. Differences that are all zero have p = 1; equal
/// differences other than zero have an infinite t and p = 0.
pub fn corrected_resampled_t(differences: &[f64], test_train_ratio: f64) -> Result<CorrectedT> {
    let (mean, scale, df) = corrected_moments(differences, test_train_ratio)?;
    let (t, p) = if scale > 0.0 {
        let t = mean / scale;
        (t, 2.0 * student(0.0, 1.0, df)?.cdf(-t.abs()))
    } else if mean == 0.0 {
        (0.0, 1.0)
    } else {
        (f64::INFINITY.copysign(mean), 0.0)
    };
    Ok(CorrectedT { mean, standard_error: scale, t, df, p })
}

/// The Bayesian correlated t-test (Benavoli et al. 2017): the difference's posterior is
/// Student(R − 1, d̄, (1/R + n_te/n_tr)·s²). The usual `rope` is 0.01.
pub fn bayesian_correlated_t(
    differences: &[f64],
    test_train_ratio: f64,
    rope: f64,
) -> Result<Posterior> {
    let (mean, scale, df) = corrected_moments(differences, test_train_ratio)?;
    if scale > 0.0 {
        let posterior = student(mean, scale, df)?;
        let (worse, better) = (posterior.cdf(-rope), posterior.sf(rope));
        Ok(Posterior { worse, equivalent: (1.0 - worse - better).max(0.0), better })
    } else {
        // The posterior is a point.
        let is = |hit: bool| f64::from(u8::from(hit));
        Ok(Posterior {
            worse: is(mean < -rope),
            equivalent: is(mean.abs() <= rope),
            better: is(mean > rope),
        })
    }
}

/// p-values adjusted by Holm's method, in the order given; NaN stays NaN and does not count.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]).then(a.cmp(&b)));
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        largest = largest.max((order.len() - rank) as f64 * p[i]).min(1.0);
        adjusted[i] = largest;
    }
    adjusted
}

/// Wilcoxon's signed-rank test of paired differences; zero differences are dropped.
///
/// The p-value is exact for at most 50 differences without ties, otherwise by the normal
/// approximation with the variance corrected for ties and no continuity correction, as in SciPy.
/// Without a difference other than zero, p = 1.
pub fn wilcoxon(differences: &[f64]) -> Result<Wilcoxon> {
    refuse_nan(differences)?;
    let mut kept: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    if kept.is_empty() {
        return Ok(Wilcoxon { statistic: 0.0, p: 1.0 });
    }
    kept.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = kept.len();
    let (mut positive, mut negative, mut ties) = (0.0, 0.0, 0.0);
    let mut start = 0;
    while start < n {
        let size = kept[start];
        #[expect(clippy::float_cmp, reason = "ties are equal magnitudes")]
        let run = kept[start..].iter().take_while(|d| d.abs() == size.abs()).count();
        let rank = (2 * start + run + 1) as f64 / 2.0;
        for d in &kept[start..start + run] {
            *(if *d > 0.0 { &mut positive } else { &mut negative }) += rank;
        }
        ties += (run as f64).powi(3) - run as f64;
        start += run;
    }
    let statistic = f64::min(positive, negative);
    let dropped = kept.len() < differences.len();
    let p = if n <= 50 && ties == 0.0 && !dropped {
        exact_signed_rank_p(statistic, n)
    } else {
        let size = n as f64;
        let mean = size * (size + 1.0) / 4.0;
        let variance = (size * (size + 1.0) * (2.0 * size + 1.0) - 0.5 * ties) / 24.0;
        2.0 * standard_normal_cdf((statistic - mean) / variance.sqrt())
    };
    Ok(Wilcoxon { statistic, p: p.min(1.0) })
}

/// P of a rank sum at most `statistic`, doubled: counts of subsets of 1..=n by their sum.
fn exact_signed_rank_p(statistic: f64, n: usize) -> f64 {
    let mut probability = vec![0.0; n * (n + 1) / 2 + 1];
    probability[0] = 1.0;
    let mut largest = 0;
    for rank in 1..=n {
        largest += rank;
        for sum in (0..=largest).rev() {
            let with = if sum >= rank { probability[sum - rank] } else { 0.0 };
            probability[sum] = f64::midpoint(probability[sum], with);
        }
    }
    2.0 * probability.iter().take(statistic as usize + 1).sum::<f64>()
}

/// Mean, corrected standard error and degrees of freedom.
fn corrected_moments(differences: &[f64], ratio: f64) -> Result<(f64, f64, f64)> {
    refuse_nan(differences)?;
    let n = differences.len();
    if n < 2 || !(ratio.is_finite() && ratio >= 0.0) {
        return Err(Error::input(
            "corrected t-test",
            "at least 2 differences and a ratio of test to training groups of 0 or more",
            format!("{n} differences and a ratio of {ratio}"),
            "score both arms on the same folds; the ratio is 1/(k - 1) for k folds",
        ));
    }
    let r = n as f64;
    let mean = differences.iter().sum::<f64>() / r;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (r - 1.0);
    Ok((mean, ((1.0 / r + ratio) * variance).sqrt(), r - 1.0))
}

fn refuse_nan(differences: &[f64]) -> Result<()> {
    match differences.iter().position(|d| !d.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::input(
            format!("difference {at}"),
            "a finite number",
            differences[at].to_string(),
            "compare arms only on folds in which both have a score",
        )),
    }
}

fn student(mean: f64, scale: f64, df: f64) -> Result<StudentsT> {
    StudentsT::new(mean, scale, df).map_err(|e| {
        Error::input("t distribution", "a finite mean and scale", e.to_string(), "check the scores")
    })
}

fn standard_normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

#[cfg(test)]
mod tests;
