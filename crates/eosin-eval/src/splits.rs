// SPDX-License-Identifier: MIT OR Apache-2.0

//! Splits that keep every group on one side.

use std::collections::BTreeSet;

use eosin_core::{Error, Fold, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

mod learning;

pub use learning::{LearningSubset, Others, learning_subsets};

/// Parts rows into `k` folds: no group is torn, and every class is spread as evenly as the groups
/// allow.
///
/// Groups are placed one at a time, those of the scarcest class first, into the fold with the
/// fewest rows of that class (iterative stratification, Sechidis et al. 2011, on groups instead of
/// rows). A class that occurs in at least `k` groups is so held out in every fold, except where
/// groups of a scarcer class that also hold it stand in its way.
///
/// Fewer than `k` groups are an error; [`feasible_folds`] says how many folds the groups allow.
/// The held-out parts of the folds are disjoint and together are all rows.
pub fn grouped_stratified_kfold(
    labels: &[u32],
    groups: &[u32],
    n_classes: usize,
    k: usize,
    seed: u64,
) -> Result<Vec<Fold>> {
    let table = GroupTable::new(labels, groups, n_classes)?;
    let n_groups = table.rows.len();
    if k < 2 || n_groups < k {
        return Err(Error::input(
            "folds",
            format!("from 2 to {n_groups}, the number of groups"),
            k.to_string(),
            "ask for fewer folds, or give tiles of more patients or slides",
        ));
    }
    let fold_of_group = assign(&table, n_classes, k, seed);
    let mut folds = vec![Fold { train: Vec::new(), held_out: Vec::new() }; k];
    for (row, &group) in groups.iter().enumerate() {
        let own = fold_of_group[table.index(group)];
        for (i, fold) in folds.iter_mut().enumerate() {
            if i == own { fold.held_out.push(row) } else { fold.train.push(row) }
        }
    }
    Ok(folds)
}

/// `repeats` rounds of [`grouped_stratified_kfold`], each shuffled differently, one after another.
pub fn repeated(
    labels: &[u32],
    groups: &[u32],
    n_classes: usize,
    k: usize,
    repeats: usize,
    seed: u64,
) -> Result<Vec<Fold>> {
    let mut folds = Vec::with_capacity(k * repeats);
    for repeat in 0..repeats as u64 {
        // An odd multiplier keeps the seeds of neighbouring runs from sharing repeats.
        let seed = seed.wrapping_add(repeat.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        folds.extend(grouped_stratified_kfold(labels, groups, n_classes, k, seed)?);
    }
    Ok(folds)
}

/// One fold per group, in the order of their numbers; for centres see [`leave_centre_out`].
pub fn leave_one_group_out(groups: &[u32]) -> Result<Vec<Fold>> {
    let mut names = groups.to_vec();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 {
        return Err(Error::input(
            "leave-one-group-out",
            "at least 2 groups",
            names.len().to_string(),
            "give tiles of more groups",
        ));
    }
    let fold = |&name: &u32| {
        let (held_out, train) = (0..groups.len()).partition(|&row| groups[row] == name);
        Fold { train, held_out }
    };
    Ok(names.iter().map(fold).collect())
}

/// One fold per centre, in the order of their numbers, that holds out the centre's rows.
///
/// A patient seen at two centres stays whole: where one of their rows is held out, the others are
/// not trained on. Such rows are on neither side of that fold.
pub fn leave_centre_out(centres: &[u32], groups: &[u32]) -> Result<Vec<Fold>> {
    if centres.len() != groups.len() {
        return Err(Error::input(
            "leave-centre-out",
            format!("{} groups, one per centre entry", centres.len()),
            groups.len().to_string(),
            "give one centre and one group per row",
        ));
    }
    let mut folds = leave_one_group_out(centres)?;
    for fold in &mut folds {
        let held_out: BTreeSet<u32> = fold.held_out.iter().map(|&row| groups[row]).collect();
        fold.train.retain(|&row| !held_out.contains(&groups[row]));
        if fold.train.is_empty() {
            return Err(Error::input(
                "leave-centre-out",
                "patients who are not seen at every centre",
                "a centre that leaves no rows to train on",
                "check the centre column, or use grouped folds",
            ));
        }
    }
    Ok(folds)
}

/// The largest number of folds, at most `k`, for which each class that occurs can be both held
/// out and trained on in every fold: the number of groups of the class that has the fewest.
///
/// Below 2 no grouped cross-validation is possible.
pub fn feasible_folds(labels: &[u32], groups: &[u32], n_classes: usize, k: usize) -> Result<usize> {
    let table = GroupTable::new(labels, groups, n_classes)?;
    let groups_with = |class: usize| table.counts.iter().filter(|c| c[class] > 0).count();
    Ok((0..n_classes).map(groups_with).filter(|&n| n > 0).min().unwrap_or(0).min(k))
}

/// Rows per class of every group, groups in the order of their numbers.
struct GroupTable {
    names: Vec<u32>,
    rows: Vec<usize>,
    counts: Vec<Vec<usize>>,
}

impl GroupTable {
    fn new(labels: &[u32], groups: &[u32], n_classes: usize) -> Result<Self> {
        if labels.len() != groups.len() {
            return Err(Error::input(
                "split",
                format!("{} groups, one per label", labels.len()),
                groups.len().to_string(),
                "give one label and one group per row",
            ));
        }
        if let Some(label) = labels.iter().find(|&&l| l as usize >= n_classes) {
            return Err(Error::input(
                "split",
                format!("class indices below {n_classes}"),
                label.to_string(),
                "count every class",
            ));
        }
        let mut names = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        let mut table = Self {
            rows: vec![0; names.len()],
            counts: vec![vec![0; n_classes]; names.len()],
            names,
        };
        for (&label, &group) in labels.iter().zip(groups) {
            let at = table.index(group);
            table.rows[at] += 1;
            table.counts[at][label as usize] += 1;
        }
        Ok(table)
    }

    fn index(&self, group: u32) -> usize {
        self.names.partition_point(|&name| name < group)
    }
}

/// The fold of every group of the table.
fn assign(table: &GroupTable, n_classes: usize, k: usize, seed: u64) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..table.rows.len()).collect();
    waiting.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut fold_rows = vec![0_usize; k];
    let mut fold_counts = vec![vec![0_usize; n_classes]; k];
    let mut fold_of_group = vec![0; table.rows.len()];
    while !waiting.is_empty() {
        let groups_with =
            |class: usize| waiting.iter().filter(|&&g| table.counts[g][class] > 0).count();
        let scarcest = (0..n_classes).map(|c| (groups_with(c), c)).filter(|&(n, _)| n > 0).min();
        let Some((_, class)) = scarcest else { break };
        let (mut placed, rest): (Vec<usize>, Vec<usize>) =
            waiting.iter().partition(|&&g| table.counts[g][class] > 0);
        // Large groups first, so that small ones can even out; the sort keeps the shuffled order
        // of equal ones.
        placed.sort_by_key(|&g| std::cmp::Reverse((table.counts[g][class], table.rows[g])));
        for group in placed {
            let least = |&f: &usize| (fold_counts[f][class], fold_rows[f], f);
            let fold = (0..k).min_by_key(least).unwrap_or(0);
            fold_of_group[group] = fold;
            fold_rows[fold] += table.rows[group];
            for (total, count) in fold_counts[fold].iter_mut().zip(&table.counts[group]) {
                *total += count;
            }
        }
        waiting = rest;
    }
    fold_of_group
}

#[cfg(test)]
mod tests;
