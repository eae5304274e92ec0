// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every head kind: the suite of its trait, saving, and what it answers to bad input.

mod optima;
mod saved;
mod streamed;

use eosin_core::{Error, Head, HeadTrainer, LabelledSet, Matrix, Result, TrainBatch, TrainView};
#[cfg(feature = "linfa-logistic")]
use eosin_head::LinfaLogisticTrainer;
use eosin_head::{
    KINDS, KnnTrainer, LdaTrainer, LinearSvmTrainer, LogisticTrainer, NearestMeanTrainer,
    RidgeTrainer, head_from_record,
};
use eosin_testkit::{conformance, synthetic::Gaussian};

fn trainers() -> Vec<Box<dyn HeadTrainer>> {
    vec![
        Box::new(LogisticTrainer::default()),
        #[cfg(feature = "linfa-logistic")]
        Box::new(LinfaLogisticTrainer::default()),
        Box::new(RidgeTrainer::default()),
        Box::new(LdaTrainer::default()),
        Box::new(LinearSvmTrainer::default()),
        Box::new(KnnTrainer::default()),
        Box::new(NearestMeanTrainer::default()),
    ]
}

fn batch(rows: &[Vec<f32>], labels: Vec<u32>, n_classes: usize) -> TrainBatch {
    let classes = (0..n_classes).map(|k| format!("class-{k}")).collect();
    let groups: Vec<String> = (0..rows.len()).map(|i| format!("g{i}")).collect();
    let set = LabelledSet::new(Matrix::from_rows(rows).unwrap(), classes, labels, &groups).unwrap();
    TrainBatch::from_view(&TrainView::whole(&set))
}

fn gaussian(shares: Vec<f64>, dim: usize) -> LabelledSet {
    Gaussian { dim, shares, n_groups: 20, ..Gaussian::default() }.build().unwrap()
}

#[test]
fn every_kind_passes_the_suite_of_its_trait() {
    for trainer in trainers() {
        conformance::head_trainer(trainer.as_ref());
    }
}

#[test]
fn heads_of_a_search_call_the_classes_of_exact_ones() {
    let set = gaussian(vec![0.4, 0.3, 0.3], 40);
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    let exact = LogisticTrainer::default();
    let rough = exact.for_search().unwrap();
    let penalties = exact.penalties();
    let called = |trainer: &dyn HeadTrainer| -> Vec<Vec<u32>> {
        let heads = trainer.fit_path(&batch, &penalties).unwrap();
        heads.iter().map(|head| head.predict(batch.features()).unwrap().argmax()).collect()
    };
    let passes = |trainer: &dyn HeadTrainer| {
        trainer.fit(&batch, penalties[6]).unwrap().record().parameters["passes"]
    };
    for (a, b) in called(&exact).iter().zip(called(rough.as_ref())) {
        let others = a.iter().zip(&b).filter(|(a, b)| a != b).count();
        assert!(others * 100 <= a.len(), "{others} of {}", a.len());
    }
    assert!(passes(rough.as_ref()) < passes(&exact));
}

#[test]
fn every_kind_is_made_again_from_its_record() {
    let set = gaussian(vec![0.4, 0.3, 0.3], 6);
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    for trainer in trainers() {
        assert!(KINDS.contains(&trainer.kind()));
        let head = trainer.fit(&batch, trainer.penalties()[0]).unwrap();
        let again = head_from_record(&head.record()).unwrap();
        assert_eq!(
            head.predict(set.features()).unwrap(),
            again.predict(set.features()).unwrap(),
            "{}",
            trainer.kind()
        );
        let mut damaged = head.record();
        let first = damaged.tensors.keys().next().unwrap().clone();
        damaged.tensors.get_mut(&first).unwrap().values.pop();
        assert!(head_from_record(&damaged).is_err(), "{}", trainer.kind());
        let mut poisoned = head.record();
        poisoned.tensors.get_mut(&first).unwrap().values[0] = f64::NAN;
        assert!(head_from_record(&poisoned).is_err(), "{}", trainer.kind());
    }
    let mut unknown = LogisticTrainer::default().fit(&batch, 1.0).unwrap().record();
    unknown.kind = "oracle".into();
    let Err(error) = head_from_record(&unknown) else { panic!("an unknown kind was made") };
    assert!(error.to_string().contains("logistic, linfa-logistic"), "{error}");
}

#[test]
#[cfg(feature = "linfa-logistic")]
fn logistic_and_linfa_agree() {
    for (shares, dim) in [(vec![0.7, 0.3], 6), (vec![0.4, 0.3, 0.3], 6), (vec![0.5, 0.5], 300)] {
        let set = gaussian(shares, dim);
        let batch = TrainBatch::from_view(&TrainView::whole(&set));
        for penalty in [100.0, 1.0] {
            let ours = LogisticTrainer::default().fit(&batch, penalty).unwrap();
            let theirs = LinfaLogisticTrainer::default().fit(&batch, penalty).unwrap();
            close(ours.as_ref(), theirs.as_ref(), set.features(), 1e-4);
        }
    }
}

#[test]
fn weights_count_as_repeated_rows() {
    let set = gaussian(vec![0.5, 0.5], 5);
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    let n = batch.n_rows();
    let weights: Vec<f32> = (0..n).map(|i| (i % 3) as f32).collect();
    let repeated: Vec<usize> = (0..n).flat_map(|i| std::iter::repeat_n(i, i % 3)).collect();
    let repeated = batch
        .derive(batch.features().select(&repeated), &repeated, vec![1.0; repeated.len()])
        .unwrap();
    let weighted = batch.with_weights(weights).unwrap();
    for trainer in trainers() {
        if trainer.kind() == "knn" {
            continue; // A neighbour is a row, however much its vote weighs.
        }
        let Ok(ours) = trainer.fit(&weighted, 1.0) else {
            assert_eq!(trainer.kind(), "linfa-logistic");
            continue;
        };
        let theirs = trainer.fit(&repeated, 1.0).unwrap();
        close(ours.as_ref(), theirs.as_ref(), set.features(), 1e-7);
    }
}

#[test]
fn soft_targets_count_as_weighted_rows_of_both_classes() {
    let set = gaussian(vec![0.5, 0.5], 5);
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    let n = batch.n_rows();
    let all: Vec<usize> = (0..n).collect();
    let soft: Vec<Vec<f32>> = batch
        .labels()
        .iter()
        .map(|&l| if l == 0 { vec![0.75, 0.25] } else { vec![0.25, 0.75] })
        .collect();
    let soft = batch
        .derive_with_targets(
            batch.features().clone(),
            Matrix::from_rows(&soft).unwrap(),
            &all,
            vec![1.0; n],
        )
        .unwrap();
    let flipped: Vec<Vec<f32>> = batch
        .labels()
        .iter()
        .map(|&l| if l == 0 { vec![0.0, 1.0] } else { vec![1.0, 0.0] })
        .collect();
    let hard = batch
        .clone()
        .with_weights(vec![0.75; n])
        .unwrap()
        .concat(
            &batch
                .derive_with_targets(
                    batch.features().clone(),
                    Matrix::from_rows(&flipped).unwrap(),
                    &all,
                    vec![0.25; n],
                )
                .unwrap(),
        )
        .unwrap();
    let trainer = LogisticTrainer::default();
    let (a, b) = (trainer.fit(&soft, 2.0).unwrap(), trainer.fit(&hard, 2.0).unwrap());
    close(a.as_ref(), b.as_ref(), set.features(), 1e-7);
    #[cfg(feature = "linfa-logistic")]
    {
        let error = refusal(&LinfaLogisticTrainer::default(), &soft, 2.0);
        assert!(error.to_string().contains("soft targets"), "{error}");
    }
}

#[test]
#[cfg(feature = "linfa-logistic")]
fn one_weight_for_all_rows_is_exact_with_linfa() {
    let set = gaussian(vec![0.5, 0.5], 5);
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    let n = batch.n_rows();
    let weighted = batch.with_weights(vec![0.125; n]).unwrap();
    let ours = LogisticTrainer::default().fit(&weighted, 2.0).unwrap();
    let theirs = LinfaLogisticTrainer::default().fit(&weighted, 2.0).unwrap();
    close(ours.as_ref(), theirs.as_ref(), set.features(), 1e-4);
}

#[test]
fn bad_rows_are_refused_or_answered() {
    let rows: Vec<Vec<f32>> = (0..8).map(|i| vec![i as f32, 1.0]).collect();
    let sound = batch(&rows, vec![0, 0, 0, 0, 1, 1, 1, 1], 2);
    let nan = sound.clone().with_features(Matrix::new(8, 2, vec![f32::NAN; 16]).unwrap()).unwrap();
    let one_class = batch(&rows, vec![1; 8], 2);
    let empty = sound.derive(Matrix::new(0, 2, vec![]).unwrap(), &[], vec![]).unwrap();
    let weightless = sound.clone().with_weights(vec![0.0; 8]).unwrap();
    for trainer in trainers() {
        let trainer = trainer.as_ref();
        let penalty = trainer.penalties()[0];
        let names = |batch: &TrainBatch, text: &str| {
            let error = refusal(trainer, batch, penalty).to_string();
            assert!(error.contains(text), "{}: {error}", trainer.kind());
        };
        names(&nan, "row 0");
        names(&one_class, "one class: class-1");
        names(&empty, "at least one row");
        names(&weightless, "one class: none");
        // A shrinkage of 0 is Fisher's own analysis.
        let beyond = if trainer.kind() == "lda" { 1.5 } else { 0.0 };
        for penalty in [beyond, -1.0, f64::NAN, f64::INFINITY] {
            assert!(trainer.fit(&sound, penalty).is_err(), "{} {penalty}", trainer.kind());
        }
    }
}

#[test]
fn infinities_are_refused_and_the_row_is_named() {
    let rows: Vec<Vec<f32>> = (0..8).map(|i| vec![i as f32, 1.0]).collect();
    let sound = batch(&rows, vec![0, 0, 0, 0, 1, 1, 1, 1], 2);
    let mut bad = sound.features().clone();
    bad.row_mut(5)[1] = f32::INFINITY;
    let bad = sound.with_features(bad).unwrap();
    for trainer in trainers() {
        let error = refusal(trainer.as_ref(), &bad, trainer.penalties()[0]).to_string();
        assert!(error.contains("row 5"), "{}: {error}", trainer.kind());
    }
}

#[test]
fn constant_features_give_the_class_shares() {
    let rows = vec![vec![3.0_f32, 0.0]; 10];
    let batch = batch(&rows, vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 1], 2);
    for trainer in trainers() {
        let head = trainer.fit(&batch, 1.0).unwrap();
        let p = head.predict(batch.features()).unwrap();
        let expected = match trainer.kind() {
            // σ(2·(2·0.2 − 1)): the link of heads fitted by squares.
            "ridge" | "linear-svm" => 1.0 / (1.0 + 1.2_f64.exp()),
            // It knows no shares; rows of zeros are at no distance from either mean.
            "nearest-mean" => 0.5,
            // With k = 1, the first of equally near rows has all votes.
            "knn" => 1.0,
            _ => 0.2,
        };
        assert!((p.row(0)[1] - expected).abs() < 1e-6, "{} {:?}", trainer.kind(), p.row(0));
    }
}

#[test]
fn separable_rows_have_a_finite_head_at_any_penalty_above_zero() {
    let rows: Vec<Vec<f32>> = (0..20).map(|i| vec![i as f32 - 9.5, 1.0]).collect();
    let batch = batch(&rows, (0..20).map(|i| u32::from(i > 9)).collect(), 2);
    let error = refusal(&LogisticTrainer::default(), &batch, 0.0).to_string();
    assert!(error.contains("a finite number above 0"), "{error}");
    for penalty in [1e-4, 1e-9] {
        let head = LogisticTrainer::default().fit(&batch, penalty).unwrap();
        let record = head.record();
        assert!(record.parameters["relative_gradient"] <= 1e-8, "{penalty}");
        let p = head.predict(batch.features()).unwrap();
        assert!(p.row(9)[1] < 0.1 && p.row(10)[1] > 0.9, "{penalty} {:?}", p.row(9));
    }
}

#[test]
fn one_positive_row_is_enough() {
    let rows: Vec<Vec<f32>> = (0..30).map(|i| vec![(i % 7) as f32, i as f32]).collect();
    let mut labels = vec![0; 30];
    labels[29] = 1;
    let batch = batch(&rows, labels, 2);
    for trainer in trainers() {
        let head = trainer.fit(&batch, 1.0).unwrap();
        let p = head.predict(batch.features()).unwrap();
        let mean = p.column(1).iter().sum::<f64>() / 30.0;
        assert!(p.row(29)[1] >= mean && mean > 0.0, "{}: {mean}", trainer.kind());
    }
}

#[test]
fn a_class_without_rows_gets_probability_zero() {
    let rows: Vec<Vec<f32>> = (0..12).map(|i| vec![i as f32]).collect();
    let batch = batch(&rows, vec![0, 0, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3], 4);
    for trainer in trainers() {
        let head = trainer.fit(&batch, 1.0).unwrap();
        let p = head.predict(batch.features()).unwrap();
        assert!(p.column(1).iter().all(|&p| p == 0.0), "{}", trainer.kind());
        assert_eq!(p.argmax()[0], if trainer.kind() == "knn" { p.argmax()[0] } else { 0 });
    }
}

fn refusal(trainer: &dyn HeadTrainer, batch: &TrainBatch, penalty: f64) -> Error {
    let fitted: Result<Box<dyn Head>> = trainer.fit(batch, penalty);
    let Err(error) = fitted else { panic!("{} fitted bad rows", trainer.kind()) };
    error
}

#[track_caller]
fn close(a: &dyn Head, b: &dyn Head, features: &Matrix, tolerance: f64) {
    let (a, b) = (a.predict(features).unwrap(), b.predict(features).unwrap());
    for (x, y) in a.values().iter().zip(b.values()) {
        assert!((x - y).abs() <= tolerance, "{x} {y}");
    }
}
