// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rankings by real probes on patients of unequal size and prevalence.
//!
//! Equal backbones and copies of one must not be told apart, and the gain of a choice among equal
//! ones must not leave 0 out. The full size is run by `cargo xtask bench truth`; each case prints
//! a line that begins with `truth: `.

use std::sync::Arc;

use eosin_core::{LabelledSet, Matrix, ProxyTask, TrainView};
use eosin_eval::splits;
use eosin_proxy::select::{Arm, Cost, RankOptions, Ranking, rank};
use eosin_proxy::{LinearProbe, SimpleShot};
use eosin_testkit::unequal::{DrawnPatients, UnequalPatients};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use crate::support::Ridge;

const DIM: usize = 5;

fn draw(n_patients: usize, effects: Vec<f64>, seed: u64) -> DrawnPatients {
    let median_tiles = 12.0;
    UnequalPatients { n_patients, effects, dim: DIM, median_tiles, ..UnequalPatients::default() }
        .draw(seed)
}

/// The same embeddings with their dimensions in another order and a ten-thousandth of noise.
fn copy(features: &[f32], seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..DIM).collect();
    order.shuffle(&mut rng);
    let noise = |rng: &mut ChaCha8Rng| 1e-4 * rng.sample::<f32, _>(StandardNormal);
    features
        .chunks(DIM)
        .flat_map(|row| order.iter().map(|&d| row[d] + noise(&mut rng)).collect::<Vec<f32>>())
        .collect()
}

/// Scores every arm as a selection does, and ranks them.
fn ranked(
    drawn: &DrawnPatients,
    probe: &dyn ProxyTask,
    seed: u64,
    nested: bool,
) -> Option<Ranking> {
    let names: Vec<String> = drawn.groups.iter().map(|g| format!("p{g:03}")).collect();
    let rounds = splits::repeated(&drawn.labels, &drawn.groups, 2, 5, 5, seed).ok()?;
    let inner =
        splits::inner_folds(&drawn.labels, &drawn.groups, 2, &rounds.folds, 3, seed).unwrap();
    let arms: Vec<Arm> = drawn
        .features
        .iter()
        .enumerate()
        .map(|(i, features)| {
            let rows: Vec<&[f32]> = features.chunks(DIM).collect();
            let classes = vec!["normal".to_string(), "tumour".to_string()];
            let matrix = Matrix::from_rows(&rows).unwrap();
            let set = LabelledSet::new(matrix, classes, drawn.labels.clone(), &names).unwrap();
            let view = TrainView::whole(&set);
            let means = inner
                .as_ref()
                .filter(|_| nested)
                .map(|inner| inner.means(&probe.score(&view, &inner.folds).unwrap().folds));
            Arm {
                backbone: format!("net-{i}"),
                // Equal costs, so that the better mean is taken.
                cost: Cost::default(),
                scores: vec![probe.score(&view, &rounds.folds).unwrap()],
                inner: means,
                ..Arm::default()
            }
        })
        .collect();
    let options = RankOptions {
        probe: probe.kind().to_string(),
        test_train_ratio: splits::test_train_ratio(&rounds.folds, &drawn.groups),
        rope: 0.0,
        draws: 10,
        ..RankOptions::default()
    };
    Some(rank(&arms, &options).unwrap())
}

fn linear() -> LinearProbe {
    LinearProbe::new(Arc::new(Ridge))
}

fn says_a_difference(ranking: Option<&Ranking>) -> bool {
    ranking.is_some_and(|r| r.pairs.iter().any(|p| p.word.differs()))
}

fn says_a_gain(ranking: Option<&Ranking>) -> bool {
    let Some(ranking) = ranking else { return false };
    let random = ranking.baselines.iter().find(|b| b.name == "random pick");
    random.and_then(|b| b.gain).is_some_and(|g| g.lower > 0.0 || g.upper < 0.0)
}

fn share(draws: u64, of: impl Fn(u64) -> bool + Sync) -> f64 {
    (0..draws).into_par_iter().filter(|&seed| of(seed)).count() as f64 / draws as f64
}

/// Prints a rate with its bar, and checks it with three standard errors of room where few draws
/// were made.
#[track_caller]
fn at_most(what: &str, rate: f64, bar: f64, draws: u64, full: bool) {
    println!(
        "truth: {{\"case\": \"{what}\", \"value\": {rate:.4}, \"bar\": \"at most {bar}\", \"draws\": {draws}}}"
    );
    let chance = 3.0 * (bar * (1.0 - bar) / draws as f64).sqrt();
    assert!(full || rate <= bar + chance, "{what}: {rate}");
}

fn copies(draws: u64, full: bool) {
    let linear = linear();
    for (name, probe) in [("linear", &linear as &dyn ProxyTask), ("simple-shot", &SimpleShot)] {
        let rate = share(draws, |seed| {
            let mut drawn = draw(17, vec![1.5], 40_000 + seed);
            let first = drawn.features[0].clone();
            drawn.features.extend((1..4).map(|i| copy(&first, 10 * seed + i)));
            says_a_difference(ranked(&drawn, probe, seed, false).as_ref())
        });
        let what = format!("any of four copies of a backbone told apart by {name}, 17 patients");
        at_most(&what, rate, 0.06, draws, full);
    }
}

#[test]
fn copies_of_a_backbone_are_not_told_apart() {
    copies(20, false);
}

#[test]
#[ignore = "the full size of `cargo xtask bench truth`"]
fn full_copies() {
    copies(50, true);
}

fn equals(cases: &[(usize, usize)], draws: u64, full: bool) {
    for &(n, n_arms) in cases {
        let found: Vec<(bool, bool)> = (0..draws)
            .into_par_iter()
            .map(|seed| {
                let drawn = draw(n, vec![1.2; n_arms], 50_000 + seed);
                let ranking = ranked(&drawn, &SimpleShot, seed, true);
                (says_a_difference(ranking.as_ref()), says_a_gain(ranking.as_ref()))
            })
            .collect();
        let rate = |of: fn(&(bool, bool)) -> bool| {
            found.iter().filter(|f| of(f)).count() as f64 / draws as f64
        };
        let what = format!("{n_arms} equal backbones, {n} patients");
        at_most(&format!("ranking tells any of {what} apart"), rate(|f| f.0), 0.06, draws, full);
        at_most(
            &format!("ranking calls the choice a gain among {what}"),
            rate(|f| f.1),
            0.06,
            draws,
            full,
        );
    }
}

#[test]
fn a_ranking_of_equals_says_no_difference_and_no_gain() {
    equals(&[(17, 4)], 60, false);
}

#[test]
#[ignore = "the full size of `cargo xtask bench truth`"]
fn full_rankings() {
    equals(&[(10, 4), (17, 4), (25, 4), (60, 4)], 400, true);
}
