// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties that every augmentation must have.

use eosin_augment::{
    BankMode, BorderlineSmote, CentreSwap, ClassWeights, ClusterNoise, CovarianceTransfer, Delta,
    Duplicate, ExpectedMoments, Extrapolate, FeatureDropout, GaussianNoise, Interpolate, Mixup,
    Pipeline, SecondMoments, Smote, ViewBankTransform, ViewOperator, test_time_average,
};
use eosin_core::{
    Draw, FeatureTransform, Fold, Head, HeadRecord, LabelledSet, Matrix, Probabilities, TrainBatch,
    TrainView, ViewBank,
};
use eosin_testkit::conformance;

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
        Box::new(ClassWeights::default()),
        Box::new(Duplicate::default()),
        Box::new(Interpolate::default()),
        Box::new(Extrapolate::default()),
        Box::new(Smote::default()),
        Box::new(BorderlineSmote::default()),
        Box::new(Mixup::default()),
        Box::new(FeatureDropout::default()),
        Box::new(ClusterNoise { clusters: 4, ..ClusterNoise::default() }),
        Box::new(CovarianceTransfer { rich: 15, ..CovarianceTransfer::default() }),
        Box::new(CentreSwap { min_rows: 2, ..CentreSwap::default() }),
        Box::new(Delta::default()),
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
fn every_kind_keeps_its_duties() {
    for kind in kinds() {
        conformance::feature_transform(&*kind);
    }
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
fn weight_is_shared_not_multiplied_unless_a_class_is_filled_up() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let fills_up = ["duplicate", "smote", "borderline-smote", "covariance-transfer"];
    for kind in kinds().into_iter().filter(|k| !fills_up.contains(&k.kind())) {
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

fn counts(batch: &TrainBatch) -> Vec<usize> {
    let labels = batch.labels();
    (0..batch.classes().len() as u32).map(|c| labels.iter().filter(|&&l| l == c).count()).collect()
}

#[test]
fn scarce_classes_are_filled_up_with_rows_between_slides() {
    let set = set(false);
    let view = TrainView::whole(&set);
    assert_eq!(view.class_counts(), [24, 24, 12]);
    for ratio in [0.75, 1.0] {
        let all: [Box<dyn FeatureTransform>; 3] = [
            Box::new(Smote { ratio, ..Smote::default() }),
            Box::new(BorderlineSmote { ratio, ..BorderlineSmote::default() }),
            Box::new(Duplicate { ratio }),
        ];
        for kind in all {
            let batch = apply(&*kind, &view, DRAW);
            assert_eq!(counts(&batch), [24, 24, (24.0 * ratio) as usize], "{}", kind.kind());
        }
    }
    // Every new row lies on a segment from its parent to a row of its class in another group.
    let batch = apply(&Smote::default(), &view, DRAW);
    let (labels, groups) = (view.labels(), view.groups());
    for i in 60..batch.n_rows() {
        let parent = batch.parents()[i] as usize;
        let on_segment = |other: usize| {
            let (x, y) = (view.feature_row(parent), view.feature_row(other));
            let u = (batch.features().row(i)[0] - x[0]) / (y[0] - x[0]);
            (0.0..=1.0).contains(&u)
                && (0..6)
                    .all(|d| (x[d] + u * (y[d] - x[d]) - batch.features().row(i)[d]).abs() < 1e-4)
        };
        let between: Vec<usize> =
            (0..60).filter(|&j| labels[j] == 2 && j != parent && on_segment(j)).collect();
        assert!(!between.is_empty());
        assert!(between.iter().all(|&j| groups[j] != groups[parent]));
    }
}

#[test]
fn a_class_of_one_slide_is_repeated() {
    let rows: Vec<Vec<f32>> = (0..9).map(|i| vec![i as f32]).collect();
    let labels = vec![0, 0, 0, 0, 0, 0, 1, 1, 0];
    let groups = ["a", "b", "c", "d", "e", "f", "s", "s", "g"];
    let classes = vec!["common".into(), "scarce".into()];
    let set =
        LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups).unwrap();
    let batch = apply(&Smote::default(), &TrainView::whole(&set), DRAW);
    assert_eq!(counts(&batch), [7, 7]);
    let new: Vec<f32> = batch.features().values()[9..].to_vec();
    assert_eq!(new, [6.0, 7.0, 6.0, 7.0, 6.0]);
}

#[test]
fn interpolation_halves_and_extrapolation_mirrors_the_way() {
    let rows = [vec![0.0], vec![2.0], vec![10.0]];
    let classes = vec!["a".into(), "b".into()];
    let set = LabelledSet::new(
        Matrix::from_rows(&rows).unwrap(),
        classes,
        vec![0, 0, 1],
        &["p", "q", "r"],
    )
    .unwrap();
    let view = TrainView::whole(&set);
    let inner = apply(&Interpolate::default(), &view, DRAW);
    // The only row of class b has no neighbour and stays.
    assert_eq!(inner.features().values(), [0.0, 2.0, 10.0, 1.0, 1.0, 10.0]);
    let outer = apply(&Extrapolate::default(), &view, DRAW);
    assert_eq!(outer.features().values(), [0.0, 2.0, 10.0, -1.0, 3.0, 10.0]);
}

#[test]
fn class_weights_balance_and_keep_the_sum() {
    let set = set(false);
    let batch = apply(&ClassWeights::default(), &TrainView::whole(&set), DRAW);
    let mut mass = [0.0_f32; 3];
    for (label, weight) in batch.labels().iter().zip(batch.weights()) {
        mass[*label as usize] += weight;
    }
    assert!(mass.iter().all(|m| (m - 20.0).abs() < 1e-4), "{mass:?}");
}

#[test]
fn mixup_mixes_targets_as_it_mixes_features() {
    // The feature is the class itself, so that the mixed target can be read from it.
    let rows: Vec<Vec<f32>> = (0..50).map(|i| vec![(i % 2) as f32]).collect();
    let groups: Vec<String> = (0..50).map(|i| i.to_string()).collect();
    let labels = (0..50).map(|i| i % 2).collect();
    let classes = vec!["a".into(), "b".into()];
    let set =
        LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups).unwrap();
    let view = TrainView::whole(&set);
    let batch = apply(&Mixup { alpha: 0.4, copies: 0 }, &view, DRAW);
    let mut soft = 0;
    for i in 0..50 {
        let (x, target) = (batch.features().row(i)[0], batch.targets().row(i)[1]);
        assert!((x - target).abs() < 1e-6);
        // The heavier part is the parent's.
        assert_eq!(target > 0.5, batch.parents()[i] % 2 == 1);
        soft += u32::from(target > 0.01 && target < 0.99);
    }
    assert!(soft > 5, "{soft} of 50 targets are soft");
}

#[test]
fn dropout_keeps_the_expectation() {
    let rows = vec![vec![2.0_f32; 50]; 200];
    let groups: Vec<String> = (0..200).map(|i| i.to_string()).collect();
    let matrix = Matrix::from_rows(&rows).unwrap();
    let set = LabelledSet::new(matrix, vec!["a".into()], vec![0; 200], &groups).unwrap();
    let batch = apply(&FeatureDropout { p: 0.25, copies: 0 }, &TrainView::whole(&set), DRAW);
    let values = batch.features().values();
    let dropped = values.iter().filter(|v| **v == 0.0).count() as f64 / values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    assert!((dropped - 0.25).abs() < 0.02 && (mean - 2.0).abs() < 0.05, "{dropped} {mean}");
}

#[test]
fn options_out_of_range_name_the_option() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let check = |kind: &dyn FeatureTransform, option: &str| {
        let error = kind.fit(&view).err().unwrap().to_string();
        assert!(error.contains(kind.kind()) && error.contains(option), "{error}");
    };
    check(&GaussianNoise { gamma: f32::NAN, copies: 1 }, "gamma");
    check(&Mixup { alpha: 0.0, copies: 1 }, "alpha");
    check(&FeatureDropout { p: 1.0, copies: 1 }, "option p");
    check(&Smote { k: 0, ratio: 1.0 }, "option k");
    check(&Interpolate { lambda: 2.0, ..Interpolate::default() }, "lambda");
    check(&ViewBankTransform { mode: BankMode::Draw, n: 6 }, "option n");
}

#[test]
fn a_batch_of_other_rows_is_refused() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let (small, _) = view.split(&fold()).unwrap();
    let all = TrainBatch::from_view(&view);
    for kind in [
        Box::new(ViewBankTransform::default()) as Box<dyn FeatureTransform>,
        Box::new(Smote::default()),
    ] {
        let error = kind.fit(&small).unwrap().apply(&all, DRAW).unwrap_err().to_string();
        assert!(error.contains("45 rows"), "{error}");
    }
}

/// A value in −1..1 that no linear map can tell from others, by SplitMix64's finaliser.
fn scrambled(i: usize, d: usize) -> f32 {
    let mut z = (i as u64 * 8 + d as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z >> 40) as f32 / (1u64 << 23) as f32) - 1.0
}

/// Rows of 16 groups and a bank whose views turn and shift them, as an operator
/// can learn, or are noise, which none can.
fn with_views(learnable: bool) -> LabelledSet {
    let n = 80;
    let rows: Vec<Vec<f32>> = (0..n).map(|i| (0..3).map(|d| 2.0 * value(i, d)).collect()).collect();
    let views: Vec<Vec<f32>> = rows
        .iter()
        .enumerate()
        .map(|(i, x)| {
            if learnable {
                vec![x[1] + 0.5, -x[0], 0.8 * x[2] + 0.1]
            } else {
                (0..3).map(|d| x[d] + scrambled(i, d)).collect()
            }
        })
        .collect();
    let groups: Vec<String> = (0..n).map(|i| format!("g{}", i / 5)).collect();
    let labels = (0..n).map(|i| (i % 2) as u32).collect();
    let classes = vec!["a".into(), "b".into()];
    LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups)
        .unwrap()
        .with_bank(ViewBank::new(1, Matrix::from_rows(&views).unwrap()).unwrap())
        .unwrap()
}

#[test]
fn an_operator_is_learned_where_there_is_one_and_offered_only_there() {
    let operator = ViewOperator { ridge: 1e-6, copies: 1 };
    let (sound, noise) = (with_views(true), with_views(false));
    let view = TrainView::whole(&sound);
    assert!(operator.skills(&view).unwrap()[0] > 0.999);
    let batch = apply(&operator, &view, DRAW);
    for i in 80..160 {
        let expected = view.bank_row(i - 80, 0).unwrap();
        for (x, e) in batch.features().row(i).iter().zip(expected) {
            assert!((x - e).abs() < 1e-3, "{x} {e}");
        }
    }
    let view = TrainView::whole(&noise);
    assert!(operator.skills(&view).unwrap()[0] < 0.1);
    let error = ViewOperator { ridge: 1e-6, copies: 1 }.fit(&view).err();
    if let Some(error) = error {
        assert!(error.to_string().contains("skills"), "{error}");
    }
    // The same as for every kind: bytes do not depend on threads, nor rows on held-out ones.
    let view = TrainView::whole(&sound);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(&apply(&operator, &view, DRAW)))
    };
    assert_eq!(on(1), on(2));
}

#[test]
fn noise_on_ridge_is_the_closed_form_penalty() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let (gamma, penalty) = (0.7_f32, 0.3);
    let noisy = GaussianNoise { gamma, copies: 0 }.expected_moments(&view).unwrap();
    let (weights, intercept) = noisy.ridge(penalty).unwrap();
    // The normal equations of ridge with penalty λ + n·γ²·σ_d² on each dimension, written out.
    let plain = SecondMoments::of(&TrainBatch::from_view(&view)).unwrap();
    let n = view.n_rows() as f64;
    for class in 0..3 {
        for d in 0..6 {
            let mean: f64 = (0..60).map(|i| f64::from(view.feature_row(i)[d])).sum::<f64>() / n;
            let variance: f64 =
                (0..60).map(|i| (f64::from(view.feature_row(i)[d]) - mean).powi(2)).sum::<f64>()
                    / n;
            let fitted: f64 = (0..6).map(|e| plain.gram[(d, e)] * weights[(e, class)]).sum();
            let total = f64::from(gamma).powi(2) * n * variance + penalty;
            let left = fitted + plain.sum[d] * intercept[class] + total * weights[(d, class)];
            assert!((left - plain.cross[(d, class)]).abs() < 1e-6, "{left}");
        }
    }
}

#[test]
fn expected_moments_are_the_limit_of_sampling() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let check = |kind: &dyn ExpectedMoments| {
        let expected = kind.expected_moments(&view).unwrap();
        let fitted = kind.fit(&view).unwrap();
        let batch = TrainBatch::from_view(&view);
        let n_draws = 2000;
        let mut gram = expected.gram.clone() * 0.0;
        let mut cross = expected.cross.clone() * 0.0;
        for epoch in 0..n_draws {
            let moments =
                SecondMoments::of(&fitted.apply(&batch, Draw { epoch, ..DRAW }).unwrap()).unwrap();
            gram += &(moments.gram / n_draws as f64);
            cross += &(moments.cross / n_draws as f64);
        }
        let scale = expected.gram.diag().sum() / 6.0;
        let far = (&gram - &expected.gram).iter().fold(0.0_f64, |m, v| m.max(v.abs())) / scale;
        let far_cross = (&cross - &expected.cross).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        assert!(far < 0.01 && far_cross / scale < 0.01, "{}: {far} {far_cross}", kind.kind());
    };
    check(&GaussianNoise { gamma: 0.5, copies: 0 });
    check(&GaussianNoise { gamma: 0.5, copies: 2 });
    check(&FeatureDropout { p: 0.3, copies: 0 });
    check(&FeatureDropout { p: 0.3, copies: 1 });
    check(&ViewBankTransform { mode: BankMode::Draw, n: 1 });
    check(&ViewBankTransform { mode: BankMode::Draw, n: 3 });
}

#[test]
fn cluster_noise_has_the_covariance_of_the_cluster() {
    // Two far clusters, one wide along the first axis, the other along the second.
    let rows: Vec<Vec<f32>> = (0..200)
        .map(|i| {
            let wide = 3.0 * value(i, 0);
            if i % 2 == 0 { vec![wide, 0.0] } else { vec![100.0, wide] }
        })
        .collect();
    let groups: Vec<String> = (0..200).map(|i| i.to_string()).collect();
    let matrix = Matrix::from_rows(&rows).unwrap();
    let set = LabelledSet::new(matrix, vec!["a".into()], vec![0; 200], &groups).unwrap();
    let view = TrainView::whole(&set);
    let batch = apply(&ClusterNoise { clusters: 2, copies: 50, ..Default::default() }, &view, DRAW);
    let variance = |parity: u32, d: usize| {
        let moved: Vec<f64> = (200..batch.n_rows())
            .filter(|&i| batch.parents()[i] % 2 == parity)
            .map(|i| f64::from(batch.features().row(i)[d] - rows[batch.parents()[i] as usize][d]))
            .collect();
        moved.iter().map(|v| v * v).sum::<f64>() / moved.len() as f64
    };
    // A uniform value in −3..3 has variance 3.
    assert!((variance(0, 0) - 3.0).abs() < 0.5 && variance(0, 1) < 1e-6);
    assert!((variance(1, 1) - 3.0).abs() < 0.5 && variance(1, 0) < 1e-6);
}

#[test]
fn a_scarce_class_borrows_the_covariance_of_its_neighbour() {
    // The rich class spreads along the first axis; the scarce one has two rows near it.
    let rows: Vec<Vec<f32>> = (0..102)
        .map(|i| if i < 100 { vec![5.0 + 2.0 * value(i, 0), 1.0] } else { vec![5.0, 3.0] })
        .collect();
    let labels = (0..102).map(|i| u32::from(i >= 100)).collect();
    let groups: Vec<String> = (0..102).map(|i| i.to_string()).collect();
    let classes = vec!["rich".into(), "scarce".into()];
    let set =
        LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups).unwrap();
    let batch = apply(
        &CovarianceTransfer { gamma: 1.0, ..Default::default() },
        &TrainView::whole(&set),
        DRAW,
    );
    assert_eq!(counts(&batch), [100, 100]);
    let new: Vec<&[f32]> = (102..200).map(|i| batch.features().row(i)).collect();
    let sd = (new.iter().map(|r| f64::from(r[0] - 5.0).powi(2)).sum::<f64>() / 98.0).sqrt();
    // A uniform value in −2..2 has a standard deviation of 2/√3.
    assert!((sd - 2.0 / 3.0_f64.sqrt()).abs() < 0.25, "{sd}");
    assert!(new.iter().all(|r| (r[1] - 3.0).abs() < 1e-6 && r[0] >= 0.0));
}

#[test]
fn a_swap_moves_rows_as_centre_means_differ() {
    // Centre 1 lies 10 further along the first axis, for class 1 also 3 along the second.
    let (mut rows, mut labels, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..40 {
        let (centre, class) = ((i / 2) % 2, i % 2);
        let shift = [10.0 * centre as f32, 3.0 * (centre * class) as f32];
        rows.push(vec![value(i / 4, 0) + shift[0], value(i / 4, 1) + shift[1]]);
        labels.push(class as u32);
        groups.push(format!("centre-{centre}"));
    }
    let classes = vec!["a".into(), "b".into()];
    let set =
        LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups).unwrap();
    let batch = apply(&CentreSwap::default(), &TrainView::whole(&set), DRAW);
    for i in 40..80 {
        let parent = batch.parents()[i] as usize;
        let (centre, class) = ((parent / 2) % 2, parent % 2);
        let sign = if centre == 0 { 1.0 } else { -1.0 };
        let moved = [0, 1].map(|d| batch.features().row(i)[d] - rows[parent][d]);
        assert!((moved[0] - sign * 10.0).abs() < 1e-3, "{moved:?}");
        assert!((moved[1] - sign * 3.0 * class as f32).abs() < 1e-3, "{moved:?}");
    }
}

#[test]
fn a_delta_is_what_a_view_did_to_a_tile_of_the_same_class() {
    let set = set(false);
    let view = TrainView::whole(&set);
    let labels = view.labels();
    let batch = apply(&Delta { gamma: 1.0, copies: 1 }, &view, DRAW);
    for i in 60..120 {
        let parent = batch.parents()[i] as usize;
        let delta: Vec<f32> =
            (0..6).map(|d| batch.features().row(i)[d] - view.feature_row(parent)[d]).collect();
        let from = (0..60).find(|&j| {
            (0..4).any(|v| {
                let seen = view.bank_row(j, v).unwrap();
                (0..6).all(|d| (seen[d] - view.feature_row(j)[d] - delta[d]).abs() < 1e-5)
            })
        });
        assert_eq!(labels[from.unwrap()], labels[parent]);
    }
}

/// Says how far the first feature is from zero, which is not linear in it.
struct Near;

impl Head for Near {
    fn classes(&self) -> &[String] {
        static CLASSES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        CLASSES.get_or_init(|| vec!["far".into(), "near".into()])
    }

    fn predict(&self, features: &Matrix) -> eosin_core::Result<Probabilities> {
        let near = |row: &[f32]| 1.0 / (1.0 + f64::from(row[0]).powi(2));
        Probabilities::new(2, features.rows().flat_map(|r| [1.0 - near(r), near(r)]).collect())
    }

    fn record(&self) -> HeadRecord {
        HeadRecord {
            kind: "near".into(),
            classes: self.classes().to_vec(),
            tensors: std::collections::BTreeMap::new(),
            parameters: std::collections::BTreeMap::new(),
        }
    }
}

#[test]
fn test_time_averages_are_of_the_row_and_its_views() {
    let set = set(false);
    let (_, held_out) = TrainView::whole(&set).split(&fold()).unwrap();
    let found = test_time_average(&Near, &held_out).unwrap();
    assert_eq!(found.n_rows(), held_out.n_rows());
    let bank = set.bank().unwrap();
    for (i, &row) in held_out.rows().iter().enumerate() {
        let near = |x: f32| 1.0 / (1.0 + f64::from(x).powi(2));
        let views = (0..bank.n_views()).map(|v| near(bank.row(row, v).unwrap()[0]));
        let mean =
            (near(held_out.feature_row(i)[0]) + views.sum::<f64>()) / (bank.n_views() + 1) as f64;
        assert!((found.row(i)[1] - mean).abs() < 1e-12);
        assert!((found.row(i).iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    // A bank of the training tiles alone cannot do it, and says for which row.
    let n = set.n_rows();
    let dim = set.features().n_cols();
    let views = Matrix::new(1, dim, vec![0.0; dim]).unwrap();
    let groups: Vec<&String> =
        set.groups().iter().map(|&g| &set.group_names()[g as usize]).collect();
    let partial = LabelledSet::new(
        set.features().clone(),
        set.classes().to_vec(),
        set.labels().to_vec(),
        &groups,
    )
    .and_then(|bare| bare.with_bank(ViewBank::partial(1, views, &[fold().train[0]], n)?))
    .unwrap();
    let (_, held_out) = TrainView::whole(&partial).split(&fold()).unwrap();
    let error = test_time_average(&Near, &held_out).unwrap_err().to_string();
    assert!(error.contains(&format!("none of row {}", held_out.rows()[0])), "{error}");
}
