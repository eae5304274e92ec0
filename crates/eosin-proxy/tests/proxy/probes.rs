// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use eosin_core::{Error, Fold, LabelledSet, Matrix, ProxyTask, Result, TrainView};
use eosin_eval::splits;
use eosin_proxy::select::{ScoreCache, UnitScores, score_repeats};
use eosin_proxy::{FewShot, KnnProbe, LinearProbe, Reduced, SimpleShot};
use eosin_testkit::conformance;
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
        Box::new(FewShot { shots: 5, ..FewShot::default() }),
        Box::new(Reduced { probe: Arc::new(SimpleShot), dimensions: 3 }),
    ]
}

fn folds(view: &TrainView) -> Vec<Fold> {
    splits::repeated(&view.labels(), &view.groups(), 2, 5, 2, 3).unwrap().folds
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
fn every_probe_keeps_its_duties() {
    for probe in probes() {
        conformance::proxy_task(&*probe);
    }
}

#[test]
fn neighbours_are_found_where_few_groups_may_be_trained_on() {
    // 2 of 30 groups to train on: the shared lists are too short for nearly every row.
    let set = patients(30, 10, 4, 3.0, 0.2, 8);
    let view = TrainView::whole(&set);
    let fold = Fold { train: (0..20).collect(), held_out: (20..300).collect() };
    let few = KnnProbe { k: 5 }.score(&view, std::slice::from_ref(&fold)).unwrap().folds[0];
    assert!(few > 0.7, "{few}");
    // The same from a set that holds only those rows and one asked row: no list is short there.
    let alone: Vec<usize> = (0..30).collect();
    let groups: Vec<String> = alone.iter().map(|i| set.groups()[*i].to_string()).collect();
    let labels = alone.iter().map(|&i| set.labels()[i]).collect();
    let classes = set.classes().to_vec();
    let small = LabelledSet::new(set.features().select(&alone), classes, labels, &groups).unwrap();
    let held_out: Vec<usize> = (20..30).collect();
    let fold = Fold { train: (0..20).collect(), held_out };
    let a = KnnProbe { k: 5 }.score(&view, std::slice::from_ref(&fold)).unwrap();
    let b = KnnProbe { k: 5 }.score(&TrainView::whole(&small), &[fold]).unwrap();
    assert_eq!(a, b);
}

#[test]
fn pca_to_all_dimensions_changes_nothing_for_a_rotation_invariant_probe() {
    let set = patients(20, 10, 5, 1.0, 0.3, 9);
    let view = TrainView::whole(&set);
    let reduced = Reduced { probe: Arc::new(SimpleShot), dimensions: 256 };
    let scores = reduced.score(&view, &folds(&view)).unwrap();
    assert_eq!(scores.folds, SimpleShot.score(&view, &folds(&view)).unwrap().folds);
    assert_eq!(scores.probe, "simple-shot-pca-256");
}

#[test]
fn more_shots_serve_better() {
    let set = patients(20, 20, 10, 1.5, 0.2, 10);
    let view = TrainView::whole(&set);
    let mean = |shots| {
        let probe = FewShot { shots, episodes: 20, seed: 1 };
        let scores = probe.score(&view, &folds(&view)).unwrap();
        scores.folds.iter().sum::<f64>() / scores.folds.len() as f64
    };
    let (one, five, all) = (mean(1), mean(5), mean(1000));
    assert!(one < five && five < all, "{one} {five} {all}");
}

#[derive(Default)]
struct Memory {
    kept: Mutex<BTreeMap<(String, usize), UnitScores>>,
    /// Repeats that may still be stored before the process is killed.
    left: Mutex<usize>,
}

impl ScoreCache for Memory {
    fn load(&self, key: &str, repeat: usize) -> Result<Option<UnitScores>> {
        Ok(self.kept.lock().unwrap().get(&(key.into(), repeat)).cloned())
    }

    fn store(&self, key: &str, repeat: usize, scores: &UnitScores) -> Result<()> {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            return Err(Error::input("test", "a living process", "a kill", "run again"));
        }
        *left -= 1;
        self.kept.lock().unwrap().insert((key.into(), repeat), scores.clone());
        Ok(())
    }
}

#[test]
fn an_interrupted_selection_goes_on_and_ends_the_same() {
    let set = patients(15, 8, 5, 0.8, 0.3, 11);
    let view = TrainView::whole(&set);
    let folds = splits::repeated(&view.labels(), &view.groups(), 2, 3, 4, 3).unwrap().folds;
    for probe in probes() {
        let cache = Memory::default();
        *cache.left.lock().unwrap() = 2;
        assert!(score_repeats(&*probe, &view, &folds, 3, &cache, "net").is_err());
        assert_eq!(cache.kept.lock().unwrap().len(), 2);
        *cache.left.lock().unwrap() = 2;
        let resumed = score_repeats(&*probe, &view, &folds, 3, &cache, "net").unwrap();
        assert_eq!(resumed.scores, probe.score(&view, &folds).unwrap(), "{}", probe.kind());
        // Nothing is computed again: not even one more repeat may be stored now.
        assert_eq!(score_repeats(&*probe, &view, &folds, 3, &cache, "net").unwrap(), resumed);
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
