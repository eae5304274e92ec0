// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties that every augmentation must have.

use eosin_augment::{BankMode, GaussianNoise, Pipeline, ViewBankTransform};
use eosin_core::{
    Draw, FeatureTransform, Fold, LabelledSet, Matrix, TrainBatch, TrainView, ViewBank,
};

const DRAW: Draw = Draw { seed: 11, fold: 2, epoch: 0 };
const POISON: f32 = 1e30;

/// A deterministic value in −1..1 that differs from cell to cell.
fn value(i: usize, d: usize) -> f32 {
    let x = (i as u64 * 7919 + d as u64 * 104_729 + 17).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((x >> 40) as f32 / (1u64 << 23) as f32) - 1.0
}

/// 60 rows of 12 groups with 3 classes and a bank of 4 views; groups 9 and up are poisoned.
fn set(poisoned: bool) -> LabelledSet {
    let (n, dim, n_views) = (60, 6, 4);
    let bad = |i: usize| poisoned && i / 5 >= 9;
    let cell = |i: usize, d: usize| if bad(i) { POISON } else { value(i, d) + (i % 3) as f32 };
    let rows: Vec<Vec<f32>> = (0..n).map(|i| (0..dim).map(|d| cell(i, d)).collect()).collect();
    let views: Vec<Vec<f32>> = (0..n * n_views)
        .map(|r| {
            let noise = |d| 0.1 * value(r + 1000, d);
            (0..dim).map(|d| cell(r / n_views, d) + noise(d)).collect()
        })
        .collect();
    let groups: Vec<String> = (0..n).map(|i| format!("g{}", i / 5)).collect();
    let classes = vec!["a".into(), "b".into(), "c".into()];
    // Class 2 is scarce: one row in each group.
    let labels = (0..n).map(|i| if i % 5 == 4 { 2 } else { (i % 2) as u32 }).collect();
    LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups)
        .unwrap()
        .with_bank(ViewBank::new(n_views, Matrix::from_rows(&views).unwrap()).unwrap())
        .unwrap()
}

fn fold() -> Fold {
    Fold { train: (0..45).collect(), held_out: (45..60).collect() }
}

fn kinds() -> Vec<Box<dyn FeatureTransform>> {
    vec![
        Box::new(GaussianNoise::default()),
        Box::new(GaussianNoise { gamma: 0.3, copies: 0 }),
        Box::new(ViewBankTransform::default()),
        Box::new(ViewBankTransform { mode: BankMode::Draw, n: 2 }),
        Box::new(
            Pipeline::default()
                .then(ViewBankTransform { mode: BankMode::Draw, n: 1 })
                .unwrap()
                .then(GaussianNoise::default())
                .unwrap(),
        ),
    ]
}

fn apply(kind: &dyn FeatureTransform, view: &TrainView, draw: Draw) -> TrainBatch {
    kind.fit(view).unwrap().apply(&TrainBatch::from_view(view), draw).unwrap()
}

fn bits(batch: &TrainBatch) -> Vec<u32> {
    let all = batch.features().values().iter().chain(batch.targets().values());
    all.chain(batch.weights()).map(|v| v.to_bits()).collect()
}

#[test]
fn held_out_rows_leave_no_trace() {
    let (clean, poisoned) = (set(false), set(true));
    let (clean, _) = TrainView::whole(&clean).split(&fold()).unwrap();
    let (poisoned, _) = TrainView::whole(&poisoned).split(&fold()).unwrap();
    for kind in kinds() {
        let (a, b) = (apply(&*kind, &clean, DRAW), apply(&*kind, &poisoned, DRAW));
        assert!(b.features().values().iter().all(|v| v.abs() < 100.0), "{}", kind.kind());
        assert_eq!(bits(&a), bits(&b), "{}", kind.kind());
    }
}

#[test]
fn new_rows_keep_group_and_targets_are_distributions() {
    let set = set(false);
    let view = TrainView::whole(&set);
    for kind in kinds() {
        let batch = apply(&*kind, &view, DRAW);
        for i in 0..batch.n_rows() {
            let parent = batch.parents()[i] as usize;
            assert_eq!(batch.groups()[i], view.groups()[parent], "{}", kind.kind());
            let sum: f32 = batch.targets().row(i).iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{}", kind.kind());
        }
        assert_eq!(batch.features().first_bad_row(), None);
    }
}

#[test]
fn threads_do_not_change_bytes_and_draws_do() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let on = |threads: usize, kind: &dyn FeatureTransform, draw| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(&apply(kind, &view, draw)))
    };
    for kind in kinds() {
        assert_eq!(on(1, &*kind, DRAW), on(2, &*kind, DRAW), "{}", kind.kind());
    }
    let noise = GaussianNoise::default();
    for other in [Draw { seed: 12, ..DRAW }, Draw { fold: 0, ..DRAW }, Draw { epoch: 1, ..DRAW }] {
        assert_ne!(on(1, &noise, DRAW), on(1, &noise, other));
    }
}

#[test]
fn noise_has_the_standard_deviation_that_was_asked_for() {
    let rows: Vec<Vec<f32>> =
        (0..4000).map(|i| vec![if i % 2 == 0 { 3.0 } else { -3.0 }, 5.0]).collect();
    let groups: Vec<String> = (0..4000).map(|i| i.to_string()).collect();
    let matrix = Matrix::from_rows(&rows).unwrap();
    let set = LabelledSet::new(matrix, vec!["a".into()], vec![0; 4000], &groups).unwrap();
    let batch = apply(&GaussianNoise { gamma: 0.5, copies: 3 }, &TrainView::whole(&set), DRAW);
    let mut square = 0.0;
    for i in 4000..batch.n_rows() {
        let noise = batch.features().row(i)[0] - rows[batch.parents()[i] as usize][0];
        square += f64::from(noise).powi(2);
        // A dimension without spread gets no noise.
        assert_eq!(batch.features().row(i)[1].to_bits(), 5.0f32.to_bits());
    }
    let sd = (square / 12_000.0).sqrt();
    assert!((sd - 1.5).abs() < 0.05, "σ_d·γ is 1.5, found {sd}");
}

#[test]
fn weight_is_shared_not_multiplied() {
    let set = set(false);
    let view = TrainView::whole(&set);
    for kind in kinds() {
        let total: f32 = apply(&*kind, &view, DRAW).weights().iter().sum();
        assert!((total - 60.0).abs() < 1e-3, "{}: {total}", kind.kind());
    }
}

#[test]
fn the_whole_bank_is_used_once() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let batch = apply(&ViewBankTransform::default(), &view, DRAW);
    assert_eq!(batch.n_rows(), 60 * 5);
    for i in 0..batch.n_rows() {
        let (row, slot) = (i / 5, i % 5);
        let expected =
            if slot == 0 { view.feature_row(row) } else { view.bank_row(row, slot - 1).unwrap() };
        assert_eq!(batch.features().row(i), expected);
    }
}

#[test]
fn no_bank_is_an_error_with_a_way_out() {
    let matrix = Matrix::from_rows(&[vec![1.0], vec![2.0]]).unwrap();
    let set = LabelledSet::new(matrix, vec!["a".into()], vec![0, 0], &["p", "q"]).unwrap();
    let error = ViewBankTransform::default().fit(&TrainView::whole(&set)).err().unwrap();
    assert!(error.hint().contains("eosin embed --views"), "{}", error.hint());
}

#[test]
fn digest_tells_pipelines_apart() {
    let noise = |gamma| GaussianNoise { gamma, copies: 2 };
    let two = |a, b| Pipeline::default().then(noise(a)).unwrap().then(noise(b)).unwrap().digest();
    assert_eq!(two(0.1, 0.2), two(0.1, 0.2));
    assert_ne!(two(0.1, 0.2), two(0.2, 0.1));
    assert_ne!(two(0.1, 0.2), Pipeline::default().digest());
}

#[test]
fn two_noise_stages_draw_different_noise() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let replace = GaussianNoise { gamma: 0.3, copies: 0 };
    let once = apply(&replace, &view, DRAW);
    let twice = Pipeline::default().then(replace.clone()).unwrap().then(replace).unwrap();
    let twice = apply(&twice, &view, DRAW);
    let x = view.feature_row(0)[0];
    let (first, both) = (once.features().row(0)[0] - x, twice.features().row(0)[0] - x);
    assert!((both - 2.0 * first).abs() > 1e-4);
}
