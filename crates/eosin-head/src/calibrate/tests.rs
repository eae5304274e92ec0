// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_eval::metrics::log_loss_multiclass;

use super::*;

/// Predictions whose logits are three times too large, with labels drawn on a grid.
fn overconfident() -> (Probabilities, Vec<u32>) {
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for i in 0..400 {
        let true_p = 0.1 + 0.8 * f64::from(i % 20) / 19.0;
        let p = sigmoid(3.0 * logit(true_p));
        values.extend([1.0 - p, p]);
        labels.push(u32::from((f64::from(i / 20) + 0.5) / 20.0 < true_p));
    }
    (Probabilities::new(2, values).unwrap(), labels)
}

#[test]
fn every_kind_mends_overconfidence() {
    let (oof, labels) = overconfident();
    let before = log_loss_multiclass(&oof, &labels, None);
    for calibration in [
        Calibration::temperature(&oof, &labels).unwrap(),
        Calibration::platt(&oof, &labels).unwrap(),
        Calibration::isotonic(&oof, &labels).unwrap(),
    ] {
        let mended = calibration.apply(&oof).unwrap();
        let after = log_loss_multiclass(&mended, &labels, None);
        assert!(after < before - 0.1, "{calibration:?}: {before} {after}");
        match calibration {
            Calibration::Temperature { temperature } => assert!((temperature - 3.0).abs() < 0.3),
            Calibration::Platt { slope, .. } => assert!((slope - 1.0 / 3.0).abs() < 0.04),
            Calibration::Isotonic { y, .. } => assert!(y.windows(2).all(|w| w[0] <= w[1])),
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let (oof, labels) = overconfident();
    assert!(Calibration::platt(&oof, &labels[1..]).is_err());
    assert!(Calibration::temperature(&oof, &vec![1; 400]).is_err());
    let three = Probabilities::new(3, vec![0.2, 0.3, 0.5, 0.5, 0.3, 0.2]).unwrap();
    assert!(Calibration::platt(&three, &[0, 1]).is_err());
    assert!(Calibration::temperature(&three, &[2, 0]).is_ok());
    assert!(Calibration::Platt { slope: 1.0, intercept: 0.0 }.apply(&three).is_err());
}

#[test]
fn scikit_learn_and_scipy_find_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/head/golden.json");
    let golden: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let golden = &golden["calibration"];
    let numbers = |key: &str| -> Vec<f64> {
        golden[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let (scores, y) = (numbers("scores"), numbers("y"));
    let (knots, values) = isotonic_fit(&scores, &y);
    for (at, theirs) in numbers("at").into_iter().zip(numbers("isotonic")) {
        assert!((interpolate(&knots, &values, at) - theirs).abs() < 1e-10, "{at}");
    }
    let p = scores.iter().flat_map(|s| [1.0 - sigmoid(*s), sigmoid(*s)]).collect();
    let labels: Vec<u32> = y.iter().map(|y| *y as u32).collect();
    let fitted = Calibration::platt(&Probabilities::new(2, p).unwrap(), &labels).unwrap();
    let Calibration::Platt { slope, intercept } = fitted else { panic!("another kind") };
    let platt = numbers("platt");
    assert!((slope - platt[0]).abs() < 1e-7, "{slope} {}", platt[0]);
    assert!((intercept - platt[1]).abs() < 1e-7, "{intercept} {}", platt[1]);

    let mut p = numbers("logits");
    p.chunks_exact_mut(3).for_each(softmax);
    let labels: Vec<u32> = numbers("classes").iter().map(|c| *c as u32).collect();
    let fitted = Calibration::temperature(&Probabilities::new(3, p).unwrap(), &labels).unwrap();
    let Calibration::Temperature { temperature } = fitted else { panic!("another kind") };
    let theirs = golden["temperature"].as_f64().unwrap();
    assert!((temperature / theirs - 1.0).abs() < 1e-6, "{temperature} {theirs}");
}

#[test]
fn the_method_follows_the_number_of_rows_and_classes() {
    let (oof, labels) = overconfident();
    let auto = |oof: &Probabilities, labels: &[u32]| {
        Calibration::fit(CalibrationMethod::Auto, oof, labels).unwrap()
    };
    assert!(matches!(auto(&oof, &labels), Some(Calibration::Platt { .. })));
    let thrice = Probabilities::new(2, oof.values().repeat(3)).unwrap();
    assert!(matches!(auto(&thrice, &labels.repeat(3)), Some(Calibration::Isotonic { .. })));
    let three = Probabilities::new(3, vec![0.2, 0.3, 0.5, 0.5, 0.3, 0.2]).unwrap();
    assert!(matches!(auto(&three, &[2, 0]), Some(Calibration::Temperature { .. })));
    assert_eq!(Calibration::fit(CalibrationMethod::None, &oof, &labels).unwrap(), None);
}
