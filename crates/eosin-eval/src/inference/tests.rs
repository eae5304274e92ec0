// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

fn arms(scores: &[&[f64]]) -> CrossValidated {
    let named =
        |(i, s): (usize, &&[f64])| FoldScores { name: format!("arm-{i}"), scores: s.to_vec() };
    CrossValidated {
        arms: scores.iter().enumerate().map(named).collect(),
        test_train_ratio: 0.25,
        level: 0.95,
        rope: 0.01,
    }
}

/// 25 numbers that sum to nearly nothing and look random.
fn noise(seed: usize, scale: f64) -> Vec<f64> {
    (0..25).map(|i| scale * ((((i + 3 * seed) * 7919 % 97) as f64) / 96.0 - 0.5)).collect()
}

#[test]
fn interval_adjusted_p_and_word_never_disagree() {
    for step in 0..60 {
        let shift = 0.001 * f64::from(step);
        let moved: Vec<f64> = noise(2, 0.1).iter().map(|v| v + shift).collect();
        let further: Vec<f64> = noise(5, 0.1).iter().map(|v| v + 2.0 * shift).collect();
        let cross = arms(&[&noise(1, 0.1), &moved, &further, &noise(9, 0.1)]);
        for found in cross.compare(&cross.all_pairs()).unwrap() {
            let leaves_zero_out = found.lower > 0.0 || found.upper < 0.0;
            assert_eq!(leaves_zero_out, found.p_holm < 0.05, "{found:?}");
            assert_eq!(leaves_zero_out, found.word.differs(), "{found:?}");
            assert!(found.lower <= found.estimate && found.estimate <= found.upper);
        }
    }
}

#[test]
fn one_pair_has_the_plain_interval() {
    let cross = arms(&[&noise(1, 0.1), &noise(2, 0.1)]);
    let found = &cross.compare(&[(0, 1)]).unwrap()[0];
    assert!((found.interval_level - 0.95).abs() < 1e-12);
    assert!((found.p - found.p_holm).abs() < 1e-15);
    let differences: Vec<f64> =
        noise(1, 0.1).iter().zip(noise(2, 0.1)).map(|(a, b)| a - b).collect();
    let alone = cross.estimate(&differences).unwrap();
    assert!((alone.lower - found.lower).abs() < 1e-12 && (alone.p - found.p).abs() < 1e-12);
}

#[test]
fn a_small_difference_that_is_not_significant_is_not_called_equivalent() {
    let close = arms(&[&noise(1, 0.2), &noise(2, 0.2)]);
    assert_eq!(close.compare(&[(0, 1)]).unwrap()[0].word, Word::NotToldApart);
    let same = arms(&[&noise(1, 0.2), &noise(1, 0.2)]);
    let found = &same.compare(&[(0, 1)]).unwrap()[0];
    assert_eq!((found.word, found.word.reversed()), (Word::Equivalent, Word::Equivalent));
    assert_eq!(found.word.to_string(), "equivalent");
}

#[test]
fn folds_without_a_score_are_left_out_and_counted() {
    let mut first = noise(1, 0.1);
    first[3] = f64::NAN;
    let cross = arms(&[&first, &noise(2, 0.1), &[f64::NAN; 25]]);
    let found = cross.compare(&cross.against(1)).unwrap();
    assert_eq!((found[0].n_folds, found[0].n_pairs), (24, 1));
    assert_eq!(found[1].word, Word::NotTested);
    let json = serde_json::to_string(&found[1]).unwrap();
    assert!(json.contains("\"lower\":null") && json.contains("not-tested"), "{json}");
    assert_eq!(cross.estimates().unwrap()[0].n_folds, 24);
}

#[test]
fn bad_input_is_refused() {
    assert!(arms(&[&[0.1, 0.2], &[0.1]]).compare(&[(0, 1)]).is_err());
    assert!(arms(&[&[0.1, 0.2]]).compare(&[(0, 1)]).is_err());
    let level = CrossValidated { level: 1.0, ..arms(&[&[0.1, 0.2]]) };
    assert!(level.estimates().is_err());
}
