// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

/// Probabilities on a grid, with the label drawn at the stated probability.
fn calibrated(n: u32, seed: u64) -> (Probabilities, Vec<u32>) {
    let mut state = seed;
    let mut uniform = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let p = uniform();
        values.extend([1.0 - p, p]);
        labels.push(u32::from(uniform() < p));
    }
    (Probabilities::new(2, values).unwrap(), labels)
}

/// A patient for every so many rows.
fn in_patients(n_rows: usize, rows: usize) -> Vec<u32> {
    (0..n_rows).map(|row| (row / rows) as u32).collect()
}

#[test]
fn sets_miss_each_class_as_often_as_allowed() {
    let (held_out, labels) = calibrated(8000, 1);
    let (fresh, truth) = calibrated(8000, 2);
    for risk in [0.05, 0.1, 0.3] {
        let conformal = Conformal::fit(&held_out, &labels, &in_patients(8000, 8), risk).unwrap();
        let sets = conformal.sets(&fresh);
        for class in 0..2 {
            let own: Vec<usize> = (0..8000).filter(|&i| truth[i] == class).collect();
            let misses = own.iter().filter(|&&i| !sets[i].contains(&class)).count();
            let share = misses as f64 / own.len() as f64;
            assert!((share - risk).abs() < 0.025, "{risk} {share}");
        }
        let decided = conformal.decide(&fresh).into_iter().flatten().count();
        assert!(decided < 8000 && decided > 0);
    }
}

#[test]
fn every_patient_has_the_same_mass() {
    // Nine patients of one row that is sure, and one of a thousand rows that are not.
    let (mut values, mut groups) = (Vec::new(), Vec::new());
    for row in 0..1009_u32 {
        let p = if row < 9 { 0.9 } else { 0.2 };
        values.extend([p, 1.0 - p]);
        groups.push(row.min(9));
    }
    let held_out = Probabilities::new(2, values).unwrap();
    let at = |risk| Conformal::fit(&held_out, &[0; 1009], &groups, risk).unwrap().classes[0];
    // 9 of 11 shares of the mass are sure: a risk of 2/11 and more keeps the cutoff high.
    assert!((at(0.19).cutoff - 0.9).abs() < 1e-12 && (at(0.17).cutoff - 0.2).abs() < 1e-12);
    assert_eq!(at(0.19).patients, 10);
}

#[test]
fn few_patients_leave_the_class_in_and_have_no_guarantee() {
    let (held_out, labels) = calibrated(800, 3);
    // 800 rows are many, eight patients are not.
    let conformal = Conformal::fit(&held_out, &labels, &in_patients(800, 100), 0.1).unwrap();
    assert_eq!(conformal.needed(), 9);
    assert!(conformal.sets(&held_out).iter().all(|set| set.len() == 2));
    assert!(!conformal.is_guaranteed(0) && !conformal.is_guaranteed(1));
    let enough = Conformal::fit(&held_out, &labels, &in_patients(800, 80), 0.1).unwrap();
    assert!(enough.is_guaranteed(0) && enough.is_guaranteed(1));
}

#[test]
fn a_cutoff_of_an_older_release_is_read_and_not_trusted() {
    let mut old: Conformal = serde_json::from_str(r#"{"risk": 0.1, "cutoff": 0.3}"#).unwrap();
    old.spread(3);
    assert_eq!(old.classes, [ClassCutoff { cutoff: 0.3, patients: 0 }; 3]);
    assert!(!old.is_guaranteed(0));
}

#[test]
fn bad_input_is_refused() {
    let (held_out, labels) = calibrated(5, 3);
    let groups = [0, 1, 2, 3, 4];
    assert!(Conformal::fit(&held_out, &labels[1..], &groups, 0.1).is_err());
    assert!(Conformal::fit(&held_out, &labels, &groups[1..], 0.1).is_err());
    assert!(Conformal::fit(&held_out, &labels, &groups, 0.0).is_err());
    assert!(Conformal::fit(&held_out, &[7; 5], &groups, 0.1).is_err());
}
