// SPDX-License-Identifier: MIT OR Apache-2.0

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::*;

const TRAINED_AT: f64 = 0.3;

/// Rows of normal scores `gap` apart, with the probabilities that are true at a prevalence of 0.3,
/// at another prevalence in groups that differ in it.
fn site(prevalence: f64, gap: f64, n_groups: u32, seed: u64) -> (Probabilities, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut values, mut groups) = (Vec::new(), Vec::new());
    for group in 0..n_groups {
        let own = (prevalence * rng.random_range(0.3..1.7)).min(0.99);
        for _ in 0..rng.random_range(20..120) {
            let positive = rng.random::<f64>() < own;
            let x: f64 = gap * f64::from(u8::from(positive)) + rng.sample::<f64, _>(StandardNormal);
            let odds = TRAINED_AT / (1.0 - TRAINED_AT) * (gap * x - gap * gap / 2.0).exp();
            let p = odds / (1.0 + odds);
            values.extend([1.0 - p, p]);
            groups.push(group);
        }
    }
    (Probabilities::new(2, values).unwrap(), groups)
}

fn from() -> [f64; 2] {
    [1.0 - TRAINED_AT, TRAINED_AT]
}

#[test]
fn the_share_of_a_new_site_is_found_in_about_as_many_draws_as_stated() {
    let bootstrap = GroupBootstrap { replicates: 100, ..GroupBootstrap::default() };
    for (prevalence, n_groups) in [(0.05, 12), (0.3, 12), (0.7, 12), (0.3, 45)] {
        let mut covered = 0;
        for seed in 0..100 {
            let (probabilities, groups) = site(prevalence, 2.0, n_groups, seed);
            let found = estimate_prevalence(&probabilities, &groups, &from(), &bootstrap).unwrap();
            assert_eq!(found.refusal, None);
            let share = found.shares[1];
            assert!((share.estimate - prevalence).abs() < 0.25);
            covered += u32::from(share.lower <= prevalence && prevalence <= share.upper);
        }
        assert!((86..=100).contains(&covered), "{covered} of 100 at {prevalence}");
    }
}

#[test]
fn what_cannot_be_told_is_refused() {
    let bootstrap = GroupBootstrap { replicates: 200, ..GroupBootstrap::default() };
    let refusal = |gap: f64, n_groups: u32, share: f64| {
        let (probabilities, groups) = site(share, gap, n_groups, 1);
        estimate_prevalence(&probabilities, &groups, &from(), &bootstrap).unwrap().refusal
    };
    assert!(refusal(2.0, 4, 0.3).unwrap().contains("at least 5"));
    // Probabilities that are the training shares on every row agree with any share.
    assert!(refusal(0.05, 20, 0.8).unwrap().contains("too little"));
    assert!(refusal(0.4, 5, 0.5).unwrap().contains("wide"));
    // A site without findings is no poor head.
    assert_eq!(refusal(3.0, 20, 0.0), None);
    let (probabilities, groups) = site(0.0, 3.0, 20, 1);
    let share =
        estimate_prevalence(&probabilities, &groups, &from(), &bootstrap).unwrap().shares[1];
    assert!(
        share.estimate < 0.01 && share.lower <= share.estimate && share.upper < 0.2,
        "{share:?}"
    );
    assert!(share.upper > share.lower, "{share:?}");
}

#[test]
fn shares_are_divided_out_and_put_in() {
    let probabilities = Probabilities::new(2, vec![0.7, 0.3, 0.2, 0.8]).unwrap();
    let there = recalibrated(&probabilities, &from(), &[0.9, 0.1]).unwrap();
    assert!((there.row(0)[1] - 0.1).abs() < 1e-12);
    let back = recalibrated(&there, &[0.9, 0.1], &from()).unwrap();
    assert!((back.row(1)[1] - 0.8).abs() < 1e-12);
    assert!((recalibrated_threshold(0.8, TRAINED_AT, 0.1) - there.row(1)[1]).abs() < 1e-12);
}

#[test]
fn bad_input_is_refused() {
    let probabilities = Probabilities::new(2, vec![0.7, 0.3]).unwrap();
    assert!(recalibrated(&probabilities, &from(), &[1.0, 0.0]).is_err());
    assert!(recalibrated(&probabilities, &[0.5, 0.6], &from()).is_err());
    assert!(estimate_shares(&probabilities, &from(), Some(&[0.0])).is_err());
    let bootstrap = GroupBootstrap::default();
    assert!(estimate_prevalence(&probabilities, &[0, 1], &from(), &bootstrap).is_err());
}
