// SPDX-License-Identifier: MIT OR Apache-2.0

//! Labels that mean nothing, for the control: whatever an arm gains on them comes from the
//! protocol.

use std::collections::BTreeMap;

use eosin_core::{Error, Fold, Result};
use eosin_eval::Ranked;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::plan::seed_of;

/// Draws of labels until both sides of a fold have every class that can be had there.
const ATTEMPTS: u64 = 100;

/// What changes places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permutation {
    /// Labels of the rows of one group: what groups have in common, such as their stain and how
    /// frequent a class is in them, stays true, and pairs of one group tell nothing.
    WithinGroups,
    /// Labels of whole groups, where the rows of a group have one label.
    BetweenGroups,
}

impl Permutation {
    /// Within groups, unless most rows are in groups of a single class.
    pub fn of(rows: &[usize], labels: &[u32], groups: &[u32]) -> Self {
        let mut classes: BTreeMap<u32, (u32, bool, usize)> = BTreeMap::new();
        for &row in rows {
            let (first, varies, n) = classes.entry(groups[row]).or_insert((labels[row], false, 0));
            *varies |= labels[row] != *first;
            *n += 1;
        }
        let varying: usize = classes.values().filter(|(_, v, _)| *v).map(|(.., n)| n).sum();
        if 2 * varying >= rows.len() { Self::WithinGroups } else { Self::BetweenGroups }
    }

    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::WithinGroups => "within groups",
            Self::BetweenGroups => "between groups",
        }
    }

    /// Labels of all rows of a set, those of `rows` permuted by draw `draw`.
    ///
    /// `fold` holds positions in `rows`; a draw that leaves one of its sides with a single class
    /// is made again.
    pub fn labels(
        self,
        rows: &[usize],
        fold: &Fold,
        labels: &[u32],
        groups: &[u32],
        (seed, draw): (u64, usize),
    ) -> Result<Vec<u32>> {
        for attempt in 0..ATTEMPTS {
            let seed = seed_of(seed ^ attempt.rotate_left(48), draw, usize::MAX >> 33);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let permuted = match self {
                Self::WithinGroups => within(rows, labels, groups, &mut rng),
                Self::BetweenGroups => between(rows, labels, groups, &mut rng),
            };
            let varies = |side: &[usize]| {
                side.iter().any(|&at| permuted[rows[at]] != permuted[rows[side[0]]])
            };
            if varies(&fold.train) && varies(&fold.held_out) {
                return Ok(permuted);
            }
        }
        Err(Error::input(
            "labels permuted for the control",
            "two classes on both sides of a fold",
            format!("one class in {ATTEMPTS} draws"),
            "use fewer folds, or more groups of each class",
        ))
    }

    /// Area under the ROC curve on permuted labels, the mean over classes against the rest; it is
    /// 0.5 on average whatever a head learned of groups. NaN where nothing can be compared.
    pub fn auroc(self, probabilities: &[f64], labels: &[u32], groups: &[u32]) -> Result<f64> {
        let n_classes = probabilities.len() / labels.len().max(1);
        let first = usize::from(n_classes == 2);
        let mut found = Vec::new();
        for class in first..n_classes {
            let scores: Vec<f64> =
                probabilities.iter().skip(class).step_by(n_classes).copied().collect();
            let truths: Vec<bool> = labels.iter().map(|&l| l as usize == class).collect();
            let value = match self {
                Self::WithinGroups => within_groups(&scores, &truths, groups)?,
                Self::BetweenGroups => Ranked::new(&scores, &truths)?.auroc(None),
            };
            if value.is_finite() {
                found.push(value);
            }
        }
        Ok(found.iter().sum::<f64>() / found.len() as f64)
    }
}

fn within(rows: &[usize], labels: &[u32], groups: &[u32], rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut permuted = labels.to_vec();
    for members in by_group(rows, groups).into_values() {
        let mut shuffled: Vec<u32> = members.iter().map(|&row| labels[row]).collect();
        shuffled.shuffle(rng);
        for (row, label) in members.into_iter().zip(shuffled) {
            permuted[row] = label;
        }
    }
    permuted
}

/// Every group takes the most frequent label of another.
fn between(rows: &[usize], labels: &[u32], groups: &[u32], rng: &mut ChaCha8Rng) -> Vec<u32> {
    let members = by_group(rows, groups);
    let most_frequent = |rows: &Vec<usize>| {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for &row in rows {
            *counts.entry(labels[row]).or_default() += 1;
        }
        counts.into_iter().max_by_key(|&(label, n)| (n, label)).map_or(0, |(label, _)| label)
    };
    let mut shuffled: Vec<u32> = members.values().map(most_frequent).collect();
    shuffled.shuffle(rng);
    let mut permuted = labels.to_vec();
    for (rows, label) in members.into_values().zip(shuffled) {
        for row in rows {
            permuted[row] = label;
        }
    }
    permuted
}

fn by_group(rows: &[usize], groups: &[u32]) -> BTreeMap<u32, Vec<usize>> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &row in rows {
        members.entry(groups[row]).or_default().push(row);
    }
    members
}

/// The share of pairs of one group that are in the right order, over all groups.
fn within_groups(scores: &[f64], truths: &[bool], groups: &[u32]) -> Result<f64> {
    let all: Vec<usize> = (0..scores.len()).collect();
    let (mut right, mut pairs) = (0.0, 0.0);
    for members in by_group(&all, groups).into_values() {
        let truths: Vec<bool> = members.iter().map(|&i| truths[i]).collect();
        let positives = truths.iter().filter(|&&t| t).count();
        let n = (positives * (truths.len() - positives)) as f64;
        if n > 0.0 {
            let scores: Vec<f64> = members.iter().map(|&i| scores[i]).collect();
            right += n * Ranked::new(&scores, &truths)?.auroc(None);
            pairs += n;
        }
    }
    Ok(right / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> (Vec<usize>, Vec<u32>, Vec<u32>) {
        let groups: Vec<u32> = (0..60).map(|i| i / 6).collect();
        let labels = (0..60).map(|i| u32::from(i % 6 < i / 12)).collect();
        ((0..60).collect(), labels, groups)
    }

    #[test]
    fn labels_change_places_within_their_groups_alone() {
        let (rows, labels, groups) = set();
        let kind = Permutation::of(&rows, &labels, &groups);
        assert_eq!(kind, Permutation::WithinGroups);
        let fold = Fold { train: (0..30).collect(), held_out: (30..60).collect() };
        let draw = |n| kind.labels(&rows, &fold, &labels, &groups, (7, n)).unwrap();
        let counts = |labels: &[u32]| -> Vec<u32> {
            (0..10).map(|g| (g * 6..g * 6 + 6).map(|i| labels[i]).sum()).collect()
        };
        assert_eq!(counts(&draw(0)), counts(&labels));
        assert_ne!(draw(0), draw(1));
        assert_eq!(draw(3), draw(3));
    }

    #[test]
    fn rows_that_are_not_permuted_keep_their_labels() {
        let (rows, labels, groups) = set();
        let fold = Fold { train: (0..24).collect(), held_out: (24..48).collect() };
        let permuted =
            Permutation::WithinGroups.labels(&rows[..48], &fold, &labels, &groups, (1, 0)).unwrap();
        assert_eq!(permuted[48..], labels[48..]);
    }

    #[test]
    fn labels_of_whole_groups_change_places_where_groups_have_one() {
        let groups: Vec<u32> = (0..60).map(|i| i / 6).collect();
        let labels: Vec<u32> = groups.iter().map(|g| g % 2).collect();
        let rows: Vec<usize> = (0..60).collect();
        let kind = Permutation::of(&rows, &labels, &groups);
        assert_eq!(kind, Permutation::BetweenGroups);
        let fold = Fold { train: (0..30).collect(), held_out: (30..60).collect() };
        let permuted = kind.labels(&rows, &fold, &labels, &groups, (7, 0)).unwrap();
        assert!(permuted.chunks(6).all(|group| group.iter().all(|l| *l == group[0])));
        assert_eq!(permuted.iter().sum::<u32>(), 30);
    }

    #[test]
    fn what_groups_have_in_common_scores_a_half() {
        // Scores that know each group's share of positives and nothing of its rows.
        let (_, labels, groups) = set();
        let probabilities: Vec<f64> = groups
            .iter()
            .flat_map(|&g| {
                let p = f64::from(g) / 20.0;
                [1.0 - p, p]
            })
            .collect();
        let within = Permutation::WithinGroups.auroc(&probabilities, &labels, &groups).unwrap();
        assert!((within - 0.5).abs() < 1e-12, "{within}");
        let pooled = Permutation::BetweenGroups.auroc(&probabilities, &labels, &groups).unwrap();
        assert!(pooled > 0.6, "{pooled}");
    }
}
