// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether the guarantees of a trained head are kept for patients that nobody has seen.
//!
//! Heads are tuned, fitted and decided on as everywhere else, on patients of unequal size and
//! prevalence, and then meet a few hundred new ones. The full size is run by
//! `cargo xtask bench truth`; each case prints a line that begins with `truth: `.

use eosin_core::{LabelledSet, Matrix, NoProgress, TrainView};
use eosin_head::{
    CalibrationMethod, Decision, DecisionOptions, LogisticTrainer, TuneOptions, fit_final, tune,
};
use eosin_testkit::unequal::{DrawnPatients, UnequalPatients};
use rayon::prelude::*;

const RISK: f64 = 0.1;
const CERTAINTY: f64 = 0.9;

fn patients(n_patients: usize) -> UnequalPatients {
    UnequalPatients {
        n_patients,
        effects: vec![2.5],
        dim: 4,
        shift: 0.4,
        median_tiles: 15.0,
        ..UnequalPatients::default()
    }
}

fn matrix(drawn: &DrawnPatients, dim: usize) -> Matrix {
    let rows: Vec<&[f32]> = drawn.features[0].chunks(dim).collect();
    Matrix::from_rows(&rows).unwrap()
}

/// What one draw's head did to new patients.
struct Found {
    /// By class: whether a guarantee was given, and the mean over patients of the share missed.
    sets: [(bool, f64); 2],
    /// Whether tiles are called under a guarantee, the errors among calls, and the share called.
    calls: (bool, f64, f64),
}

fn once(n_patients: usize, call_risk: f64, seed: u64) -> Found {
    let made = patients(n_patients);
    let drawn = made.draw(seed);
    let groups: Vec<String> = drawn.groups.iter().map(|g| format!("p{g:03}")).collect();
    let classes = vec!["normal".to_string(), "tumour".to_string()];
    let set =
        LabelledSet::new(matrix(&drawn, made.dim), classes, drawn.labels.clone(), &groups).unwrap();
    let view = TrainView::whole(&set);
    let trainer = LogisticTrainer { penalties: vec![0.1, 1.0, 10.0], ..LogisticTrainer::default() };
    let options = TuneOptions { seed, ..TuneOptions::default() };
    let tuned = tune(&view, &trainer, &[], options, &NoProgress).unwrap();
    let asked = DecisionOptions {
        calibration: CalibrationMethod::Platt,
        conformal_risk: Some(RISK),
        abstention_risk: Some(call_risk),
        certainty: CERTAINTY,
        ..DecisionOptions::default()
    };
    let (decision, threshold) =
        Decision::fit(&tuned.oof, &view.labels(), &view.groups(), &asked, seed).unwrap();
    let head = fit_final(&view, &trainer, &[], tuned.penalty, seed).unwrap().head;

    let new = patients(300).draw(seed + 1_000_000);
    let raw = head.predict(&matrix(&new, made.dim)).unwrap();
    let decided = decision.apply(&raw, threshold).unwrap();
    let sets = decided.sets.unwrap();
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); 300];
    for (row, &group) in new.groups.iter().enumerate() {
        rows[group as usize].push(row);
    }
    let conformal = decision.conformal.as_ref().unwrap();
    let missed = |class: u32| {
        let shares: Vec<f64> = rows
            .iter()
            .filter_map(|rows| {
                let own: Vec<usize> =
                    rows.iter().copied().filter(|&r| new.labels[r] == class).collect();
                let missed = own.iter().filter(|&&r| !sets[r].contains(&class)).count();
                (!own.is_empty()).then(|| missed as f64 / own.len() as f64)
            })
            .collect();
        let share = shares.iter().sum::<f64>() / shares.len() as f64;
        (conformal.is_guaranteed(class as usize), share)
    };
    let share = |of: &dyn Fn(usize) -> bool| {
        let of_patient =
            |rows: &Vec<usize>| rows.iter().filter(|&&r| of(r)).count() as f64 / rows.len() as f64;
        rows.iter().map(of_patient).sum::<f64>() / rows.len() as f64
    };
    let called = share(&|r| decided.called[r].is_some());
    let wrong = share(&|r| decided.called[r].is_some_and(|c| c != new.labels[r]));
    let rule = decision.abstention.unwrap();
    assert!(rule.is_guaranteed() || called == 0.0);
    let error = if called > 0.0 { wrong / called } else { 0.0 };
    Found { sets: [missed(0), missed(1)], calls: (rule.is_guaranteed(), error, called) }
}

fn print(what: &str, value: f64, bar: &str, draws: u64) {
    println!(
        "truth: {{\"case\": \"{what}\", \"value\": {value:.4}, \"bar\": \"{bar}\", \"draws\": {draws}}}"
    );
}

fn run(cases: &[(usize, f64)], draws: u64, full: bool) {
    for &(n, call_risk) in cases {
        let found: Vec<Found> = (0..draws)
            .into_par_iter()
            .map(|seed| once(n, call_risk, 10_000 * n as u64 + seed))
            .collect();
        for class in 0..2 {
            let name = ["normal", "tumour"][class];
            let given: Vec<f64> =
                found.iter().map(|f| f.sets[class]).filter(|s| s.0).map(|s| s.1).collect();
            let what = format!("sets miss {name} tiles of new patients, {n} patients");
            let share = given.len() as f64 / draws as f64;
            print(&format!("{what}: a guarantee is given"), share, "beside", draws);
            if !given.is_empty() {
                let mean = given.iter().sum::<f64>() / given.len() as f64;
                print(&what, mean, &format!("at most {RISK}"), draws);
                // Three standard errors of a mean whose draws spread by about half the risk.
                let chance = 3.0 * 0.05 / (given.len() as f64).sqrt();
                assert!(full || mean <= RISK + chance, "{what}: {mean}");
                // Nothing is bought by sets of all classes; of few patients hardly less will do.
                assert!(full || n < 25 || mean > 0.02, "{what}: {mean}");
            }
        }
        let given: Vec<&Found> = found.iter().filter(|f| f.calls.0).collect();
        let kept = found.iter().filter(|f| f.calls.1 <= call_risk).count() as f64 / draws as f64;
        let what =
            format!("errors among calls of new patients stay within {call_risk}, {n} patients");
        print(&what, kept, &format!("at least {CERTAINTY}"), draws);
        print(
            &format!("{what}: a guarantee is given"),
            given.len() as f64 / draws as f64,
            "beside",
            draws,
        );
        if !given.is_empty() {
            let called = given.iter().map(|f| f.calls.2).sum::<f64>() / given.len() as f64;
            print(&format!("{what}: tiles called then"), called, "beside", draws);
        }
        assert!(full || kept >= CERTAINTY - 0.05, "{what}: {kept}");
        // Nothing is bought by saying nothing: a head that errs on 12 % of tiles is told to stay
        // within 20 % by 60 patients.
        assert!(full || n < 60 || 10 * given.len() >= 9 * found.len(), "{what}: {}", given.len());
    }
}

#[test]
fn guarantees_hold_for_new_patients() {
    run(&[(10, 0.2), (25, 0.2), (60, 0.2)], 40, false);
}

#[test]
#[ignore = "the full size of `cargo xtask bench truth`"]
fn full_guarantees() {
    run(&[(10, 0.2), (17, 0.2), (25, 0.2), (60, 0.2), (60, 0.1), (120, 0.1)], 400, true);
}
