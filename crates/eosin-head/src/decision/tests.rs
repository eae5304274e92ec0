// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_eval::splits;

use super::fit::select;
use super::*;
use crate::threshold;

/// 600 rows of 60 groups, a quarter positive, with noisy probabilities.
fn example() -> (Probabilities, Vec<u32>, Vec<u32>) {
    let (mut values, mut labels, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..600_u32 {
        let label = u32::from(i % 4 == 0);
        let p = 0.15 + 0.45 * f64::from(label) + 0.3 * f64::from(i * 37 % 11) / 11.0;
        values.extend([1.0 - p, p]);
        labels.push(label);
        groups.push(i / 10);
    }
    (Probabilities::new(2, values).unwrap(), labels, groups)
}

#[test]
fn without_options_nothing_changes() {
    let (oof, labels, groups) = example();
    let (decision, found) =
        Decision::fit(&oof, &labels, &groups, &DecisionOptions::default(), 1).unwrap();
    assert_eq!(decision, Decision::default());
    assert_eq!(found, threshold(&oof, &labels, &groups, 1).unwrap());
    let decided = decision.apply(&oof, Some(0.5)).unwrap();
    assert_eq!(decided.probabilities, oof);
    assert_eq!(decided.sets, None);
    let plain: Vec<Option<u32>> =
        oof.column(1).into_iter().map(|p| Some(u32::from(p >= 0.5))).collect();
    assert_eq!(decided.called, plain);
}

#[test]
fn all_parts_work_together() {
    let (oof, labels, groups) = example();
    let options = DecisionOptions {
        calibration: CalibrationMethod::Platt,
        logit_adjustment: 1.0,
        conformal_risk: Some(0.1),
        abstention_risk: Some(0.4),
        certainty: 0.9,
    };
    let (decision, threshold) = Decision::fit(&oof, &labels, &groups, &options, 1).unwrap();
    let decided = decision.apply(&oof, threshold).unwrap();
    let calls: Vec<(u32, u32)> =
        decided.called.iter().zip(&labels).filter_map(|(c, l)| c.map(|c| (c, *l))).collect();
    let wrong = calls.iter().filter(|(c, l)| c != l).count();
    assert!(!calls.is_empty() && wrong as f64 <= 0.4 * calls.len() as f64);
    let sets = decided.sets.unwrap();
    let covered = sets.iter().zip(&labels).filter(|(set, label)| set.contains(label)).count();
    assert!(covered >= 530, "{covered}");
    decision.check(2).unwrap();
    assert!(decision.check(3).is_err());
    let json = serde_json::to_string(&decision).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&json).unwrap(), decision);
}

#[test]
fn adjustment_divides_class_shares_out() {
    let adjustment = LogitAdjustment::fit(2, &[0, 0, 0, 1], 1.0).unwrap();
    let even = adjustment.apply(&Probabilities::new(2, vec![0.75, 0.25]).unwrap()).unwrap();
    assert!((even.row(0)[1] - 0.5).abs() < 1e-12);
    let absent = LogitAdjustment::fit(3, &[0, 0, 1], 0.5).unwrap();
    let p = absent.apply(&Probabilities::new(3, vec![0.5, 0.5, 0.0]).unwrap()).unwrap();
    assert!((p.row(0).iter().sum::<f64>() - 1.0).abs() < 1e-12 && p.row(0)[1] > 0.5);
    assert!(LogitAdjustment::fit(2, &[0, 1], f64::NAN).is_err());
    assert!(absent.apply(&Probabilities::new(2, vec![0.5, 0.5]).unwrap()).is_err());
}

#[test]
fn an_unknown_option_is_refused() {
    let unknown = serde_json::json!({ "calibraton": "auto" });
    assert!(serde_json::from_value::<DecisionOptions>(unknown).is_err());
    let known = serde_json::json!({ "calibration": "auto", "conformal_risk": 0.1 });
    let options: DecisionOptions = serde_json::from_value(known).unwrap();
    assert_eq!(options.calibration, CalibrationMethod::Auto);
}

#[test]
fn a_row_is_decided_on_by_other_folds_alone() {
    let (oof, labels, groups) = example();
    let options = DecisionOptions {
        calibration: CalibrationMethod::Platt,
        abstention_risk: Some(0.4),
        ..DecisionOptions::default()
    };
    let folds = splits::grouped_stratified_kfold(&labels, &groups, 2, 5, 1).unwrap();
    let fit =
        |labels: &[u32]| Decision::cross_fit(&oof, labels, &groups, &options, &folds, 1).unwrap();
    let found = fit(&labels);
    // Other labels of a fold's rows change what is fitted for every fold but that one.
    let mut other = labels.clone();
    for &row in &folds[0].held_out {
        other[row] = 1;
    }
    let changed = fit(&other);
    for (number, fold) in folds.iter().enumerate() {
        let same = |row: &usize| {
            found.called[*row] == changed.called[*row]
                && found.thresholds[*row] == changed.thresholds[*row]
                && found.probabilities.row(*row) == changed.probabilities.row(*row)
        };
        assert_eq!(fold.held_out.iter().all(same), number == 0, "fold {number}");
    }
    // It is what a decision that is fitted on the other folds says.
    let pick = |all: &[u32]| folds[0].train.iter().map(|&i| all[i]).collect::<Vec<u32>>();
    let train = select(&oof, &folds[0].train).unwrap();
    let (own, threshold) =
        Decision::fit(&train, &pick(&labels), &pick(&groups), &options, 1).unwrap();
    let decided = own.apply(&select(&oof, &folds[0].held_out).unwrap(), threshold).unwrap();
    for (i, &row) in folds[0].held_out.iter().enumerate() {
        assert_eq!(decided.called[i], found.called[row]);
    }
}

#[test]
fn a_class_of_two_patients_leaves_rows_uncalled_where_abstention_cannot_be_fitted() {
    // Positives are in two patients, so that the other fold has those of one.
    let labels = [0, 1, 0, 1, 0, 0, 0, 0];
    let groups = [0, 0, 1, 1, 2, 2, 3, 3];
    let values = labels.iter().flat_map(|&l| if l == 1 { [0.2, 0.8] } else { [0.7, 0.3] });
    let oof = Probabilities::new(2, values.collect()).unwrap();
    let options = DecisionOptions { abstention_risk: Some(0.1), ..DecisionOptions::default() };
    let folds = splits::grouped_stratified_kfold(&labels, &groups, 2, 2, 1).unwrap();
    let found = Decision::cross_fit(&oof, &labels, &groups, &options, &folds, 1).unwrap();
    assert!(found.called.iter().all(Option::is_none));
}
