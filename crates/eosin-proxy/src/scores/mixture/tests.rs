// SPDX-License-Identifier: MIT OR Apache-2.0

use ndarray::Array2;
use serde::Deserialize;

use super::{fit_mixture, leep, n_leep};

#[derive(Deserialize)]
struct Golden {
    x: Vec<Vec<f64>>,
    labels: Vec<u32>,
    responsibilities_4_components_7_rounds: Vec<Vec<f64>>,
    leep: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/proxy/scores.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn array(rows: &[Vec<f64>]) -> Array2<f64> {
    let values = rows.concat();
    Array2::from_shape_vec((rows.len(), rows[0].len()), values).unwrap()
}

#[test]
fn responsibilities_are_those_of_scikit_learn() {
    let golden = golden();
    let x = array(&golden.x);
    let start = x.slice(ndarray::s![..4, ..]).to_owned();
    let found = fit_mixture(&x, start, 7, 0.0);
    let expected = array(&golden.responsibilities_4_components_7_rounds);
    let largest = (&found - &expected).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    assert!(largest < 1e-6, "{largest}");
}

#[test]
fn leep_is_that_of_the_formula() {
    let golden = golden();
    let p = array(&golden.responsibilities_4_components_7_rounds);
    let found = leep(&p, &golden.labels, 3);
    assert!((found - golden.leep).abs() < 1e-6, "{found} {}", golden.leep);
}

#[test]
fn n_leep_prefers_classes_that_stand_apart() {
    let labels: Vec<u32> = (0..120).map(|i| i % 3).collect();
    let score = |apart: f32| {
        let rows: Vec<[f32; 3]> = (0..120)
            .map(|i| {
                let noise = |d: usize| ((i * 37 + d * 101) % 17) as f32 / 17.0;
                [noise(0) + apart * (i % 3) as f32, noise(1), noise(2)]
            })
            .collect();
        let x = eosin_core::Matrix::from_rows(&rows).unwrap();
        n_leep(&x, &labels, 3, 5).unwrap()
    };
    assert!(score(10.0) > -0.1 && score(0.0) < -0.3, "{} {}", score(10.0), score(0.0));
    // The same seed gives the same mixture.
    assert_eq!(score(1.0).to_bits(), score(1.0).to_bits());
}
