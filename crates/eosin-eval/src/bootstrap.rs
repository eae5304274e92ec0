// SPDX-License-Identifier: MIT OR Apache-2.0

//! Confidence intervals of fixed heads by resampling patients or slides, never tiles.
//!
//! They speak of a head on rows that it never saw. Arms under cross-validation are compared by
//! [`CrossValidated`](crate::CrossValidated): resampling their predictions leaves out how much
//! arms vary with their training rows.

use std::collections::BTreeMap;

use eosin_core::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

mod form;

pub use form::{FEWEST_GROUPS, Form, PERCENTILE_GROUPS, Scale};

use crate::inference::Word;
use crate::nan_as_null;

/// Resamples whole groups with replacement.
///
/// From [`PERCENTILE_GROUPS`] groups on an interval is that of the percentiles of resamples within
/// strata of the groups' labels. With fewer, percentiles cover too seldom: resamples are of all
/// groups together, and the interval is Student's on the statistic's [`Scale`]. Below
/// [`FEWEST_GROUPS`] there is none.
///
/// With two classes a group's stratum says whether it holds any row of class 1, so that no
/// replicate runs out of patients with the finding by chance alone; with more, it is the group's
/// most frequent class; where a stratum has fewer than [`FEWEST_GROUPS`], intervals have none, since
/// a stratum of one group would never vary. A statistic is called with one weight per row, the number of times the
/// row's group was drawn. Replicate `r` draws from stream `r` of the seed, so that results do not
/// depend on the number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupBootstrap {
    /// Number of resamples.
    pub replicates: usize,
    /// Seed of all draws.
    pub seed: u64,
    /// Probability that the interval is meant to cover.
    pub level: f64,
}

/// A statistic with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The statistic of the rows as they are.
    #[serde(with = "nan_as_null")]
    pub estimate: f64,
    /// Lower end; NaN where there is no interval.
    #[serde(with = "nan_as_null")]
    pub lower: f64,
    /// Upper end; NaN where there is no interval.
    #[serde(with = "nan_as_null")]
    pub upper: f64,
    /// Replicates for which the statistic was undefined, such as those of one class. They are
    /// left out of the interval, which is the less trustworthy the more there are.
    pub undefined: usize,
    /// Replicates in all.
    pub replicates: usize,
    /// Groups that were resampled.
    #[serde(default)]
    pub n_groups: usize,
    /// How the interval was made, or that there is none.
    #[serde(default)]
    pub form: Form,
}

/// Two arms' statistic on the same resamples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedInterval {
    /// The first arm.
    pub first: Interval,
    /// The second arm.
    pub second: Interval,
    /// Second minus first, replicate by replicate.
    pub difference: Interval,
}

impl PairedInterval {
    /// What may be said of the second arm against the first: the interval of their difference
    /// decides, and where there is none, nothing was tested.
    pub fn word(&self) -> Word {
        let difference = &self.difference;
        if difference.lower.is_nan() || difference.upper.is_nan() {
            Word::NotTested
        } else if difference.lower > 0.0 {
            Word::Better
        } else if difference.upper < 0.0 {
            Word::Worse
        } else {
            Word::NotToldApart
        }
    }
}

impl Default for GroupBootstrap {
    fn default() -> Self {
        Self { replicates: 2000, seed: 0, level: 0.95 }
    }
}

impl GroupBootstrap {
    /// The interval of one statistic between 0 and 1; see [`interval_on`](Self::interval_on).
    pub fn interval<F>(&self, groups: &[u32], labels: &[u32], statistic: F) -> Result<Interval>
    where
        F: Fn(&[f64]) -> f64 + Sync,
    {
        self.interval_on(Scale::Unit, groups, labels, statistic)
    }

    /// The interval of one statistic of any scale.
    pub fn interval_on<F>(
        &self,
        scale: Scale,
        groups: &[u32],
        labels: &[u32],
        statistic: F,
    ) -> Result<Interval>
    where
        F: Fn(&[f64]) -> f64 + Sync,
    {
        let found = self.intervals(groups, labels, &[scale], |w| vec![statistic(w)])?;
        Ok(found[0])
    }

    /// The intervals of several statistics on the same resamples, each on its scale.
    pub fn intervals<F>(
        &self,
        groups: &[u32],
        labels: &[u32],
        scales: &[Scale],
        statistics: F,
    ) -> Result<Vec<Interval>>
    where
        F: Fn(&[f64]) -> Vec<f64> + Sync,
    {
        let plan = Plan::new(groups, labels)?;
        self.check()?;
        let estimates = statistics(&vec![1.0; groups.len()]);
        if estimates.len() != scales.len() {
            return Err(wrong_number(scales.len(), estimates.len()));
        }
        let form = plan.form();
        let replicates = match form {
            Form::None => Vec::new(),
            _ => self.draws(&plan.for_intervals(), scales.len(), &statistics)?,
        };
        let made = estimates.iter().zip(scales).enumerate();
        Ok(made
            .map(|(i, (&estimate, &scale))| {
                let values: Vec<f64> = replicates.iter().map(|r| r[i]).collect();
                form::interval(form, scale, estimate, values, plan.n_groups, self.level)
            })
            .collect())
    }

    /// The intervals of two arms' statistic between 0 and 1 on the same resamples, and of their
    /// difference.
    pub fn paired<F, G>(
        &self,
        groups: &[u32],
        labels: &[u32],
        first: F,
        second: G,
    ) -> Result<PairedInterval>
    where
        F: Fn(&[f64]) -> f64 + Sync,
        G: Fn(&[f64]) -> f64 + Sync,
    {
        let scales = [Scale::Unit, Scale::Unit, Scale::Real];
        let found = self.intervals(groups, labels, &scales, |w| {
            let (a, b) = (first(w), second(w));
            vec![a, b, b - a]
        })?;
        let [first, second, difference] = found[..] else {
            return Err(wrong_number(3, found.len()));
        };
        Ok(PairedInterval { first, second, difference })
    }

    /// Every replicate of `n` statistics, in the order of their numbers, drawn within strata of
    /// whatever size.
    pub fn replicates<F>(
        &self,
        groups: &[u32],
        labels: &[u32],
        n: usize,
        statistics: F,
    ) -> Result<Vec<Vec<f64>>>
    where
        F: Fn(&[f64]) -> Vec<f64> + Sync,
    {
        let plan = Plan::new(groups, labels)?;
        self.check()?;
        if plan.n_groups < 2 {
            return Err(Error::input(
                "bootstrap over groups",
                "at least 2 groups",
                plan.n_groups.to_string(),
                "score rows of more patients or slides; one group says nothing of the spread",
            ));
        }
        self.draws(&plan, n, &statistics)
    }

    fn draws<F>(&self, plan: &Plan, n: usize, statistics: &F) -> Result<Vec<Vec<f64>>>
    where
        F: Fn(&[f64]) -> Vec<f64> + Sync,
    {
        (0..self.replicates as u64)
            .into_par_iter()
            .map_init(
                || (vec![0.0; plan.n_groups], vec![0.0; plan.group_of_row.len()]),
                |(counts, weights), replicate| {
                    let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                    rng.set_stream(replicate);
                    plan.draw(&mut rng, counts);
                    for (weight, &group) in weights.iter_mut().zip(&plan.group_of_row) {
                        *weight = counts[group];
                    }
                    let values = statistics(weights);
                    if values.len() == n { Ok(values) } else { Err(wrong_number(n, values.len())) }
                },
            )
            .collect()
    }

    fn check(&self) -> Result<()> {
        if self.replicates > 0 && self.level > 0.0 && self.level < 1.0 {
            return Ok(());
        }
        Err(Error::input(
            "bootstrap",
            "at least 1 replicate and a level between 0 and 1",
            format!("{} and {}", self.replicates, self.level),
            "the usual choice is 2000 and 0.95",
        ))
    }
}

fn wrong_number(expected: usize, found: usize) -> Error {
    Error::input(
        "bootstrap statistics",
        format!("{expected} values"),
        found.to_string(),
        "return as many values for every resample",
    )
}

/// Linearly interpolated quantile of sorted values; NaN if there are none.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = q.clamp(0.0, 1.0) * last as f64;
    let low = position.floor() as usize;
    let high = (low + 1).min(last);
    sorted[low] + (sorted[high] - sorted[low]) * (position - low as f64)
}

/// Which groups are drawn together.
struct Plan {
    n_groups: usize,
    group_of_row: Vec<usize>,
    strata: Vec<Vec<usize>>,
}

impl Plan {
    fn new(groups: &[u32], labels: &[u32]) -> Result<Self> {
        if groups.len() != labels.len() {
            return Err(Error::input(
                "bootstrap",
                format!("{} labels, one per group entry", groups.len()),
                labels.len().to_string(),
                "give one group and one label per row",
            ));
        }
        let mut names = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        let index = |group: u32| names.partition_point(|&name| name < group);
        let group_of_row: Vec<usize> = groups.iter().map(|&g| index(g)).collect();
        let mut counts = vec![BTreeMap::<u32, usize>::new(); names.len()];
        for (&group, &label) in group_of_row.iter().zip(labels) {
            *counts[group].entry(label).or_default() += 1;
        }
        let binary = labels.iter().all(|&l| l < 2);
        let mut strata: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (group, counts) in counts.iter().enumerate() {
            let stratum = if binary {
                u32::from(counts.contains_key(&1))
            } else {
                // The smallest class of the most frequent ones.
                counts.iter().max_by_key(|&(&l, &n)| (n, std::cmp::Reverse(l))).map_or(0, |c| *c.0)
            };
            strata.entry(stratum).or_default().push(group);
        }
        Ok(Self { n_groups: names.len(), group_of_row, strata: strata.into_values().collect() })
    }

    /// What the number of groups allows.
    fn form(&self) -> Form {
        match self.n_groups {
            PERCENTILE_GROUPS.. => Form::Percentile,
            FEWEST_GROUPS.. => Form::Student,
            _ => Form::None,
        }
    }

    /// The same groups without strata where there are few, or few in any of them.
    fn for_intervals(&self) -> Self {
        let few = self.n_groups < PERCENTILE_GROUPS
            || self.strata.iter().any(|stratum| stratum.len() < FEWEST_GROUPS);
        let strata = if few { vec![(0..self.n_groups).collect()] } else { self.strata.clone() };
        Self { n_groups: self.n_groups, group_of_row: self.group_of_row.clone(), strata }
    }

    fn draw(&self, rng: &mut ChaCha8Rng, counts: &mut [f64]) {
        counts.fill(0.0);
        for stratum in &self.strata {
            for _ in 0..stratum.len() {
                counts[stratum[rng.random_range(0..stratum.len())]] += 1.0;
            }
        }
    }
}

#[cfg(test)]
mod tests;
