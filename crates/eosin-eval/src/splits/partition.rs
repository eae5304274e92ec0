// SPDX-License-Identifier: MIT OR Apache-2.0

//! Random partitions of groups into folds, no two of them alike.
//!
//! An assignment that sorts groups by size gives one and the same partition whatever the seed, and
//! tests that count repeats then take one partition for many. Here groups go to folds by a random
//! permutation, and a draw that serves no cross-validation is drawn again.

use std::collections::BTreeSet;

use eosin_core::{Error, Fold, Result};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::GroupTable;

/// How far a fold may stray from an even share: it has at least 1/`TOLERANCE` and at most
/// `TOLERANCE` times the mean fold's rows, and each class's share of its rows is within the same
/// factor of the class's share of all rows. A tighter one would make partitions alike, and with
/// them the tests that rest on their being different too sure.
pub const TOLERANCE: f64 = 4.0;

/// Draws of one kind at most, and at least; in between, as many as look at so many groups.
const MOST_DRAWS: usize = 20_000;
const FEWEST_DRAWS: usize = 200;
const GROUPS_LOOKED_AT: usize = 4_000_000;

/// Folds of repeated cross-validation, with what had to be given up for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// `k` folds for every repeat, one repeat after another.
    pub folds: Vec<Fold>,
    /// Folds of a repeat.
    pub k: usize,
    /// Partitions, no two alike: what statistics may count as repeats.
    pub repeats: usize,
    /// Where they are fewer than was asked for, or less even, the reason in a sentence each.
    pub notes: Vec<String>,
}

/// Parts rows into at most `k` folds by a random permutation of the groups: no group is torn, and
/// every class that occurs in two groups or more is held out and trained on in every fold, as far
/// as the groups allow.
///
/// Fewer than `k` groups are an error; [`feasible_folds`](super::feasible_folds) says how many
/// folds the groups allow. Folds are fewer than `k` where no draw of `k` has all classes in all of
/// them within [`TOLERANCE`]. The held-out parts are disjoint and together are all rows.
pub fn grouped_stratified_kfold(
    labels: &[u32],
    groups: &[u32],
    n_classes: usize,
    k: usize,
    seed: u64,
) -> Result<Vec<Fold>> {
    let table = GroupTable::new(labels, groups, n_classes)?;
    if k < 2 || table.rows.len() < k {
        return Err(refused(k, table.rows.len()));
    }
    Ok(search(&table, groups, k, 1, seed).folds)
}

/// `repeats` partitions into `k` folds, no two of them alike.
///
/// Where the groups do not allow so many folds, or too few random partitions have every class in
/// every fold within [`TOLERANCE`], classes are dealt to the folds one by one, and then there are
/// fewer folds; the notes of the result say so. Only fewer than two groups are an error.
pub fn repeated(
    labels: &[u32],
    groups: &[u32],
    n_classes: usize,
    k: usize,
    repeats: usize,
    seed: u64,
) -> Result<Repeated> {
    let table = GroupTable::new(labels, groups, n_classes)?;
    if k < 2 || repeats == 0 || table.rows.len() < 2 {
        return Err(refused(k, table.rows.len()));
    }
    Ok(search(&table, groups, k, repeats, seed))
}

fn refused(k: usize, n_groups: usize) -> Error {
    Error::input(
        "folds",
        format!("from 2 to {n_groups}, the number of groups"),
        k.to_string(),
        "ask for fewer folds, or give tiles of more patients or slides",
    )
}

/// How groups are dealt to folds.
#[derive(Clone, Copy)]
enum Dealing {
    /// By one permutation of all.
    Plain,
    /// By a permutation within the groups of each class, so that each is spread over all folds.
    ByClass,
}

/// What a draw must have.
#[derive(Clone, Copy, PartialEq)]
enum Demand {
    /// Every class on both sides of every fold, within the tolerance.
    Even,
    /// Every class on both sides of every fold.
    Classes,
    /// Groups in every fold.
    Nothing,
}

/// Partitions with what was given up for them.
struct Found {
    partitions: Vec<Vec<usize>>,
    k: usize,
    dealing: Dealing,
    demand: Demand,
}

fn search(table: &GroupTable, groups: &[u32], asked: usize, repeats: usize, seed: u64) -> Repeated {
    let n_groups = table.rows.len();
    let mut notes = Vec::new();
    let of_class = table.groups_of_classes();
    let scarcest = of_class.iter().copied().filter(|&n| n > 1).min();
    if of_class.contains(&1) {
        notes.push(
            "a class has rows in one group alone: no fold can train on it and hold it out".into(),
        );
    }
    let most = asked.min(n_groups).min(scarcest.unwrap_or(asked)).max(2);
    let mut best =
        Found { partitions: Vec::new(), k: most, dealing: Dealing::Plain, demand: Demand::Nothing };
    'found: for demand in [Demand::Even, Demand::Classes, Demand::Nothing] {
        if demand == Demand::Nothing && !best.partitions.is_empty() {
            break;
        }
        for k in (2..=most).rev() {
            for dealing in [Dealing::Plain, Dealing::ByClass] {
                let partitions = draw(table, k, repeats, seed, dealing, demand);
                let enough = partitions.len() == repeats;
                if enough || partitions.len() * k > best.partitions.len() * best.k {
                    best = Found { partitions, k, dealing, demand };
                }
                if enough {
                    break 'found;
                }
            }
        }
    }
    let Found { partitions: found, k, dealing, demand } = best;
    if k < asked {
        let reason = match scarcest {
            Some(n) if n == k && n < n_groups => format!("a class has rows in {n} groups alone"),
            _ if k == n_groups => format!("there are {n_groups} groups"),
            _ => format!(
                "too few random partitions of {n_groups} groups have every class in more folds, \
                 within a factor of {TOLERANCE} of an even share"
            ),
        };
        notes.push(format!("{asked} folds were asked for and {k} are made: {reason}"));
    }
    if found.len() < repeats {
        notes.push(format!(
            "{repeats} repeats were asked for and {} are made: no more different partitions of \
             {n_groups} groups into {k} folds were found",
            found.len()
        ));
    }
    if matches!(dealing, Dealing::ByClass) {
        notes.push("the groups of each class were dealt to the folds by themselves".into());
    }
    match demand {
        Demand::Even => {}
        Demand::Classes => notes.push(format!(
            "folds differ in size or in the share of a class by more than a factor of {TOLERANCE}"
        )),
        Demand::Nothing => notes.push("some fold lacks a class".into()),
    }
    let mut folds = Vec::with_capacity(found.len() * k);
    for fold_of_group in &found {
        let mut made = vec![Fold { train: Vec::new(), held_out: Vec::new() }; k];
        for (row, &group) in groups.iter().enumerate() {
            let own = fold_of_group[table.index(group)];
            for (i, fold) in made.iter_mut().enumerate() {
                if i == own { fold.held_out.push(row) } else { fold.train.push(row) }
            }
        }
        folds.extend(made);
    }
    Repeated { folds, k, repeats: found.len(), notes }
}

/// At most `wanted` different partitions that have what is demanded, as the fold of every group.
fn draw(
    table: &GroupTable,
    k: usize,
    wanted: usize,
    seed: u64,
    dealing: Dealing,
    demand: Demand,
) -> Vec<Vec<usize>> {
    let n_groups = table.rows.len();
    let draws = (GROUPS_LOOKED_AT / n_groups).clamp(FEWEST_DRAWS, MOST_DRAWS).max(wanted);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let strata = match dealing {
        Dealing::Plain => vec![(0..n_groups).collect()],
        Dealing::ByClass => table.by_scarcest_class(),
    };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for _ in 0..draws {
        let mut fold_of_group = vec![0; n_groups];
        let mut place = rng.random_range(0..k);
        for stratum in &strata {
            let mut order: Vec<usize> = stratum.clone();
            order.shuffle(&mut rng);
            for group in order {
                fold_of_group[group] = place % k;
                place += 1;
            }
        }
        if table.allows(&fold_of_group, k, demand) && seen.insert(canonical(&fold_of_group, k)) {
            found.push(fold_of_group);
            if found.len() == wanted {
                break;
            }
        }
    }
    found
}

/// Folds numbered by their first group: the same for the same partition.
fn canonical(fold_of_group: &[usize], k: usize) -> Vec<u32> {
    let mut names = vec![u32::MAX; k];
    let mut next = 0;
    let name = |&fold: &usize| {
        if names[fold] == u32::MAX {
            names[fold] = next;
            next += 1;
        }
        names[fold]
    };
    fold_of_group.iter().map(name).collect()
}

impl GroupTable {
    fn n_classes(&self) -> usize {
        self.counts.first().map_or(0, Vec::len)
    }

    /// Groups that hold each class.
    fn groups_of_classes(&self) -> Vec<usize> {
        let holding = |class: usize| self.counts.iter().filter(|c| c[class] > 0).count();
        (0..self.n_classes()).map(holding).collect()
    }

    /// Groups by the scarcest class that they hold, scarce ones first.
    fn by_scarcest_class(&self) -> Vec<Vec<usize>> {
        let of_class = self.groups_of_classes();
        let mut classes: Vec<usize> = (0..of_class.len()).collect();
        classes.sort_by_key(|&c| (of_class[c], c));
        let own = |group: usize| classes.iter().position(|&c| self.counts[group][c] > 0);
        let mut strata = vec![Vec::new(); classes.len() + 1];
        for group in 0..self.rows.len() {
            strata[own(group).unwrap_or(classes.len())].push(group);
        }
        strata
    }

    /// Whether a partition has what is demanded.
    fn allows(&self, fold_of_group: &[usize], k: usize, demand: Demand) -> bool {
        if demand == Demand::Nothing {
            return true;
        }
        let n_classes = self.n_classes();
        let mut rows = vec![0_usize; k];
        let mut counts = vec![vec![0_usize; n_classes]; k];
        for (group, &fold) in fold_of_group.iter().enumerate() {
            rows[fold] += self.rows[group];
            for (total, count) in counts[fold].iter_mut().zip(&self.counts[group]) {
                *total += count;
            }
        }
        let n = rows.iter().sum::<usize>() as f64;
        let of_class = self.groups_of_classes();
        let within = |value: f64, even: f64| {
            demand == Demand::Classes || (value * TOLERANCE >= even && value <= even * TOLERANCE)
        };
        (0..n_classes).filter(|&c| of_class[c] > 1).all(|class| {
            let all = counts.iter().map(|c| c[class]).sum::<usize>();
            (0..k).all(|fold| {
                let here = counts[fold][class];
                let share = here as f64 / rows[fold].max(1) as f64;
                here > 0 && here < all && within(share, all as f64 / n)
            })
        }) && rows.iter().all(|&r| within(r as f64, n / k as f64))
    }
}
