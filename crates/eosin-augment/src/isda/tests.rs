// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Head, HeadTrainer, LabelledSet, Matrix, TrainBatch, TrainView};
use serde::Deserialize;

use super::{IsdaTrainer, Problem};
use crate::lbfgs::minimise;

#[derive(Deserialize)]
struct Golden {
    x: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    labels: Vec<u32>,
    lambda: f64,
    penalty: f64,
    objective: f64,
    probabilities: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/augment/isda.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn batch(x: &[Vec<f32>], labels: &[u32]) -> TrainBatch {
    let groups: Vec<String> = (0..x.len()).map(|i| i.to_string()).collect();
    let n_classes = labels.iter().max().unwrap() + 1;
    let classes = (0..n_classes).map(|c| format!("class-{c}")).collect();
    let matrix = Matrix::from_rows(x).unwrap();
    let set = LabelledSet::new(matrix, classes, labels.to_vec(), &groups).unwrap();
    TrainBatch::from_view(&TrainView::whole(&set))
}

#[test]
fn the_optimum_is_that_of_scipy() {
    let golden = golden();
    for case in &golden.cases {
        let batch = batch(&golden.x, &case.labels);
        let trainer = IsdaTrainer { lambda: case.lambda, tolerance: 1e-10, ..Default::default() };
        let head = trainer.fit(&batch, case.penalty).unwrap();
        let found = head.predict(batch.features()).unwrap();
        for (i, expected) in case.probabilities.iter().enumerate() {
            for (p, e) in found.row(i).iter().zip(expected) {
                assert!((p - e).abs() < 1e-5, "λ {}: {p}, expected {e}", case.lambda);
            }
        }
        let problem = Problem::new(&batch, case.lambda).unwrap();
        let point = minimise(problem.null_point(), 1e-10, 2000, |p| {
            problem.value_and_gradient(p, case.penalty)
        });
        let (value, _) = problem.value_and_gradient(&point, case.penalty);
        assert!((value - case.objective).abs() < 1e-6 * case.objective, "{value}");
    }
}

#[test]
fn five_starts_reach_the_same_optimum() {
    let golden = golden();
    for case in golden.cases.iter().filter(|c| c.lambda > 0.0) {
        let batch = batch(&golden.x, &case.labels);
        let problem = Problem::new(&batch, case.lambda).unwrap();
        let size = problem.null_point().len();
        let optima: Vec<Vec<f64>> = (0..5_u32)
            .map(|start| {
                // Points far apart: up to 3 in every direction.
                let value = |i: usize| {
                    let mixed = (i as u32 + 1).wrapping_mul(2_654_435_761).wrapping_mul(start + 1);
                    6.0 * f64::from(mixed >> 8) / f64::from(1_u32 << 24) - 3.0
                };
                minimise((0..size).map(value).collect(), 1e-12, 5000, |p| {
                    problem.value_and_gradient(p, case.penalty)
                })
            })
            .collect();
        // With more than two classes the biases are known up to a constant, so values compare.
        let values: Vec<f64> =
            optima.iter().map(|o| problem.value_and_gradient(o, case.penalty).0).collect();
        for value in &values {
            assert!((value - values[0]).abs() < 1e-9 * values[0], "{values:?}");
        }
        let d = problem.x.ncols() * problem.n_scores();
        for optimum in &optima {
            for (a, b) in optimum[..d].iter().zip(&optima[0]) {
                assert!((a - b).abs() < 1e-4, "{a} {b}");
            }
        }
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let golden = golden();
    for case in &golden.cases {
        let batch = batch(&golden.x, &case.labels);
        let problem = Problem::new(&batch, case.lambda).unwrap();
        let point: Vec<f64> =
            (0..problem.null_point().len()).map(|i| ((i * 7 % 11) as f64 - 5.0) / 10.0).collect();
        let (_, gradient) = problem.value_and_gradient(&point, case.penalty);
        for (i, found) in gradient.iter().enumerate() {
            let at = |h: f64| {
                let mut moved = point.clone();
                moved[i] += h;
                problem.value_and_gradient(&moved, case.penalty).0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((found - slope).abs() < 1e-5 * slope.abs().max(1.0), "{i}");
        }
    }
}

#[test]
fn a_class_without_rows_gets_probability_zero() {
    let x = vec![vec![0.0], vec![1.0], vec![2.0], vec![3.0]];
    let classes = vec!["a".into(), "none".into(), "b".into()];
    let matrix = Matrix::from_rows(&x).unwrap();
    let groups = ["p", "q", "r", "s"];
    let set = LabelledSet::new(matrix, classes, vec![0, 0, 2, 2], &groups).unwrap();
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    let head: Box<dyn Head> = IsdaTrainer::default().fit(&batch, 1.0).unwrap();
    let found = head.predict(batch.features()).unwrap();
    assert!(found.row(0)[1] == 0.0 && found.row(3)[2] > 0.5);
    assert!(head.predict(&Matrix::from_rows(&[[1.0, 2.0]]).unwrap()).is_err());
}
