// SPDX-License-Identifier: MIT OR Apache-2.0

//! Arms under cross-validation: how often equal ones are called different, and how often a choice
//! among equal ones is called a gain.

use eosin_core::Fold;
use eosin_eval::choice::largest;
use eosin_eval::inference::{CrossValidated, FoldScores, Word};
use eosin_eval::metrics::auroc;
use eosin_eval::splits::{inner_folds, repeated, test_train_ratio};
use eosin_eval::{NestedScores, choice_gain};
use eosin_testkit::unequal::{DrawnPatients, UnequalPatients};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{FULL, SMALL, Size};

const DIM: usize = 6;

fn patients(n_patients: usize, effects: &[f64]) -> UnequalPatients {
    UnequalPatients {
        n_patients,
        effects: effects.to_vec(),
        dim: DIM,
        ..UnequalPatients::default()
    }
}

/// The AUROC of the direction between the class means of the training rows, on the held-out ones.
fn score(drawn: &DrawnPatients, arm: usize, fold: &Fold) -> f64 {
    let features = &drawn.features[arm];
    let row = |i: usize| &features[i * DIM..(i + 1) * DIM];
    let mut sums = [[0.0_f64; DIM]; 2];
    let mut counts = [0.0; 2];
    for &i in &fold.train {
        let class = drawn.labels[i] as usize;
        counts[class] += 1.0;
        for (sum, value) in sums[class].iter_mut().zip(row(i)) {
            *sum += f64::from(*value);
        }
    }
    let place = |class: usize, d: usize| sums[class][d] / counts[class];
    let direction: Vec<f64> = (0..DIM).map(|d| place(1, d) - place(0, d)).collect();
    let project = |&i: &usize| row(i).iter().zip(&direction).map(|(x, w)| f64::from(*x) * w).sum();
    let scores: Vec<f64> = fold.held_out.iter().map(project).collect();
    let labels: Vec<bool> = fold.held_out.iter().map(|&i| drawn.labels[i] == 1).collect();
    auroc(&scores, &labels, None)
}

fn scores(drawn: &DrawnPatients, arm: usize, folds: &[Fold]) -> Vec<f64> {
    folds.iter().map(|fold| score(drawn, arm, fold)).collect()
}

fn compared(drawn: &DrawnPatients, folds: &[Fold]) -> CrossValidated {
    CrossValidated {
        arms: (0..drawn.features.len())
            .map(|arm| FoldScores { name: arm.to_string(), scores: scores(drawn, arm, folds) })
            .collect(),
        test_train_ratio: test_train_ratio(folds, &drawn.groups),
        level: 0.95,
        rope: 0.01,
    }
}

/// The share of draws of which something holds.
fn share(size: Size, of: impl Fn(u64) -> bool + Sync) -> f64 {
    (0..size.draws).into_par_iter().filter(|&seed| of(seed)).count() as f64 / size.draws as f64
}

fn differs(drawn: &DrawnPatients, folds: &[Fold]) -> bool {
    let cross = compared(drawn, folds);
    cross.compare(&cross.all_pairs()).unwrap().iter().any(|c| c.word.differs())
}

fn any_pair_differs(patients: &UnequalPatients, seed: u64) -> bool {
    let drawn = patients.draw(seed);
    let rounds = repeated(&drawn.labels, &drawn.groups, 2, 5, 5, seed);
    rounds.is_ok_and(|rounds| differs(&drawn, &rounds.folds))
}

/// Five partitions by permutations of which nothing is asked but both classes in every fold: what
/// power is measured against.
fn plain_partitions(drawn: &DrawnPatients, seed: u64) -> Option<Vec<Fold>> {
    let n_groups = drawn.groups.iter().max()? + 1;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut folds = Vec::new();
    for _ in 0..2000 {
        let mut order: Vec<usize> = (0..n_groups as usize).collect();
        order.shuffle(&mut rng);
        let mut fold_of = vec![0; order.len()];
        for (place, &group) in order.iter().enumerate() {
            fold_of[group] = place % 5;
        }
        let made: Vec<Fold> = (0..5)
            .map(|fold| {
                let inside = |&row: &usize| fold_of[drawn.groups[row] as usize] == fold;
                let (held_out, train) = (0..drawn.groups.len()).partition(inside);
                Fold { train, held_out }
            })
            .collect();
        let both = |f: &Fold| (0..2).all(|c| f.held_out.iter().any(|&r| drawn.labels[r] == c));
        if made.iter().all(both) {
            folds.extend(made);
        }
        if folds.len() == 25 {
            return Some(folds);
        }
    }
    None
}

fn equal_pairs(size: Size, n_groups: &[usize]) {
    for &n in n_groups {
        let two = share(size, |seed| any_pair_differs(&patients(n, &[1.0; 2]), seed));
        size.at_most(&format!("two equal arms told apart, {n} patients"), two, 0.06);
        let four = share(size, |seed| any_pair_differs(&patients(n, &[1.0; 4]), seed + 100_000));
        size.at_most(&format!("any of four equal arms told apart, {n} patients"), four, 0.06);
        // Nothing is bought by saying nothing.
        let moderate = patients(n, &[0.8, 1.2]);
        let found = share(size, |seed| any_pair_differs(&moderate, seed + 200_000));
        let plain = share(size, |seed| {
            let drawn = moderate.draw(seed + 200_000);
            plain_partitions(&drawn, seed).is_some_and(|folds| differs(&drawn, &folds))
        });
        size.print(&format!("power at a moderate effect, {n} patients"), found, "beside");
        let what = format!("power over that on unconstrained random partitions, {n} patients");
        size.print(&what, found / plain, "at least 0.95");
    }
}

#[test]
fn equal_arms_are_not_told_apart() {
    equal_pairs(SMALL, &[10, 25]);
}

#[test]
#[ignore = "the full size of `cargo xtask bench truth`"]
fn full_equal_arms() {
    equal_pairs(FULL, &[10, 17, 25, 60]);
}

/// Whether the interval of the gain of a choice over the mean of all arms leaves 0 out, and whether
/// that of the same folds, which is never shown, would.
fn choice_leaves_zero_out(n: usize, n_arms: usize, seed: u64) -> (bool, bool) {
    let drawn = patients(n, &vec![1.0; n_arms]).draw(seed);
    let (labels, groups) = (&drawn.labels, &drawn.groups);
    let Ok(rounds) = repeated(labels, groups, 2, 5, 5, seed) else { return (false, false) };
    let Some(inside) = inner_folds(labels, groups, 2, &rounds.folds, 3, seed).unwrap() else {
        return (false, false);
    };
    let outer: Vec<Vec<f64>> = (0..n_arms).map(|a| scores(&drawn, a, &rounds.folds)).collect();
    let inner: Vec<Vec<f64>> =
        (0..n_arms).map(|a| inside.means(&scores(&drawn, a, &inside.folds))).collect();
    let mean = |fold: usize| outer.iter().map(|a| a[fold]).sum::<f64>() / n_arms as f64;
    let baseline: Vec<f64> = (0..rounds.folds.len()).map(mean).collect();
    let ratio = test_train_ratio(&rounds.folds, groups);
    let nested =
        NestedScores { inner: &inner, outer: &outer, test_train_ratio: ratio, level: 0.95 };
    let of = |inner: &[Vec<f64>]| {
        let gain = choice_gain(NestedScores { inner, ..nested }, &baseline, largest).unwrap().gain;
        gain.lower > 0.0 || gain.upper < 0.0
    };
    let means: Vec<Vec<f64>> = outer
        .iter()
        .map(|arm| vec![arm.iter().sum::<f64>() / arm.len() as f64; arm.len()])
        .collect();
    (of(&inner), of(&means))
}

fn equal_choices(size: Size, cases: &[(usize, usize)]) {
    for &(n, n_arms) in cases {
        let found: Vec<(bool, bool)> = (0..size.draws)
            .into_par_iter()
            .map(|seed| choice_leaves_zero_out(n, n_arms, seed + 300_000))
            .collect();
        let rate = |of: fn(&(bool, bool)) -> bool| {
            found.iter().filter(|f| of(f)).count() as f64 / size.draws as f64
        };
        let what = format!("choice among {n_arms} equal arms called a gain, {n} patients");
        size.at_most(&what, rate(|f| f.0), 0.06);
        size.print(&format!("{what}, on the folds that chose"), rate(|f| f.1), "beside");
    }
}

#[test]
fn a_choice_among_equal_arms_is_no_gain() {
    equal_choices(SMALL, &[(17, 2), (25, 5)]);
}

#[test]
#[ignore = "the full size of `cargo xtask bench truth`"]
fn full_choices() {
    let cases: Vec<(usize, usize)> =
        [10, 17, 25, 60].iter().flat_map(|&n| [2, 5, 10].map(|arms| (n, arms))).collect();
    equal_choices(FULL, &cases);
}

#[test]
fn an_effect_is_found_and_a_copy_is_equivalent() {
    let drawn = patients(40, &[0.6, 2.0]).draw(3);
    let folds = repeated(&drawn.labels, &drawn.groups, 2, 5, 5, 1).unwrap().folds;
    let cross = compared(&drawn, &folds);
    assert_eq!(cross.compare(&[(1, 0)]).unwrap()[0].word, Word::Better);
    let mut copied = drawn.clone();
    copied.features[1] = copied.features[0].iter().map(|x| x * 1.0001).collect();
    let cross = compared(&copied, &folds);
    assert_eq!(cross.compare(&[(1, 0)]).unwrap()[0].word, Word::Equivalent);
}
