// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{FittedTransform, LabelledSet, NoProgress};
use eosin_testkit::synthetic::Gaussian;

use super::*;
use crate::LogisticTrainer;

fn set(shares: Vec<f64>) -> LabelledSet {
    Gaussian { n_groups: 20, rows_per_group: 12, dim: 10, shares, ..Gaussian::default() }
        .build()
        .unwrap()
}

fn trainer() -> LogisticTrainer {
    LogisticTrainer { penalties: vec![1e4, 1e2, 1.0, 1e-2], ..LogisticTrainer::default() }
}

#[test]
fn the_penalty_of_the_best_score_is_taken() {
    let set = set(vec![0.7, 0.3]);
    let view = TrainView::whole(&set);
    let tuned = tune(&view, &trainer(), &[], TuneOptions::default(), &NoProgress).unwrap();
    let best = tuned.scores.iter().map(|s| s.score).fold(f64::NEG_INFINITY, f64::max);
    let chosen = tuned.scores.iter().find(|s| (s.penalty - tuned.penalty).abs() < 1e-12).unwrap();
    assert!((chosen.score - best).abs() < 1e-15);
    assert_eq!(tuned.folds, 5);
    let positive: Vec<bool> = view.labels().iter().map(|&l| l == 1).collect();
    let auroc = eosin_eval::metrics::auroc(&tuned.oof.column(1), &positive, None);
    assert!(auroc > 0.85, "{auroc}");
    // Out of fold, the threshold must reach more than calling everything positive does.
    let threshold = tuned.threshold.unwrap();
    let f1 = eosin_eval::BinaryCounts::at(&tuned.oof.column(1), &positive, None, threshold).f1();
    assert!(f1 > 2.0 * 0.3 / 1.3 + 0.1, "{f1}");
}

#[test]
fn a_search_gives_the_same_bits_on_any_number_of_threads() {
    let set = set(vec![0.4, 0.3, 0.3]);
    let options = TuneOptions { repeats: 2, ..TuneOptions::default() };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let view = TrainView::whole(&set);
        pool.install(|| tune(&view, &trainer(), &[], options, &NoProgress).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(3));
    assert!(one.threshold.is_none());
    assert_eq!(one.oof.n_rows(), 240);
}

#[test]
fn permuted_labels_score_no_better_than_the_prior() {
    let set = Gaussian { effect: 0.0, group_sd: 0.0, n_groups: 40, ..Gaussian::default() }
        .build()
        .unwrap();
    let view = TrainView::whole(&set);
    let tuned = tune(&view, &trainer(), &[], TuneOptions::default(), &NoProgress).unwrap();
    let prior = -(2.0_f64.ln());
    assert!(tuned.scores.iter().all(|s| s.score < prior + 0.01), "{:?}", tuned.scores);
}

#[test]
fn fewer_folds_are_used_where_a_class_has_few_groups() {
    let features = eosin_core::Matrix::new(12, 1, (0..12).map(|i| i as f32).collect()).unwrap();
    let labels = vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
    let groups = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f", "f"];
    let classes = vec!["n".to_string(), "p".to_string()];
    let set = LabelledSet::new(features.clone(), classes.clone(), labels.clone(), &groups).unwrap();
    let tuned = tune(&TrainView::whole(&set), &trainer(), &[], TuneOptions::default(), &NoProgress)
        .unwrap();
    assert_eq!(tuned.folds, 2);

    let one = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "e", "e"];
    let set = LabelledSet::new(features, classes, labels, &one).unwrap();
    let error = tune(&TrainView::whole(&set), &trainer(), &[], TuneOptions::default(), &NoProgress)
        .unwrap_err()
        .to_string();
    assert!(error.contains("n in 4, p in 1"), "{error}");
}

/// Refuses to be fitted on a view that holds all groups.
struct SeesOnlyTraining(usize);

impl FeatureTransform for SeesOnlyTraining {
    fn kind(&self) -> &'static str {
        "sees-only-training"
    }
    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        assert!(train.n_rows() < self.0, "fitted on held-out rows");
        Ok(Box::new(Doubles))
    }
}

struct Doubles;

impl FittedTransform for Doubles {
    fn apply(&self, batch: &TrainBatch, _draw: Draw) -> Result<TrainBatch> {
        let n = batch.n_rows();
        let copy =
            batch.derive(batch.features().clone(), &(0..n).collect::<Vec<_>>(), vec![0.5; n])?;
        batch.clone().with_weights(vec![0.5; n])?.concat(&copy)
    }
}

#[test]
fn transforms_see_the_training_part_alone_and_copies_change_nothing() {
    let set = set(vec![0.5, 0.5]);
    let view = TrainView::whole(&set);
    let transform = SeesOnlyTraining(view.n_rows());
    let options = TuneOptions::default();
    let plain = tune(&view, &trainer(), &[], options, &NoProgress).unwrap();
    let doubled = tune(&view, &trainer(), &[&transform], options, &NoProgress).unwrap();
    assert!((plain.penalty - doubled.penalty).abs() < 1e-12);
    for (a, b) in plain.oof.values().iter().zip(doubled.oof.values()) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn a_metric_of_two_classes_is_refused_for_three() {
    let set = set(vec![0.4, 0.3, 0.3]);
    let options = TuneOptions { metric: TuneMetric::Auroc, ..TuneOptions::default() };
    let found = tune(&TrainView::whole(&set), &trainer(), &[], options, &NoProgress);
    assert!(found.unwrap_err().to_string().contains("two classes"));
}

/// The same trainer without its shared fit of folds.
struct OneByOne(LogisticTrainer);

impl HeadTrainer for OneByOne {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    fn penalties(&self) -> Vec<f64> {
        self.0.penalties()
    }
    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        self.0.fit(batch, penalty)
    }
}

#[test]
fn folds_fitted_together_are_those_fitted_one_by_one() {
    for shares in [vec![0.7, 0.3], vec![0.4, 0.3, 0.3]] {
        let set = set(shares);
        let view = TrainView::whole(&set);
        let batch = TrainBatch::from_view(&view);
        let weights = batch.weights_within(&(0..200).collect::<Vec<_>>()).unwrap();
        let request = Reweighted { weights, penalties: vec![1.0] };
        assert!(trainer().fit_reweighted(&batch, &[request]).unwrap().is_some());
        let options = TuneOptions { repeats: 2, ..TuneOptions::default() };
        let together = tune(&view, &trainer(), &[], options, &NoProgress).unwrap();
        let alone = tune(&view, &OneByOne(trainer()), &[], options, &NoProgress).unwrap();
        assert!((together.penalty - alone.penalty).abs() < 1e-12);
        for (a, b) in together.scores.iter().zip(&alone.scores) {
            assert!((a.score - b.score).abs() < 1e-6, "{a:?} {b:?}");
        }
        for (a, b) in together.oof.values().iter().zip(alone.oof.values()) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}

#[test]
fn a_fold_without_training_rows_is_refused() {
    let set = set(vec![0.7, 0.3]);
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    let refused = batch.weights_within(&[]).unwrap_err().to_string();
    assert!(refused.contains("at least one row to train on"), "{refused}");
    assert!(batch.weights_within(&[240]).is_err());
}

#[test]
fn one_group_has_the_threshold_of_its_rows() {
    let rows = [0.1, 0.4, 0.6, 0.9].map(|p| [1.0 - p, p]).concat();
    let oof = Probabilities::new(2, rows).unwrap();
    let of_one = threshold(&oof, &[0, 0, 1, 1], &[7; 4], 1).unwrap().unwrap();
    assert!(of_one > 0.4 && of_one <= 0.6, "{of_one}");
}
