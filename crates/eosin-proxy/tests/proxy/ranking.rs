// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::ProxyScores;
use eosin_eval::Word;
use eosin_proxy::select::{Arm, Cost, RankOptions, Ranking, rank};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::Deserialize;

use crate::support::golden;

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
    probability_best: Option<f64>,
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
        assert_eq!(found.probability_best.is_some(), expected.probability_best.is_some());
        if let Some((found, expected)) = found.probability_best.zip(expected.probability_best) {
            close("best", found, expected, 0.02);
        }
    }
    assert_eq!(ranking.pairs.len(), golden.pairs.len());
    for (found, expected) in ranking.pairs.iter().zip(&golden.pairs) {
        let serde_json::Value::Object(found) = serde_json::to_value(found).unwrap() else {
            panic!("a pair is a map")
        };
        for (key, value) in expected {
            match (value.as_f64(), value.as_object()) {
                (Some(number), _) => close(key, found[key].as_f64().unwrap(), number, 1e-9),
                (None, Some(parts)) => {
                    for (part, number) in parts {
                        let found = found[key][part].as_f64().unwrap();
                        close(part, found, number.as_f64().unwrap(), 1e-9);
                    }
                }
                (None, None) => assert_eq!(&found[key], value),
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
    assert_eq!(ranking.caution, None);
    assert!(ranking.pairs.iter().all(|p| p.word == Word::Better));
    assert!(ranking.arm("good").unwrap().probability_best.unwrap() > 0.99);
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
    assert!(ranking.caution.is_some_and(|said| said.starts_with("Caution")));
}

#[test]
fn a_control_that_wins_is_said_to_win_and_one_that_is_alike_to_be_so() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let common = shared(&mut rng);
    let against = |control: f64, rng: &mut ChaCha8Rng| {
        let arms = [
            arm("net", &folds(0.80, 0.01, rng, &common)),
            arm("colour", &folds(control, 0.01, rng, &common)),
        ];
        rank(&arms, &RankOptions::default()).unwrap().caution.unwrap_or_default()
    };
    let better = against(0.90, &mut rng);
    assert!(better.contains("the control colour does better than net"), "{better}");
    assert!(!better.contains("cannot be told"), "{better}");
    let alike = against(0.80, &mut rng);
    assert!(alike.contains("net cannot be told from the control colour"), "{alike}");
    let worse = against(0.60, &mut rng);
    assert_eq!(worse, "");
}

#[test]
fn arms_like_the_best_are_not_told_apart_and_copies_are_equivalent() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let common = shared(&mut rng);
    let best = folds(0.80, 0.02, &mut rng, &common);
    let copy: Vec<f64> = best.iter().map(|s| s - 1e-5).collect();
    let arms = [
        arm("net", &best),
        arm("copy", &copy),
        arm("near", &folds(0.795, 0.02, &mut rng, &common)),
        arm("far", &folds(0.60, 0.02, &mut rng, &common)),
        arm("colour", &folds(0.79, 0.02, &mut rng, &common)),
    ];
    let ranking = rank(&arms, &RankOptions::default()).unwrap();
    let word = |name: &str| ranking.arm(name).unwrap().against_best;
    assert_eq!((word("net"), word("near")), (None, Some(Word::NotToldApart)), "{ranking:?}");
    assert_eq!(word("far"), Some(Word::Worse));
    let said = &ranking.verdict;
    assert!(said.contains("net scores highest and is not told apart from near"), "{said}");
    assert!(!said.contains("tied") && !said.contains("far"), "{said}");
    // A constant difference has no spread, so that even the smallest is a difference.
    let noisy: Vec<f64> =
        best.iter().enumerate().map(|(i, s)| s + 1e-4 * (-1.0_f64).powi(i as i32)).collect();
    let ranking = rank(&[arm("net", &best), arm("copy", &noisy)], &RankOptions::default()).unwrap();
    assert_eq!(ranking.pairs[0].word, Word::Equivalent);
    assert!(ranking.verdict.contains("is equivalent to"), "{}", ranking.verdict);
}

#[test]
fn a_control_is_no_candidate_for_the_best() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let common = shared(&mut rng);
    let arms = [
        arm("net", &folds(0.70, 0.01, &mut rng, &common)),
        arm("other", &folds(0.60, 0.01, &mut rng, &common)),
        arm("colour", &folds(0.80, 0.01, &mut rng, &common)),
    ];
    let ranking = rank(&arms, &RankOptions::default()).unwrap();
    assert_eq!(ranking.arm("colour").unwrap().probability_best, None);
    let chance = |name: &str| ranking.arm(name).unwrap().probability_best.unwrap();
    assert!((chance("net") + chance("other") - 1.0).abs() < 1e-9 && chance("net") > 0.99);
    assert!(ranking.verdict.contains("probability of being the best candidate 1.00"));
}

#[test]
fn the_gain_of_a_choice_is_measured_on_folds_that_had_no_say() {
    // On the outer folds `lucky` is best by chance; the inner folds choose the other.
    let with = |name: &str, outer: f64, inner: f64| Arm {
        inner: Some(vec![inner; 25]),
        ..arm(name, &(0..25).map(|i| outer + 0.01 * f64::from(i % 5)).collect::<Vec<_>>())
    };
    let arms = [with("lucky", 0.85, 0.70), with("steady", 0.80, 0.80)];
    let options = RankOptions { default_backbone: Some("steady".into()), ..RankOptions::default() };
    let ranking = rank(&arms, &options).unwrap();
    assert_eq!(ranking.selected, "lucky");
    let gain = |name: &str| {
        let found = ranking.baselines.iter().find(|b| b.name == name).unwrap();
        found.gain.unwrap().estimate
    };
    assert!(gain("default").abs() < 1e-12 && (gain("random pick") + 0.025).abs() < 1e-12);
    // Without inner scores there is no gain to speak of.
    let bare = arms.map(|arm| Arm { inner: None, ..arm });
    assert!(rank(&bare, &options).unwrap().baselines.iter().all(|b| b.gain.is_none()));
    let short = [Arm { inner: Some(vec![0.5; 3]), ..arm("a", &[0.5; 25]) }];
    assert!(rank(&short, &options).is_err());
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
    assert_eq!(again.verdict, ranking.verdict);
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
