// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

#[test]
fn equal_arms_are_no_different() {
    assert!((corrected_resampled_t(&[0.0; 5], 0.25).unwrap().p - 1.0).abs() < 1e-15);
    let t = corrected_resampled_t(&[0.5; 5], 0.25).unwrap();
    assert!(t.t.is_infinite() && t.p == 0.0);
    let posterior = bayesian_correlated_t(&[0.5; 5], 0.25, 0.01).unwrap();
    assert_eq!(posterior, Posterior { worse: 0.0, equivalent: 0.0, better: 1.0 });
    assert!((wilcoxon(&[0.0; 4]).unwrap().p - 1.0).abs() < 1e-15);
}

#[test]
fn holm_is_monotone_and_capped() {
    assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
    assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    let adjusted = holm(&[0.02, f64::NAN]);
    assert!((adjusted[0] - 0.02).abs() < 1e-15 && adjusted[1].is_nan());
}

#[test]
fn bad_input_is_refused() {
    assert!(corrected_resampled_t(&[0.1], 0.25).is_err());
    assert!(corrected_resampled_t(&[0.1, f64::NAN], 0.25).is_err());
    assert!(corrected_resampled_t(&[0.1, 0.2], -1.0).is_err());
    assert!(wilcoxon(&[f64::NAN]).is_err());
}
