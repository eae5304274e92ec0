// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Draw, FeatureTransform, LabelledSet, Matrix, TrainBatch, TrainView, ViewBank};

use super::{group_fold, must, on_another_thread};
use crate::synthetic::Gaussian;

const N_VIEWS: usize = 4;

/// Checks a transform on 96 rows of 12 patients with 15 % positives and a bank of four views.
///
/// # Panics
///
/// When a duty of [`FeatureTransform`] or of the fitted transform is broken.
pub fn feature_transform(transform: &dyn FeatureTransform) {
    assert!(!transform.kind().is_empty(), "kind: expected a name, found an empty string");
    for shares in [vec![0.85, 0.15], vec![0.4, 0.3, 0.3]] {
        let set = must(
            "the suite's own set",
            Gaussian {
                n_groups: 12,
                rows_per_group: 8,
                shares,
                n_views: N_VIEWS,
                seed: 7,
                ..Gaussian::default()
            }
            .build(),
        );
        check_on(transform, &set);
    }
}

fn check_on(transform: &dyn FeatureTransform, set: &LabelledSet) {
    let first = Draw { seed: 3, fold: 1, epoch: 0 };
    let sound = augmented(transform, set, first);
    rows_are_sound(set, &sound);
    for draw in [first, Draw { epoch: 1, ..first }, Draw { seed: 4, ..first }] {
        let once = augmented(transform, set, draw);
        rows_are_sound(set, &once);
        let again = on_another_thread(|| augmented(transform, set, draw));
        assert!(
            same(&once, &again),
            "determinism: expected the same bytes for the same draw on any thread, found others"
        );
    }
    let elsewhere = augmented(transform, &with_other_held_out_rows(set), first);
    assert!(
        same(&sound, &elsewhere),
        "training rows alone: expected rows that do not depend on held-out ones, but they changed \
         with them"
    );
}

fn augmented(transform: &dyn FeatureTransform, set: &LabelledSet, draw: Draw) -> TrainBatch {
    let whole = TrainView::whole(set);
    let (view, _) = must("the suite's own split", whole.split(&group_fold(set, 3, 0)));
    let fitted = must("fit", transform.fit(&view));
    must("apply", fitted.apply(&TrainBatch::from_view(&view), draw))
}

fn rows_are_sound(set: &LabelledSet, batch: &TrainBatch) {
    let whole = TrainView::whole(set);
    let (view, _) = must("the suite's own split", whole.split(&group_fold(set, 3, 0)));
    let (n, dim, groups) = (batch.n_rows(), view.dim(), view.groups());
    assert!(n > 0, "rows: expected at least one, found none");
    assert!(
        batch.features().n_cols() == dim,
        "dimensions: expected {dim} as before, found {}",
        batch.features().n_cols()
    );
    assert!(
        batch.features().first_bad_row().is_none(),
        "features: expected finite values, found NaN or infinity in row {:?}",
        batch.features().first_bad_row()
    );
    assert!(
        batch.classes() == view.classes(),
        "classes: expected {:?}, found {:?}",
        view.classes(),
        batch.classes()
    );
    let lengths = [batch.targets().n_rows(), batch.weights().len(), batch.parents().len()];
    assert!(
        lengths.iter().all(|&l| l == n) && batch.groups().len() == n,
        "rows: expected {n} targets, weights, parents and groups, found {lengths:?}"
    );
    for i in 0..n {
        let target = batch.targets().row(i);
        let total: f32 = target.iter().sum();
        assert!(
            (total - 1.0).abs() < 1e-4 && target.iter().all(|t| *t >= 0.0),
            "row {i}: expected a target that is a distribution, found {target:?}"
        );
        let weight = batch.weights()[i];
        assert!(
            weight.is_finite() && weight >= 0.0,
            "row {i}: expected a finite weight, not below 0, found {weight}"
        );
        let parent = batch.parents()[i] as usize;
        assert!(
            parent < view.n_rows(),
            "row {i}: expected a parent below {}, found {parent}",
            view.n_rows()
        );
        assert!(
            batch.groups()[i] == groups[parent],
            "row {i}: expected its parent's group {}, found {}",
            groups[parent],
            batch.groups()[i]
        );
    }
    assert!(
        batch.weights().iter().any(|w| *w > 0.0),
        "weights: expected at least one above 0, found none"
    );
}

/// The same training rows beside held-out rows, and views of them, that are far away.
fn with_other_held_out_rows(set: &LabelledSet) -> LabelledSet {
    let mut features = set.features().clone();
    let mut labels = set.labels().to_vec();
    let mut views = Matrix::default();
    for (row, label) in labels.iter_mut().enumerate() {
        let held_out = set.groups()[row].is_multiple_of(3);
        let moved = |values: &[f32]| -> Vec<f32> {
            values.iter().map(|v| if held_out { v + 50.0 } else { *v }).collect()
        };
        if let Some(bank) = set.bank() {
            let rows: Vec<Vec<f32>> =
                (0..N_VIEWS).filter_map(|v| bank.row(row, v)).map(moved).collect();
            let added = Matrix::from_rows(&rows).and_then(|rows| views.append(&rows));
            must("the suite's own views", added);
        }
        let other = moved(set.features().row(row));
        features.row_mut(row).copy_from_slice(&other);
        if held_out {
            *label = (*label + 1) % set.classes().len() as u32;
        }
    }
    let groups: Vec<&String> =
        set.groups().iter().map(|&g| &set.group_names()[g as usize]).collect();
    let moved = LabelledSet::new(features, set.classes().to_vec(), labels, &groups)
        .and_then(|moved| moved.with_bank(ViewBank::new(N_VIEWS, views)?));
    must("the suite's own set", moved)
}

fn same(a: &TrainBatch, b: &TrainBatch) -> bool {
    let bits = |m: &Matrix| m.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    bits(a.features()) == bits(b.features())
        && bits(a.targets()) == bits(b.targets())
        && a.weights() == b.weights()
        && a.parents() == b.parents()
        && a.groups() == b.groups()
}
