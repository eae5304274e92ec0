// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

/// Two classes whose probabilities are true, from a stream of uniform numbers.
fn calibrated(n: u32, state: &mut u64) -> (Probabilities, Vec<u32>) {
    let mut uniform = || {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
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
fn the_bound_is_that_of_clopper_and_pearson() {
    // R: binom.test(3, 40, alternative = "less")$conf.int; 1 − 0.05^(1/40) for no error.
    assert!((upper_bound(0, 40, 0.05) - (1.0 - 0.05_f64.powf(1.0 / 40.0))).abs() < 1e-12);
    let at = upper_bound(3, 40, 0.05);
    let cdf: f64 = (0..=3)
        .map(|k| {
            let ways: f64 = (0..k).map(|i| f64::from(40 - i) / f64::from(i + 1)).product();
            ways * at.powi(k) * (1.0 - at).powi(40 - k)
        })
        .sum();
    assert!((cdf - 0.05).abs() < 1e-10, "{at} {cdf}");
    assert!((upper_bound(5, 5, 0.05) - 1.0).abs() < 1e-15);
}

#[test]
fn calls_are_wrong_no_more_often_than_stated() {
    let mut state = 1;
    let (fresh, truth) = calibrated(20_000, &mut state);
    let mut broken = 0;
    for _ in 0..100 {
        let (held_out, labels) = calibrated(2000, &mut state);
        let rule = Abstention::fit(&held_out, &labels, None, 0.1, 0.9).unwrap();
        let (mut called, mut wrong) = (0, 0);
        for (i, &label) in truth.iter().enumerate() {
            let (class, sure) = confidence(fresh.row(i), None);
            called += u32::from(sure >= rule.cutoff);
            wrong += u32::from(sure >= rule.cutoff && class != label);
        }
        assert!(called > 0);
        broken += u32::from(f64::from(wrong) > 0.1 * f64::from(called));
        // One call in four is wrong without abstention, one in ten with 40 % called.
        assert!((0.1..0.42).contains(&rule.coverage), "{rule:?}");
    }
    assert!(broken <= 10, "{broken} of 100 rules at a certainty of 0.9");
}

#[test]
fn nothing_is_called_where_no_bound_holds() {
    let (held_out, labels) = calibrated(20, &mut 3);
    let rule = Abstention::fit(&held_out, &labels, None, 0.001, 0.95).unwrap();
    assert!(rule.cutoff > 1.0 && rule.coverage == 0.0);
    assert!(Abstention::fit(&held_out, &labels[1..], None, 0.1, 0.95).is_err());
    assert!(Abstention::fit(&held_out, &labels, None, 0.0, 0.95).is_err());
    assert!(Abstention::fit(&held_out, &labels, None, 0.1, 1.0).is_err());
}

#[test]
fn confidence_is_the_distance_from_the_threshold() {
    assert_eq!(confidence(&[0.1, 0.9], Some(0.8)).0, 1);
    assert!((confidence(&[0.1, 0.9], Some(0.8)).1 - 0.5).abs() < 1e-12);
    let (class, sure) = confidence(&[0.8, 0.2], Some(0.8));
    assert!(class == 0 && (sure - 0.75).abs() < 1e-12);
    assert_eq!(confidence(&[0.2, 0.5, 0.3], Some(0.1)), (1, 0.5));
}
