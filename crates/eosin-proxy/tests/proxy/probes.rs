// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{Fold, LabelledSet, Matrix, ProxyTask, TrainView};
use eosin_eval::splits;
use eosin_proxy::{KnnProbe, LinearProbe, SimpleShot};
use serde::Deserialize;

use crate::support::{Ridge, golden, patients};

#[derive(Deserialize)]
struct Golden {
    x: Vec<Vec<f32>>,
    labels: Vec<u32>,
    groups: Vec<u32>,
    folds: Vec<GoldenFold>,
    knn_5: Vec<f64>,
    simple_shot: Vec<f64>,
}

#[derive(Deserialize)]
struct GoldenFold {
    train: Vec<usize>,
    held_out: Vec<usize>,
}

fn probes() -> Vec<Box<dyn ProxyTask>> {
    vec![
        Box::new(LinearProbe::new(Arc::new(Ridge))),
        Box::new(KnnProbe::default()),
        Box::new(SimpleShot),
    ]
}

fn folds(view: &TrainView) -> Vec<Fold> {
    splits::repeated(&view.labels(), &view.groups(), 2, 5, 2, 3).unwrap()
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let golden: Golden = golden("probes.json");
    let groups: Vec<String> = golden.groups.iter().map(ToString::to_string).collect();
    let classes = vec!["a".into(), "b".into(), "c".into()];
    let matrix = Matrix::from_rows(&golden.x).unwrap();
    let set = LabelledSet::new(matrix, classes, golden.labels, &groups).unwrap();
    let folds: Vec<Fold> =
        golden.folds.into_iter().map(|f| Fold { train: f.train, held_out: f.held_out }).collect();
    let view = TrainView::whole(&set);
    let close = |found: Vec<f64>, expected: Vec<f64>| {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(&expected) {
            assert!((f - e).abs() < 1e-12, "found {found:?}, expected {expected:?}");
        }
    };
    close(KnnProbe { k: 5 }.score(&view, &folds).unwrap().folds, golden.knn_5);
    close(SimpleShot.score(&view, &folds).unwrap().folds, golden.simple_shot);
}

#[test]
fn probes_find_a_large_effect_and_no_effect() {
    let (strong, none) = (patients(20, 20, 5, 3.0, 0.3, 1), patients(20, 20, 5, 0.0, 0.3, 2));
    for probe in probes() {
        let mean = |set: &LabelledSet| {
            let view = TrainView::whole(set);
            let scores = probe.score(&view, &folds(&view)).unwrap();
            scores.folds.iter().sum::<f64>() / scores.folds.len() as f64
        };
        assert!(mean(&strong) > 0.85, "{}: {}", probe.kind(), mean(&strong));
        assert!((mean(&none) - 0.5).abs() < 0.06, "{}: {}", probe.kind(), mean(&none));
    }
}

#[test]
fn threads_do_not_change_scores() {
    let set = patients(20, 15, 7, 0.8, 0.5, 4);
    let view = TrainView::whole(&set);
    for probe in probes() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| probe.score(&view, &folds(&view)).unwrap())
        };
        assert_eq!(on(1), on(2), "{}", probe.kind());
    }
}

#[test]
fn held_out_labels_do_not_move_what_is_called() {
    // With all held-out labels changed to class 0, balanced accuracy becomes the share of calls of
    // class 0, which must be the same as before if calls did not look at held-out labels.
    let set = patients(10, 10, 4, 1.0, 0.2, 5);
    let view = TrainView::whole(&set);
    let fold = Fold { train: (0..50).collect(), held_out: (50..100).collect() };
    let relabelled = |to: u32| {
        let labels: Vec<u32> =
            (0..100).map(|i| if i < 50 { set.labels()[i] } else { to }).collect();
        let groups: Vec<String> = set.groups().iter().map(ToString::to_string).collect();
        LabelledSet::new(set.features().clone(), set.classes().to_vec(), labels, &groups).unwrap()
    };
    for probe in probes() {
        let share = |to: u32| {
            let set = relabelled(to);
            probe.score(&TrainView::whole(&set), std::slice::from_ref(&fold)).unwrap().folds[0]
        };
        assert!((share(0) + share(1) - 1.0).abs() < 1e-12, "{}", probe.kind());
        let balanced = probe.score(&view, std::slice::from_ref(&fold)).unwrap().folds[0];
        assert!((0.0..=1.0).contains(&balanced));
    }
}

#[test]
fn the_penalty_is_tuned_per_training_set() {
    // Pure noise wants the strongest penalty that helps; the choice is one of the grid's.
    let set = patients(12, 10, 20, 2.0, 0.1, 6);
    let probe = LinearProbe::new(Arc::new(Ridge));
    let penalty = probe.tune(&TrainView::whole(&set), 0).unwrap();
    assert!([0.01, 1.0, 100.0].contains(&penalty));
    // Two groups that hold a class each: nothing to tune on, so the middle of the grid.
    let rows: Vec<Vec<f32>> = (0..4).map(|i| vec![i as f32]).collect();
    let classes = vec!["a".into(), "b".into()];
    let matrix = Matrix::from_rows(&rows).unwrap();
    let torn = LabelledSet::new(matrix, classes, vec![0, 0, 1, 1], &["p", "p", "q", "q"]).unwrap();
    let penalty = probe.tune(&TrainView::whole(&torn), 0).unwrap();
    assert!((penalty - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_group_on_both_sides_is_refused() {
    let set = patients(4, 4, 3, 1.0, 0.1, 7);
    let view = TrainView::whole(&set);
    let torn = Fold { train: vec![0, 1, 4, 5], held_out: vec![2, 3] };
    for probe in probes() {
        assert!(probe.score(&view, std::slice::from_ref(&torn)).is_err(), "{}", probe.kind());
    }
    assert!(KnnProbe { k: 0 }.score(&view, &[]).is_err());
}
