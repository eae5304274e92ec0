// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

/// `n` patients of `rows` rows that are all sure; the first `bad` patients are all wrong.
fn patients(n: usize, rows: usize, bad: usize) -> (Vec<f64>, Vec<bool>, Vec<u32>) {
    let groups: Vec<u32> = (0..n * rows).map(|row| (row / rows) as u32).collect();
    let wrong = groups.iter().map(|&g| (g as usize) < bad).collect();
    (vec![0.9; n * rows], wrong, groups)
}

fn fit(n: usize, rows: usize, bad: usize, risk: f64) -> Abstention {
    let (sure, wrong, groups) = patients(n, rows, bad);
    Abstention::fit(&sure, &wrong, &groups, risk, 0.95).unwrap()
}

#[test]
fn as_many_patients_are_needed_as_are_enough_without_an_error() {
    for risk in [0.05, 0.1, 0.2, 0.3] {
        let needed = fit(2, 1, 0, risk).needed();
        assert!(fit(needed, 3, 0, risk).is_guaranteed(), "{needed} at {risk}");
        assert!(!fit(needed - 1, 3, 0, risk).is_guaranteed(), "{needed} at {risk}");
        // The exact bound of one look at patients who are all right or all wrong.
        let least = (0.05_f64.ln() / (1.0 - risk).ln()).ceil() as usize;
        assert!(needed >= least && needed < 2 * least, "{needed} against {least}");
    }
}

#[test]
fn more_rows_of_the_same_patients_buy_nothing() {
    assert!(!fit(10, 1, 0, 0.1).is_guaranteed());
    assert!(!fit(10, 1000, 0, 0.1).is_guaranteed());
    let rule = fit(10, 1000, 0, 0.1);
    assert!(rule.cutoff > 1.0 && rule.coverage == 0.0 && rule.patients == 10);
}

#[test]
fn patients_who_are_all_wrong_end_the_guarantee() {
    assert!(fit(100, 5, 0, 0.1).is_guaranteed());
    assert!(fit(100, 5, 1, 0.1).is_guaranteed());
    assert!(!fit(100, 5, 8, 0.1).is_guaranteed());
}

#[test]
fn a_risk_that_is_not_kept_is_promised_no_more_often_than_stated() {
    // Every patient is wrong on all rows or on none; the share of those who are is just above the
    // risk, and so is the error among all calls. This is where a bound is broken most often.
    let mut state = 7_u64;
    let mut uniform = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for (n, risk) in [(40, 0.101), (60, 0.101), (200, 0.101), (40, 0.201), (60, 0.201)] {
        let mut promised = 0;
        for _ in 0..1000 {
            let groups: Vec<u32> = (0..n * 3).map(|row| row / 3).collect();
            let of_patient: Vec<bool> = (0..n).map(|_| uniform() < risk).collect();
            let wrong: Vec<bool> = groups.iter().map(|&g| of_patient[g as usize]).collect();
            // Confidence says nothing of it.
            let sure: Vec<f64> = groups.iter().map(|_| uniform()).collect();
            let rule = Abstention::fit(&sure, &wrong, &groups, risk - 0.001, 0.9).unwrap();
            promised += u32::from(rule.is_guaranteed());
        }
        assert!(promised <= 100, "{promised} of 1000 with {n} patients at {risk}");
    }
}

#[test]
fn doubtful_rows_are_left_uncalled() {
    // Half of every patient's rows are doubtful, and wrong.
    let groups: Vec<u32> = (0..4000).map(|row| row / 20).collect();
    let sure: Vec<f64> = (0..4000).map(|row| if row % 2 == 0 { 0.9 } else { 0.2 }).collect();
    let wrong: Vec<bool> = sure.iter().map(|&s| s < 0.5).collect();
    let rule = Abstention::fit(&sure, &wrong, &groups, 0.1, 0.95).unwrap();
    assert!(rule.is_guaranteed() && rule.cutoff > 0.2 && (rule.coverage - 0.5).abs() < 1e-9);
}

#[test]
fn bad_input_is_refused() {
    let (sure, wrong, groups) = patients(5, 2, 0);
    assert!(Abstention::fit(&sure, &wrong[1..], &groups, 0.1, 0.95).is_err());
    assert!(Abstention::fit(&sure, &wrong, &groups[1..], 0.1, 0.95).is_err());
    assert!(Abstention::fit(&sure, &wrong, &groups, 0.0, 0.95).is_err());
    assert!(Abstention::fit(&sure, &wrong, &groups, 0.1, 1.0).is_err());
    assert!(Abstention::fit(&[], &[], &[], 0.1, 0.95).is_err());
}

#[test]
fn confidence_is_the_distance_from_the_threshold() {
    assert_eq!(confidence(&[0.1, 0.9], Some(0.8)).0, 1);
    assert!((confidence(&[0.1, 0.9], Some(0.8)).1 - 0.5).abs() < 1e-12);
    let (class, sure) = confidence(&[0.8, 0.2], Some(0.8));
    assert!(class == 0 && (sure - 0.75).abs() < 1e-12);
    assert_eq!(confidence(&[0.2, 0.5, 0.3], Some(0.1)), (1, 0.5));
}
