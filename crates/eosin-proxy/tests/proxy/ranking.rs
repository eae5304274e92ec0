// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{ProxyScores, TrainView};
use eosin_eval::splits;
use eosin_proxy::select::{Arm, Cost, RankOptions, Ranking, rank, test_train_ratio};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::Deserialize;

use crate::support::{golden, patients};

#[derive(Deserialize)]
struct Golden {
    test_train_ratio: f64,
    scores: BTreeMap<String, Vec<f64>>,
    arms: Vec<GoldenArm>,
    pairs: Vec<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct GoldenArm {
    backbone: String,
    mean: f64,
    lower: f64,
    upper: f64,
    probability_best: f64,
}

fn arm(name: &str, folds: &[f64]) -> Arm {
    Arm {
        backbone: name.into(),
        control: name == "colour",
        cost: Cost::default(),
        scores: vec![ProxyScores {
            probe: "linear".into(),
            metric: "balanced accuracy".into(),
            folds: folds.to_vec(),
        }],
        ..Arm::default()
    }
}

fn costing(mut arm: Arm, tiles_per_s: f64) -> Arm {
    arm.cost.tiles_per_s = Some(tiles_per_s);
    arm
}

/// 25 folds around a mean, with a fold effect that all arms share and one of their own.
fn folds(mean: f64, own_sd: f64, rng: &mut ChaCha8Rng, shared: &[f64]) -> Vec<f64> {
    let own = |s: &f64| mean + 0.02 * s + own_sd * rng.sample::<f64, _>(StandardNormal);
    shared.iter().map(own).collect()
}

fn shared(rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..25).map(|_| rng.sample(StandardNormal)).collect()
}

#[test]
fn every_figure_is_that_of_scipy() {
    let golden: Golden = golden("ranking.json");
    let arms: Vec<Arm> = golden.scores.iter().map(|(name, s)| arm(name, s)).collect();
    let options =
        RankOptions { test_train_ratio: golden.test_train_ratio, ..RankOptions::default() };
    let ranking = rank(&arms, &options).unwrap();
    let close = |what: &str, found: f64, expected: f64, tolerance: f64| {
        assert!((found - expected).abs() < tolerance, "{what}: found {found}, expected {expected}");
    };
    for (found, expected) in ranking.arms.iter().zip(&golden.arms) {
        assert_eq!(found.backbone, expected.backbone);
        close("mean", found.mean, expected.mean, 1e-12);
        close("lower", found.lower, expected.lower, 1e-9);
        close("upper", found.upper, expected.upper, 1e-9);
        // Both are Monte Carlo: 10,000 draws have a standard error of at most 0.005.
        close("best", found.probability_best, expected.probability_best, 0.02);
    }
    assert_eq!(ranking.pairs.len(), golden.pairs.len());
    for (found, expected) in ranking.pairs.iter().zip(&golden.pairs) {
        let serde_json::Value::Object(found) = serde_json::to_value(found).unwrap() else {
            panic!("a pair is a map")
        };
        for (key, value) in expected {
            match value.as_f64() {
                Some(number) => close(key, found[key].as_f64().unwrap(), number, 1e-9),
                None => assert_eq!(&found[key], value),
            }
        }
    }
}

#[test]
fn a_clear_winner_is_selected_and_said() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let common = shared(&mut rng);
    let arms = [
        costing(arm("good", &folds(0.90, 0.01, &mut rng, &common)), 10.0),
        costing(arm("poor", &folds(0.70, 0.01, &mut rng, &common)), 100.0),
        arm("colour", &folds(0.60, 0.01, &mut rng, &common)),
    ];
    let ranking = rank(&arms, &RankOptions::default()).unwrap();
    assert_eq!(ranking.selected, "good");
    assert!(ranking.verdict.contains("good is better than all other"), "{}", ranking.verdict);
    assert!(!ranking.verdict.contains("Caution"), "{}", ranking.verdict);
    assert_eq!(ranking.groups, vec![vec!["good"], vec!["poor"], vec!["colour"]]);
    assert!(ranking.arm("good").unwrap().probability_best > 0.99);
}

#[test]
fn of_equals_the_cheaper_is_taken_and_the_verdict_says_why() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let common = shared(&mut rng);
    let arms = [
        costing(arm("slow", &folds(0.853, 0.002, &mut rng, &common)), 10.0),
        costing(arm("fast", &folds(0.850, 0.002, &mut rng, &common)), 30.0),
        costing(arm("fastest", &folds(0.70, 0.002, &mut rng, &common)), 300.0),
    ];
    let ranking = rank(&arms, &RankOptions::default()).unwrap();
    assert_eq!(ranking.arms[0].backbone, "slow");
    assert_eq!(ranking.selected, "fast");
    assert!(ranking.verdict.contains("take fast: it is 3.0× as fast"), "{}", ranking.verdict);
    let strict = rank(&arms, &RankOptions { rope: 0.0, ..RankOptions::default() }).unwrap();
    assert_eq!(strict.selected, "slow");
}

#[test]
fn a_control_is_never_selected_and_its_rivalry_is_said() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let common = shared(&mut rng);
    let arms = [
        arm("net", &folds(0.80, 0.01, &mut rng, &common)),
        arm("colour", &folds(0.82, 0.01, &mut rng, &common)),
    ];
    let ranking = rank(&arms, &RankOptions::default()).unwrap();
    assert_eq!((ranking.arms[0].backbone.as_str(), ranking.selected.as_str()), ("colour", "net"));
    assert!(ranking.verdict.contains("only candidate"), "{}", ranking.verdict);
    assert!(ranking.verdict.contains("Caution"), "{}", ranking.verdict);
}

#[test]
fn a_control_that_wins_is_said_to_win_and_one_that_ties_to_tie() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let common = shared(&mut rng);
    let against = |control: f64, rng: &mut ChaCha8Rng| {
        let arms = [
            arm("net", &folds(0.80, 0.01, rng, &common)),
            arm("colour", &folds(control, 0.01, rng, &common)),
        ];
        rank(&arms, &RankOptions::default()).unwrap().verdict
    };
    let better = against(0.90, &mut rng);
    assert!(better.contains("the control colour does better than net"), "{better}");
    assert!(!better.contains("cannot be told"), "{better}");
    let tied = against(0.80, &mut rng);
    assert!(tied.contains("net cannot be told from the control colour"), "{tied}");
    let worse = against(0.60, &mut rng);
    assert!(!worse.contains("Caution"), "{worse}");
}

#[test]
fn no_effect_is_called_tied_in_at_least_93_percent_of_200_draws() {
    let mut all_tied = 0;
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let common = shared(&mut rng);
        let arms: Vec<Arm> = (0..4)
            .map(|i| arm(&format!("net-{i}"), &folds(0.8, 0.02, &mut rng, &common)))
            .collect();
        let ranking = rank(&arms, &RankOptions { draws: 10, ..RankOptions::default() }).unwrap();
        all_tied += u32::from(ranking.arms.iter().all(|a| a.tied_with_best));
    }
    assert!(all_tied >= 186, "tied in {all_tied} of 200");
}

#[test]
fn a_ranking_survives_json_and_has_the_same_bytes_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let common = shared(&mut rng);
    let arms = [
        arm("a", &folds(0.8, 0.01, &mut rng, &common)),
        arm("b", &[0.75; 25]),
        arm("c", &[0.75; 25]),
    ];
    let text = |_| serde_json::to_string(&rank(&arms, &RankOptions::default()).unwrap()).unwrap();
    assert_eq!(text(0), text(1));
    let again: Ranking = serde_json::from_str(&text(0)).unwrap();
    let ranking = rank(&arms, &RankOptions::default()).unwrap();
    assert_eq!((again.verdict, again.groups), (ranking.verdict, ranking.groups));
    assert_eq!(again.pairs.len(), ranking.pairs.len());
}

#[test]
fn arms_that_cannot_be_compared_are_refused() {
    let check = |arms: &[Arm], expected: &str| {
        let error = rank(arms, &RankOptions::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&[], "at least one that is not a control");
    check(&[arm("colour", &[0.5, 0.6])], "at least one that is not a control");
    check(&[arm("a", &[0.5, 0.6]), arm("a", &[0.5, 0.6])], "different names");
    check(&[arm("a", &[0.5, 0.6]), arm("b", &[0.5])], "scores of b");
    check(&[arm("a", &[0.5, f64::NAN])], "finite scores");
    check(&[Arm { scores: Vec::new(), ..arm("a", &[]) }], "probe linear");
}

#[test]
fn the_ratio_counts_groups() {
    let set = patients(10, 6, 2, 1.0, 0.1, 1);
    let view = TrainView::whole(&set);
    let folds = splits::grouped_stratified_kfold(&view.labels(), &view.groups(), 2, 5, 1).unwrap();
    assert!((test_train_ratio(&view, &folds) - 0.25).abs() < 1e-12);
}
