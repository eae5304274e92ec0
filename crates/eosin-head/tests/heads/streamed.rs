// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rows that something else keeps are read block by block, and give the same heads.

use std::sync::Arc;

use eosin_core::{HeadTrainer, LabelledSet, Matrix, Reweighted, TrainBatch, TrainView};
use eosin_head::{LdaTrainer, LinearSvmTrainer, LogisticTrainer, RidgeTrainer};
use eosin_testkit::memory::{Counting, peak_of};
use eosin_testkit::synthetic::Gaussian;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn build(shares: &[f64], n: usize, dim: usize) -> LabelledSet {
    let shares = shares.to_vec();
    let rows_per_group = n / 20;
    Gaussian { n_groups: 20, rows_per_group, dim, shares, ..Gaussian::default() }.build().unwrap()
}

fn shared(matrix: &Matrix) -> Matrix {
    let keeper = Arc::new(matrix.values().to_vec());
    Matrix::shared(matrix.n_rows(), matrix.n_cols(), keeper).unwrap()
}

fn batches(set: &LabelledSet) -> [TrainBatch; 2] {
    let held = TrainBatch::from_view(&TrainView::whole(set));
    let groups: Vec<String> = held.groups().iter().map(ToString::to_string).collect();
    let (features, labels) = (shared(set.features()), set.labels().to_vec());
    let kept = LabelledSet::new(features, set.classes().to_vec(), labels, &groups).unwrap();
    let streamed = TrainBatch::from_view(&TrainView::whole(&kept));
    assert!(streamed.features().is_shared() && !held.features().is_shared());
    [held, streamed]
}

#[test]
fn streamed_rows_give_the_bits_of_held_rows() {
    let trainers: [&dyn HeadTrainer; 4] = [
        &LogisticTrainer::default(),
        &RidgeTrainer::default(),
        &LdaTrainer::default(),
        &LinearSvmTrainer::default(),
    ];
    // More and fewer rows than features, two classes and three.
    for (n, dim, shares) in [(900, 210, vec![0.7, 0.3]), (60, 90, vec![0.4, 0.3, 0.3])] {
        let [held, streamed] = batches(&build(&shares, n, dim));
        for trainer in trainers {
            let penalty = trainer.penalties()[trainer.penalties().len() / 2];
            let [a, b] = [&held, &streamed].map(|batch| trainer.fit(batch, penalty).unwrap());
            assert_eq!(a.record(), b.record(), "{} {n} × {dim}", trainer.kind());
        }
    }
}

#[test]
fn streamed_folds_give_the_bits_of_held_folds() {
    let [held, streamed] = batches(&build(&[0.5, 0.5], 400, 12));
    let records = |batch: &TrainBatch| {
        let request = |k: usize| {
            let rows: Vec<usize> = (0..400).filter(|i| i % 4 != k).collect();
            let weights = batch.weights_within(&rows).unwrap();
            Reweighted { weights, penalties: vec![10.0, 0.1] }
        };
        let requests: Vec<Reweighted> = (0..4).map(request).collect();
        let heads = LogisticTrainer::default().fit_reweighted(batch, &requests);
        let heads = heads.unwrap().unwrap().into_iter().flatten();
        heads.map(|head| head.record()).collect::<Vec<_>>()
    };
    assert_eq!(records(&held), records(&streamed));
}

#[test]
fn streamed_rows_are_never_held_together() {
    let [held, streamed] = batches(&build(&[0.7, 0.3], 20_000, 128));
    let matrix = size_of_val(held.features().values());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let heap = |batch: &TrainBatch| {
        pool.install(|| peak_of(|| LogisticTrainer::default().fit(batch, 10.0).unwrap()).1)
    };
    // The matrix product keeps a buffer for each thread from its first call on.
    heap(&held);
    assert!(heap(&held) > matrix, "{} of {matrix}", heap(&held));
    assert!(heap(&streamed) < matrix / 2, "{} of {matrix}", heap(&streamed));
}
