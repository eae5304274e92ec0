// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

fn bootstrap(replicates: usize) -> GroupBootstrap {
    GroupBootstrap { replicates, seed: 3, level: 0.95 }
}

#[test]
fn every_stratum_keeps_its_number_of_groups() {
    let groups = [0, 0, 1, 2, 3, 4, 4];
    let labels = [1, 0, 1, 0, 0, 0, 0];
    let draws = bootstrap(200)
        .replicates(&groups, &labels, 2, |w| vec![w[0] + w[2], w[3] + w[4] + w[5]])
        .unwrap();
    // Groups 0 and 1 hold a positive row, 2, 3 and 4 do not.
    assert!(draws.iter().all(|d| d == &[2.0, 3.0]));
    assert!(
        bootstrap(50)
            .replicates(&groups, &labels, 1, |w| vec![w[0] - w[1]])
            .unwrap()
            .iter()
            .all(|d| d[0] == 0.0)
    );
}

#[test]
fn an_interval_of_a_mean_has_the_known_width() {
    // 400 groups of one row, values 0 to 399: the mean's standard error is 115.5 / 20.
    let groups: Vec<u32> = (0..400).collect();
    let interval = bootstrap(4000)
        .interval(&groups, &vec![0; 400], |w| {
            w.iter().enumerate().map(|(i, w)| w * i as f64).sum::<f64>() / 400.0
        })
        .unwrap();
    let half = (interval.upper - interval.lower) / 2.0;
    assert!((interval.estimate - 199.5).abs() < 1e-12);
    assert!((half - 1.96 * 5.77).abs() < 0.8, "{half}");
}

#[test]
fn groups_widen_the_interval() {
    // The same 400 values, but ten to a group that agrees with itself: √10 wider.
    let values: Vec<f64> = (0..400).map(|i| f64::from(i / 10)).collect();
    let mean =
        |w: &[f64]| w.iter().zip(&values).map(|(w, v)| w * v).sum::<f64>() / w.iter().sum::<f64>();
    let width = |groups: Vec<u32>| {
        let i = bootstrap(2000).interval(&groups, &vec![0; 400], mean).unwrap();
        i.upper - i.lower
    };
    let ratio = width((0..400).map(|i| i / 10).collect()) / width((0..400).collect());
    assert!((ratio - 10_f64.sqrt()).abs() < 0.3, "{ratio}");
}

#[test]
fn undefined_replicates_are_counted() {
    let groups: Vec<u32> = (0..6).collect();
    let interval = bootstrap(100)
        .interval(&groups, &[0; 6], |w| if w[0] > 0.0 { w[1] / 6.0 } else { f64::NAN })
        .unwrap();
    assert!(interval.undefined > 10 && interval.undefined < 60, "{interval:?}");
    assert_eq!((interval.replicates, interval.n_groups, interval.form), (100, 6, Form::Student));
    let none = bootstrap(10).interval(&groups, &[0; 6], |_| f64::NAN).unwrap();
    assert!(none.lower.is_nan() && none.undefined == 10 && none.form == Form::None);
    let text = serde_json::to_string(&none).unwrap();
    assert!(text.contains("\"lower\":null"), "{text}");
    assert!(serde_json::from_str::<Interval>(&text).unwrap().lower.is_nan());
}

#[test]
fn paired_arms_share_resamples() {
    for n in [30, 60_u32] {
        let groups: Vec<u32> = (0..n).collect();
        let labels: Vec<u32> = groups.iter().map(|g| g % 2).collect();
        let value = |w: &[f64]| {
            w.iter().enumerate().map(|(i, w)| w * i as f64).sum::<f64>() / f64::from(n * n * 2)
        };
        let paired = bootstrap(300).paired(&groups, &labels, value, |w| value(w) + 0.1).unwrap();
        assert!((paired.difference.lower - 0.1).abs() < 1e-9, "{paired:?}");
        assert!((paired.difference.upper - 0.1).abs() < 1e-9);
        let all = bootstrap(300)
            .intervals(&groups, &labels, &[Scale::Unit; 2], |w| vec![value(w), value(w) + 0.1])
            .unwrap();
        assert_eq!((all[0], all[1]), (paired.first, paired.second));
    }
}

#[test]
fn few_groups_have_no_interval_and_no_error() {
    for n in [1, 2, 4_u32] {
        let groups: Vec<u32> = (0..n).collect();
        let found = bootstrap(50).interval(&groups, &vec![1; n as usize], |w| w[0] / 2.0).unwrap();
        assert_eq!((found.form, found.n_groups as u32), (Form::None, n));
        assert!(found.lower.is_nan() && found.upper.is_nan() && found.estimate > 0.0);
    }
}

#[test]
fn a_stratum_of_one_group_has_a_width() {
    // One group of 45 is positive: drawn within strata, it would be there once in every replicate.
    let groups: Vec<u32> = (0..45).collect();
    let labels: Vec<u32> = groups.iter().map(|g| u32::from(*g == 7)).collect();
    let found = bootstrap(200).interval(&groups, &labels, |w| w[7] / 4.0).unwrap();
    assert!(found.upper > found.lower, "{found:?}");
    let few = bootstrap(200).interval(&groups[..9], &labels[..9], |w| w[7] / 9.0).unwrap();
    assert!(few.upper > few.lower && few.lower > 0.0 && few.upper < 1.0, "{few:?}");
}

#[test]
fn a_scale_keeps_an_interval_inside_its_ends() {
    let groups: Vec<u32> = (0..8).collect();
    let share = |w: &[f64]| w[..7].iter().sum::<f64>() / 8.0;
    let on = |scale, f: fn(f64) -> f64| {
        bootstrap(400).interval_on(scale, &groups, &[0; 8], |w| f(share(w))).unwrap()
    };
    let unit = on(Scale::Unit, |x| x);
    assert!(unit.lower > 0.0 && unit.upper < 1.0 && unit.lower < 0.875 && unit.upper > 0.875);
    let signed = on(Scale::Signed, |x| 2.0 * x - 1.0);
    assert!((signed.lower - (2.0 * unit.lower - 1.0)).abs() < 1e-9);
    assert!(on(Scale::Positive, |x| x).lower > 0.0);
    assert!(on(Scale::Real, |x| x).upper > 1.0);
}

#[test]
fn threads_do_not_change_a_bit() {
    let groups: Vec<u32> = (0..50).collect();
    let labels: Vec<u32> = groups.iter().map(|g| g % 3).collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            bootstrap(500)
                .replicates(&groups, &labels, 1, |w| {
                    vec![w.iter().enumerate().map(|(i, w)| w / (1.0 + i as f64)).sum()]
                })
                .unwrap()
        })
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn bad_input_is_refused() {
    assert!(bootstrap(10).replicates(&[0, 0], &[0, 1], 1, |_| vec![0.0]).is_err());
    assert!(bootstrap(10).intervals(&[0, 1], &[0, 1], &[], |_| vec![0.0]).is_err());
    assert!(bootstrap(10).interval(&[0, 1], &[0], |_| 0.0).is_err());
    assert!(bootstrap(0).interval(&[0, 1], &[0, 1], |_| 0.0).is_err());
    let level = GroupBootstrap { level: 1.0, ..bootstrap(10) };
    assert!(level.interval(&[0, 1], &[0, 1], |_| 0.0).is_err());
}

#[test]
fn the_form_of_few_groups_is_that_of_scipy() {
    // scipy.stats.t.ppf(0.975, 8) · std(v) / (0.83 · 0.17) · √(9/8) around logit 0.83.
    let replicates = vec![0.8, 0.85, 0.9, 0.7, 0.82, 0.88];
    let found = form::interval(Form::Student, Scale::Unit, 0.83, replicates, 9, 0.95);
    assert!((found.lower - 0.585_765_904_551_166).abs() < 1e-9, "{found:?}");
    assert!((found.upper - 0.943_999_528_692_257).abs() < 1e-9, "{found:?}");
}

#[test]
fn a_perfect_score_of_few_groups_has_a_width() {
    let at = |scale, estimate: f64, n_groups| {
        form::interval(Form::Student, scale, estimate, vec![estimate; 50], n_groups, 0.95)
    };
    // Eight groups without an exception: 0.025^(1/8).
    let perfect = at(Scale::Unit, 1.0, 8);
    assert!((perfect.lower - 0.025_f64.powf(0.125)).abs() < 1e-12 && perfect.upper >= 1.0);
    let none = at(Scale::Unit, 0.0, 8);
    assert!((none.upper - (1.0 - perfect.lower)).abs() < 1e-12 && none.lower <= 0.0);
    assert!(at(Scale::Signed, 1.0, 8).lower < perfect.lower);
    // Replicates that do not vary inside the scale say nothing.
    assert_eq!(at(Scale::Unit, 0.7, 8).form, Form::None);
    assert_eq!(at(Scale::Real, 0.1, 8).form, Form::Student);
}
