// SPDX-License-Identifier: MIT OR Apache-2.0

use super::pass::gradients;
use super::solver::minimise;
use super::*;

/// Uniform numbers from −1 to 1 without a dependency.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64 / f64::from(1_u32 << 31)).mul_add(2.0, -1.0)
    }
}

fn problem(n: usize, d: usize, k: usize) -> (Design, Loss) {
    let mut numbers = Numbers(n as u64 * 31 + d as u64);
    let values: Vec<f32> = (0..n * d).map(|_| numbers.next() as f32).collect();
    let features = eosin_core::Matrix::new(n, d, values).unwrap();
    let classes: Vec<String> = (0..k).map(|c| c.to_string()).collect();
    let labels: Vec<u32> = (0..n)
        .map(|i| {
            let score = f64::from(features.row(i)[0]) + 0.5 * numbers.next();
            (((score + 1.5) / 3.0 * k as f64) as u32).min(k as u32 - 1)
        })
        .collect();
    let groups: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    let set = eosin_core::LabelledSet::new(features, classes, labels, &groups).unwrap();
    let batch = TrainBatch::from_view(&eosin_core::TrainView::whole(&set));
    let weights = (0..n).map(|i| 0.25 + (i % 5) as f32 * 0.5).collect();
    let batch = batch.with_weights(weights).unwrap();
    let rows = TrainingRows::check(&batch).unwrap();
    let standard = Standardizer::fit(batch.features(), batch.weights());
    let design = Design::new(batch.features(), &standard);
    let (targets, weights) = (batch.targets(), batch.weights());
    (design, Loss::new(targets, weights, &rows.present, &rows.class_weights, None))
}

fn solve_path(design: &Design, loss: &Loss, penalties: &[f64], stop: Stop) -> Vec<Solution> {
    minimise(design, &[Path { loss, penalties }], stop).unwrap().remove(0)
}

#[test]
fn gradients_equal_differences_of_the_objective() {
    for k in [2, 4] {
        let (design, loss) = problem(300, 7, k);
        let mut numbers = Numbers(5);
        let point: Vec<f64> = (0..loss.n_columns() * 8).map(|_| numbers.next()).collect();
        let found = gradients(&design, &[Trial { loss: &loss, point: &point }]);
        for i in 0..point.len() {
            let at = |h: f64| {
                let mut moved = point.clone();
                moved[i] += h;
                objective(&design, Trial { loss: &loss, point: &moved }, 0.0)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((found[0].gradient[i] - slope).abs() < 1e-6 * slope.abs().max(1.0), "{k} {i}");
        }
    }
}

#[test]
fn the_gram_matrix_is_that_of_a_plain_sum() {
    let (design, loss) = problem(300, 150, 2);
    let gram = design.gram(loss.weights(), true);
    let rough = design.gram(loss.weights(), false);
    for (a, b) in [(0, 0), (3, 140), (140, 3), (149, 149), (127, 128)] {
        let plain: f64 = (0..300)
            .map(|i| {
                let mut read = Vec::new();
                let x = design.rows(i, i + 1, &mut read);
                f64::from(loss.weights()[i]) * f64::from(x[a]) * f64::from(x[b])
            })
            .sum();
        assert!((gram[(a, b)] - plain).abs() < 1e-9, "{a} {b}");
        assert!((rough[(a, b)] - plain).abs() < 1e-3, "{a} {b}");
    }
}

#[test]
fn every_penalty_reaches_the_tolerance() {
    let stop = Stop { relative_gradient: 1e-9, max_passes: 300, exact: true };
    for (n, d, k) in [(400, 30, 2), (400, 30, 5), (60, 200, 2), (60, 200, 3)] {
        let (design, loss) = problem(n, d, k);
        let penalties = [1e4, 1e2, 1.0, 1e-2, 1e-4];
        let path = solve_path(&design, &loss, &penalties, stop);
        for (penalty, solution) in penalties.iter().zip(&path) {
            assert!(
                solution.relative_gradient <= 1e-9,
                "{n} {d} {k} {penalty}: {} after {}",
                solution.relative_gradient,
                solution.passes
            );
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let (design, loss) = problem(3000, 40, 3);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let stop = Stop { relative_gradient: 1e-8, max_passes: 100, exact: true };
        let path = pool.install(|| solve_path(&design, &loss, &[10.0, 1.0], stop));
        path.into_iter().map(|s| s.point).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn fewer_rows_than_features_give_the_same_head_as_all_coordinates() {
    let (n, d) = (30, 90);
    let value = |i: usize, j: usize| ((i * 37 + j * 101 + i * j) % 97) as f32 / 48.0 - 1.0;
    let values: Vec<f32> = (0..n).flat_map(|i| (0..d).map(move |j| value(i, j))).collect();
    let features = eosin_core::Matrix::new(n, d, values).unwrap();
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    let labels: Vec<u32> = (0..n as u32).map(|i| i * i % 3).collect();
    let groups: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    let set = eosin_core::LabelledSet::new(features, classes, labels, &groups).unwrap();
    let batch = TrainBatch::from_view(&eosin_core::TrainView::whole(&set));
    let standard = Standardizer::fit(batch.features(), batch.weights());
    let design = Design::new(batch.features(), &standard);
    let rows = TrainingRows::check(&batch).unwrap();
    let loss =
        Loss::new(batch.targets(), batch.weights(), &rows.present, &rows.class_weights, None);
    let stop = Stop { relative_gradient: 1e-8, max_passes: 1000, exact: true };
    let penalties = [100.0, 1.0, 0.01];
    let path = [Path { loss: &loss, penalties: &penalties }];
    let whole = minimise(&design, &path, stop).unwrap().remove(0);
    let reduced = minimise_smaller(&design, &path, stop).unwrap().remove(0);
    for ((whole, reduced), penalty) in whole.iter().zip(&reduced).zip(penalties) {
        assert_eq!(whole.point.len(), reduced.point.len());
        let value = |point: &[f64]| objective(&design, Trial { loss: &loss, point }, penalty);
        let (a, b) = (value(&whole.point), value(&reduced.point));
        assert!((a - b).abs() <= 1e-8 * a.abs(), "{penalty}: {a} and {b}");
        let largest = whole.point.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
        for (a, b) in whole.point.iter().zip(&reduced.point) {
            assert!((a - b).abs() < 1e-4 * largest, "{penalty}: {a} and {b}");
        }
    }
}
