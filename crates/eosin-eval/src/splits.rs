// SPDX-License-Identifier: MIT OR Apache-2.0

//! Splits that keep every group on one side.

use std::collections::BTreeSet;

use eosin_core::{Error, Fold, Result};

mod inner;
mod learning;
mod partition;

pub use inner::{InnerFolds, inner_folds};
pub use learning::{LearningSubset, Others, learning_subsets};
pub use partition::{Repeated, TOLERANCE, grouped_stratified_kfold, repeated};

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

/// Held-out groups over training groups, the mean over the folds: the n_te/n_tr of the corrected
/// t-test, counted in groups because tiles of one patient are no independent rows.
pub fn test_train_ratio(folds: &[Fold], groups: &[u32]) -> f64 {
    let count = |rows: &[usize]| rows.iter().map(|&i| groups[i]).collect::<BTreeSet<_>>().len();
    let ratio = |f: &Fold| count(&f.held_out) as f64 / count(&f.train).max(1) as f64;
    folds.iter().map(ratio).sum::<f64>() / folds.len().max(1) as f64
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

#[cfg(test)]
mod tests;
