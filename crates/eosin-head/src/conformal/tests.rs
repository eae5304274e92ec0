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

#[test]
fn sets_miss_as_often_as_allowed() {
    let (held_out, labels) = calibrated(4000, 1);
    let (fresh, truth) = calibrated(4000, 2);
    for risk in [0.05, 0.1, 0.3] {
        let conformal = Conformal::fit(&held_out, &labels, risk).unwrap();
        let sets = conformal.sets(&fresh);
        let misses = sets.iter().zip(&truth).filter(|(set, label)| !set.contains(label)).count();
        let share = misses as f64 / 4000.0;
        assert!((share - risk).abs() < 0.02, "{risk} {share}");
        let decided = conformal.decide(&fresh).into_iter().flatten().count();
        assert!(decided < 4000 && decided > 0);
    }
}

#[test]
fn few_rows_leave_every_class_in() {
    let (held_out, labels) = calibrated(5, 3);
    let conformal = Conformal::fit(&held_out, &labels, 0.05).unwrap();
    assert!(conformal.sets(&held_out).iter().all(|set| set.len() == 2));
}

#[test]
fn bad_input_is_refused() {
    let (held_out, labels) = calibrated(5, 3);
    assert!(Conformal::fit(&held_out, &labels[1..], 0.1).is_err());
    assert!(Conformal::fit(&held_out, &labels, 0.0).is_err());
    assert!(Conformal::fit(&held_out, &[7; 5], 0.1).is_err());
}
