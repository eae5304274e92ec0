// SPDX-License-Identifier: MIT OR Apache-2.0

//! Confidence intervals by resampling patients or slides, never tiles.

use std::collections::BTreeMap;

use eosin_core::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Resamples whole groups with replacement within strata of the groups' labels.
///
/// With two classes a group's stratum says whether it holds any row of class 1, so that no
/// replicate runs out of patients with the finding by chance alone; with more, it is the group's
/// most frequent class. A statistic is called with one weight per row, the number of times the
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

/// A statistic with its percentile interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The statistic of the rows as they are.
    #[serde(with = "nan_as_null")]
    pub estimate: f64,
    /// Lower end; NaN if no replicate was defined.
    #[serde(with = "nan_as_null")]
    pub lower: f64,
    /// Upper end; NaN if no replicate was defined.
    #[serde(with = "nan_as_null")]
    pub upper: f64,
    /// Replicates for which the statistic was undefined, such as those of one class. They are
    /// left out of the interval, which is the less trustworthy the more there are.
    pub undefined: usize,
    /// Replicates in all.
    pub replicates: usize,
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
    /// The share of replicates in which the second arm is better, ties counting half.
    #[serde(with = "nan_as_null")]
    pub second_better: f64,
}

impl Default for GroupBootstrap {
    fn default() -> Self {
        Self { replicates: 2000, seed: 0, level: 0.95 }
    }
}

impl GroupBootstrap {
    /// The interval of one statistic.
    pub fn interval<F>(&self, groups: &[u32], labels: &[u32], statistic: F) -> Result<Interval>
    where
        F: Fn(&[f64]) -> f64 + Sync,
    {
        let replicates = self.replicates(groups, labels, 1, |w| vec![statistic(w)])?;
        let estimate = statistic(&vec![1.0; groups.len()]);
        Ok(self.percentile(estimate, replicates.into_iter().map(|r| r[0]).collect()))
    }

    /// The intervals of several statistics on the same resamples.
    pub fn intervals<F>(
        &self,
        groups: &[u32],
        labels: &[u32],
        statistics: F,
    ) -> Result<Vec<Interval>>
    where
        F: Fn(&[f64]) -> Vec<f64> + Sync,
    {
        let estimates = statistics(&vec![1.0; groups.len()]);
        let replicates = self.replicates(groups, labels, estimates.len(), statistics)?;
        let column = |i: usize| replicates.iter().map(|r| r[i]).collect();
        Ok(estimates.iter().enumerate().map(|(i, &e)| self.percentile(e, column(i))).collect())
    }

    /// The intervals of two arms on the same resamples and of their difference.
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
        let ones = vec![1.0; groups.len()];
        let (a, b) = (first(&ones), second(&ones));
        let draws = self.replicates(groups, labels, 2, |w| vec![first(w), second(w)])?;
        let differences: Vec<f64> = draws.iter().map(|r| r[1] - r[0]).collect();
        let defined: Vec<f64> = differences.iter().copied().filter(|d| !d.is_nan()).collect();
        let wins = |&d: &f64| {
            if d > 0.0 {
                1.0
            } else if d < 0.0 {
                0.0
            } else {
                0.5
            }
        };
        let second_better = defined.iter().map(wins).sum::<f64>() / defined.len() as f64;
        Ok(PairedInterval {
            first: self.percentile(a, draws.iter().map(|r| r[0]).collect()),
            second: self.percentile(b, draws.iter().map(|r| r[1]).collect()),
            difference: self.percentile(b - a, differences),
            second_better,
        })
    }

    /// Every replicate of `n` statistics, in the order of their numbers.
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
        if self.replicates == 0 || !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::input(
                "bootstrap",
                "at least 1 replicate and a level between 0 and 1",
                format!("{} and {}", self.replicates, self.level),
                "the usual choice is 2000 and 0.95",
            ));
        }
        (0..self.replicates as u64)
            .into_par_iter()
            .map_init(
                || (vec![0.0; plan.n_groups], vec![0.0; groups.len()]),
                |(counts, weights), replicate| {
                    let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                    rng.set_stream(replicate);
                    plan.draw(&mut rng, counts);
                    for (weight, &group) in weights.iter_mut().zip(&plan.group_of_row) {
                        *weight = counts[group];
                    }
                    let values = statistics(weights);
                    if values.len() == n {
                        Ok(values)
                    } else {
                        Err(Error::input(
                            "bootstrap statistics",
                            format!("{n} values"),
                            values.len().to_string(),
                            "return as many values for every resample",
                        ))
                    }
                },
            )
            .collect()
    }

    fn percentile(&self, estimate: f64, mut values: Vec<f64>) -> Interval {
        let replicates = values.len();
        values.retain(|v| !v.is_nan());
        values.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Interval {
            estimate,
            lower: quantile(&values, tail),
            upper: quantile(&values, 1.0 - tail),
            undefined: replicates - values.len(),
            replicates,
        }
    }
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
        if names.len() < 2 {
            return Err(Error::input(
                "bootstrap over groups",
                "at least 2 groups",
                names.len().to_string(),
                "score rows of more patients or slides; one group says nothing of the spread",
            ));
        }
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

    fn draw(&self, rng: &mut ChaCha8Rng, counts: &mut [f64]) {
        counts.fill(0.0);
        for stratum in &self.strata {
            for _ in 0..stratum.len() {
                counts[stratum[rng.random_range(0..stratum.len())]] += 1.0;
            }
        }
    }
}

/// JSON has no NaN; `null` stands for it.
mod nan_as_null {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_nan() { serializer.serialize_none() } else { serializer.serialize_some(value) }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests;
