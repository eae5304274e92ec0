// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Error, Fold, Result, TrainView};
use serde::{Deserialize, Serialize};

/// Rows and right calls per group and class: all that resampling by patient needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    n_classes: usize,
    /// Numbers of the groups, ascending.
    groups: Vec<u32>,
    /// Rows, group after group, a count per class; a row counts once per repeat.
    rows: Vec<u32>,
    /// Rows that were called right.
    hits: Vec<u32>,
}

impl Tally {
    /// Counts the calls of the held-out rows of each fold.
    pub fn new(train: &TrainView, folds: &[Fold], calls: &[Vec<u32>]) -> Self {
        let (labels, of_row) = (train.labels(), train.groups());
        let n_classes = train.classes().len();
        let mut counts: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        for (fold, called) in folds.iter().zip(calls) {
            for (&row, &call) in fold.held_out.iter().zip(called) {
                let group = counts.entry(of_row[row]).or_insert_with(|| vec![(0, 0); n_classes]);
                let class = &mut group[labels[row] as usize];
                class.0 += 1;
                class.1 += u32::from(call == labels[row]);
            }
        }
        Self {
            n_classes,
            groups: counts.keys().copied().collect(),
            rows: counts.values().flatten().map(|c| c.0).collect(),
            hits: counts.values().flatten().map(|c| c.1).collect(),
        }
    }

    /// Adds the counts of other folds of the same rows.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        if self.groups.is_empty() {
            *self = other.clone();
            return Ok(());
        }
        if self.groups != other.groups || self.n_classes != other.n_classes {
            return Err(Error::input(
                "tally",
                format!("{} groups of {} classes", self.groups.len(), self.n_classes),
                format!("{} groups of {} classes", other.groups.len(), other.n_classes),
                "add tallies of whole repeats of the same rows",
            ));
        }
        for (total, n) in self.rows.iter_mut().zip(&other.rows) {
            *total += n;
        }
        for (total, n) in self.hits.iter_mut().zip(&other.hits) {
            *total += n;
        }
        Ok(())
    }

    /// Whether both count the same rows, so that the arms can be compared group by group.
    pub fn is_paired(&self, other: &Self) -> bool {
        self.groups == other.groups && self.rows == other.rows
    }

    /// Number of groups.
    pub fn n_groups(&self) -> usize {
        self.groups.len()
    }

    /// The stratum of each group for resampling: with two classes whether it has any row of the
    /// second, with more its most frequent class.
    pub fn strata(&self) -> Vec<u32> {
        let stratum = |counts: &[u32]| {
            if self.n_classes == 2 {
                u32::from(counts[1] > 0)
            } else {
                let best = |best, c| if counts[c] > counts[best] { c } else { best };
                (0..counts.len()).fold(0, best) as u32
            }
        };
        self.rows.chunks(self.n_classes.max(1)).map(stratum).collect()
    }

    /// Balanced accuracy with every group counted as often as its weight says, classes without
    /// rows left out.
    pub fn balanced_accuracy(&self, weights: &[f64]) -> f64 {
        let c = self.n_classes.max(1);
        let (mut rows, mut hits) = (vec![0.0; c], vec![0.0; c]);
        let counts = self.rows.chunks(c).zip(self.hits.chunks(c));
        for ((group_rows, group_hits), weight) in counts.zip(weights) {
            for k in 0..c {
                rows[k] += weight * f64::from(group_rows[k]);
                hits[k] += weight * f64::from(group_hits[k]);
            }
        }
        let present: Vec<f64> =
            rows.iter().zip(&hits).filter(|(n, _)| **n > 0.0).map(|(n, h)| h / n).collect();
        present.iter().sum::<f64>() / present.len() as f64
    }
}
