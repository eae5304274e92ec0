// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::ProxyScores;
use eosin_proxy::select::{
    Arm, Cost, ParetoPoint, RankOptions, Ranking, agreement, kendall_tau_b, pareto_front, rank,
    shortlist,
};
use serde::Deserialize;

use crate::support::golden;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    a: Vec<f64>,
    b: Vec<f64>,
    tau_b: f64,
    p: f64,
}

#[test]
fn tau_and_its_p_are_those_of_scipy() {
    let golden: Golden = golden("agreement.json");
    for case in &golden.cases {
        let found = agreement(&case.a, &case.b).unwrap();
        assert!((found.tau_b - case.tau_b).abs() < 1e-12, "{:?} {found:?}", case.a);
        // scipy gives p of τ/SE by the normal approximation, so p tells the SE.
        assert!((found.p - case.p).abs() < 1e-9, "{} {found:?}", case.p);
    }
    assert_eq!(kendall_tau_b(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), (0.0, 0.0));
}

#[test]
fn regret_and_hits_are_those_of_the_definition() {
    let target = [0.9, 0.8, 0.7, 0.6];
    let perfect = agreement(&[4.0, 3.0, 2.0, 1.0], &target).unwrap();
    assert_eq!((perfect.tau_b, perfect.regret, perfect.top_3_hit), (1.0, 0.0, true));
    let worst = agreement(&[1.0, 2.0, 3.0, 4.0], &target).unwrap();
    assert!((worst.regret - 0.3).abs() < 1e-12 && !worst.top_3_hit);
    assert!((worst.regret_top_3 - 0.1).abs() < 1e-12);
    assert!((worst.regret_random - 0.15).abs() < 1e-12);
    assert!((worst.top_3_hit_random - 0.75).abs() < 1e-12);
    assert!(agreement(&[1.0], &[1.0]).is_err());
    assert!(agreement(&[1.0, f64::NAN], &[1.0, 2.0]).is_err());
}

#[test]
fn the_front_holds_what_nothing_beats() {
    let point = |name: &str, score, seconds| ParetoPoint {
        backbone: name.into(),
        score,
        costs: vec![seconds, 1.0],
    };
    let points = [
        point("large", 0.905, 9.0),
        point("small", 0.900, 1.0),
        point("slow", 0.850, 5.0),
        point("tiny", 0.800, 0.1),
        point("worse-twin", 0.890, 1.0),
    ];
    // Within 0.01, small beats large for being cheaper; without a tolerance both stand.
    assert_eq!(pareto_front(&points, 0.01), [false, true, false, true, false]);
    assert_eq!(pareto_front(&points, 0.0), [true, true, false, true, false]);
}

fn ranking(means: &[(&str, f64)]) -> Ranking {
    let arm = |&(name, mean): &(&str, f64)| Arm {
        backbone: name.into(),
        control: name == "colour",
        cost: Cost::default(),
        scores: vec![ProxyScores {
            probe: "linear".into(),
            metric: "balanced accuracy".into(),
            folds: vec![mean, mean + 0.01, mean - 0.01],
        }],
        ..Arm::default()
    };
    let arms: Vec<Arm> = means.iter().map(arm).collect();
    rank(&arms, &RankOptions { draws: 10, ..RankOptions::default() }).unwrap()
}

#[test]
fn the_shortlist_weighs_proxies_alike_whatever_their_spread() {
    // On the wide proxy b leads by far less in units of its spread than c on the narrow one.
    let wide = ranking(&[("a", 0.5), ("b", 0.9), ("c", 0.8), ("colour", 0.99)]);
    let narrow = ranking(&[("a", 0.700), ("b", 0.701), ("c", 0.710), ("colour", 0.99)]);
    let names = |n| -> Vec<String> {
        shortlist(&[&wide, &narrow], n).unwrap().into_iter().map(|s| s.backbone).collect()
    };
    assert_eq!(names(3), ["c", "b", "a"]);
    assert_eq!(names(1), ["c"]);
    assert!(shortlist(&[], 3).is_err());
}

#[test]
fn a_proxy_whose_differences_are_noise_does_not_order_the_shortlist() {
    let clear = ranking(&[("a", 0.80), ("b", 0.78), ("c", 0.70)]);
    // Folds disagree about which is best: the means differ by chance.
    let arm = |name: &str, folds: [f64; 4]| Arm {
        backbone: name.into(),
        scores: vec![ProxyScores {
            probe: "linear".into(),
            metric: "balanced accuracy".into(),
            folds: folds.to_vec(),
        }],
        ..Arm::default()
    };
    let arms = [
        arm("a", [0.40, 0.90, 0.50, 0.60]),
        arm("b", [0.90, 0.42, 0.60, 0.70]),
        arm("c", [0.60, 0.80, 0.90, 0.62]),
    ];
    let noisy = rank(&arms, &RankOptions { draws: 10, ..RankOptions::default() }).unwrap();
    assert_eq!(noisy.arms[0].backbone, "c");
    let list = shortlist(&[&clear, &noisy], 3).unwrap();
    let alone = shortlist(&[&clear], 3).unwrap();
    let order = |list: &[eosin_proxy::select::Shortlisted]| -> Vec<(String, f64)> {
        list.iter().map(|s| (s.backbone.clone(), s.standardised)).collect()
    };
    assert_eq!(order(&list), order(&alone));
    // Where nothing but noise is there, it is taken as it is.
    assert_eq!(shortlist(&[&noisy], 1).unwrap()[0].backbone, "c");
}
