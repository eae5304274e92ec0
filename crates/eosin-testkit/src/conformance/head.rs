// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Head, HeadTrainer, LabelledSet, Matrix, Probabilities, TrainBatch, TrainView};

use super::{must, on_another_thread};
use crate::synthetic::Gaussian;

/// Checks a trainer on small sets: two classes, three classes, fewer rows than dimensions, large
/// features with a constant one, and a class without rows.
///
/// # Panics
///
/// When a duty of [`HeadTrainer`] or of its heads is broken.
pub fn head_trainer(trainer: &dyn HeadTrainer) {
    assert!(!trainer.kind().is_empty(), "kind: expected a name, found an empty string");
    let penalties = trainer.penalties();
    assert!(!penalties.is_empty(), "penalties: expected a grid, found an empty one");
    for (i, p) in penalties.iter().enumerate() {
        assert!(p.is_finite() && *p >= 0.0, "penalties: expected finite values, found {p}");
        let first = penalties.iter().position(|q| q.to_bits() == p.to_bits());
        assert!(first == Some(i), "penalties: expected each once, found {p} twice");
    }
    let penalty = penalties[penalties.len() / 2];

    let two = gaussian(vec![0.5, 0.5], 8, 1);
    let three = gaussian(vec![0.4, 0.3, 0.3], 8, 2);
    let wide = gaussian(vec![0.5, 0.5], 160, 3);
    for (name, set) in [("two classes", &two), ("three classes", &three), ("n < d", &wide)] {
        check_on(trainer, set, penalty, name);
    }
    check_on(trainer, &large_with_constant(&two), penalty, "large and constant features");
    path_agrees(trainer, &three, &penalties);
    zero_weight_is_absence(trainer, &two, penalty);
    class_without_rows(trainer, penalty);
}

fn check_on(trainer: &dyn HeadTrainer, set: &LabelledSet, penalty: f64, name: &str) {
    let batch = batch(set);
    let head = must(name, trainer.fit(&batch, penalty));
    assert!(
        head.classes() == set.classes(),
        "{name}: expected classes {:?}, found {:?}",
        set.classes(),
        head.classes()
    );
    let all = predict(head.as_ref(), set.features(), name);
    let again = must(name, trainer.fit(&batch, penalty));
    assert!(
        all.values() == predict(again.as_ref(), set.features(), name).values(),
        "{name}, determinism: expected the same head for the same batch, found another"
    );
    let elsewhere = on_another_thread(|| {
        must(name, trainer.fit(&batch, penalty).and_then(|h| h.predict(set.features())))
    });
    assert!(
        all.values() == elsewhere.values(),
        "{name}, determinism: expected the same head on any thread, found another"
    );
    rows_stand_alone(head.as_ref(), set.features(), &all, name);
    assert!(
        head.predict(&Matrix::default()).map_or(0, |p| p.n_rows()) == 0,
        "{name}: expected no rows for no features"
    );
    let narrow =
        Matrix::new(2, set.features().n_cols() - 1, vec![0.0; 2 * (set.features().n_cols() - 1)]);
    assert!(
        narrow.and_then(|m| head.predict(&m)).is_err(),
        "{name}: expected an error for features of another dimension, found predictions"
    );
    record_is_sound(trainer, head.as_ref(), name);
}

/// The prediction of a row depends on that row alone.
fn rows_stand_alone(head: &dyn Head, features: &Matrix, all: &Probabilities, name: &str) {
    let order: Vec<usize> = (0..features.n_rows()).rev().collect();
    let backwards = predict(head, &features.select(&order), name);
    let last = features.n_rows() - 1;
    for i in 0..features.n_rows() {
        assert!(
            close(all.row(i), backwards.row(last - i), 1e-9),
            "{name}, row order: expected row {i} as {:?}, found {:?}",
            all.row(i),
            backwards.row(last - i)
        );
    }
    for i in [0, last / 2, last] {
        let alone = predict(head, &features.select(&[i]), name);
        assert!(
            close(all.row(i), alone.row(0), 1e-9),
            "{name}, batch-size invariance: expected row {i} as {:?}, found {:?}",
            all.row(i),
            alone.row(0)
        );
    }
}

fn record_is_sound(trainer: &dyn HeadTrainer, head: &dyn Head, name: &str) {
    let record = head.record();
    assert!(
        record.kind == trainer.kind(),
        "{name}, record: expected kind {}, found {}",
        trainer.kind(),
        record.kind
    );
    assert!(
        record.classes == head.classes(),
        "{name}, record: expected classes {:?}, found {:?}",
        head.classes(),
        record.classes
    );
    for (key, tensor) in &record.tensors {
        let expected: usize = tensor.shape.iter().product();
        assert!(
            tensor.values.len() == expected,
            "{name}, record: expected {expected} values in {key}, found {}",
            tensor.values.len()
        );
        assert!(
            tensor.values.iter().all(|v| v.is_finite()),
            "{name}, record: expected finite values in {key}"
        );
    }
}

fn path_agrees(trainer: &dyn HeadTrainer, set: &LabelledSet, penalties: &[f64]) {
    let batch = batch(set);
    let heads = must("fit_path", trainer.fit_path(&batch, penalties));
    assert!(
        heads.len() == penalties.len(),
        "fit_path: expected {} heads, found {}",
        penalties.len(),
        heads.len()
    );
    for (&penalty, head) in penalties.iter().zip(&heads) {
        let alone = must("fit", trainer.fit(&batch, penalty));
        let (a, b) = (
            predict(head.as_ref(), set.features(), "fit_path"),
            predict(alone.as_ref(), set.features(), "fit"),
        );
        assert!(
            close(a.values(), b.values(), 1e-3),
            "fit_path: expected the head of penalty {penalty} as `fit` gives it, found one that \
             predicts otherwise"
        );
    }
}

/// A row of weight zero changes nothing, or the trainer says that it takes no weights.
fn zero_weight_is_absence(trainer: &dyn HeadTrainer, set: &LabelledSet, penalty: f64) {
    let batch = batch(set);
    let n = batch.n_rows();
    let kept: Vec<usize> = (0..n).filter(|i| i % 4 != 0).collect();
    let weights = (0..n).map(|i| if i % 4 == 0 { 0.0 } else { 1.0 }).collect();
    let weighted = must("the suite's own weights", batch.clone().with_weights(weights));
    let Ok(with_zeros) = trainer.fit(&weighted, penalty) else { return };
    let rest = batch.derive(batch.features().select(&kept), &kept, vec![1.0; kept.len()]);
    let without = must("fit", trainer.fit(&must("the suite's own rows", rest), penalty));
    let (a, b) = (
        predict(with_zeros.as_ref(), set.features(), "zero weights"),
        predict(without.as_ref(), set.features(), "fewer rows"),
    );
    assert!(
        close(a.values(), b.values(), 1e-3),
        "weights: expected rows of weight 0 to change nothing, found other predictions"
    );
}

/// A class of which no row is there is refused, or predicted soundly.
fn class_without_rows(trainer: &dyn HeadTrainer, penalty: f64) {
    let set = gaussian(vec![0.5, 0.5, 0.0], 8, 4);
    if let Ok(head) = trainer.fit(&batch(&set), penalty) {
        predict(head.as_ref(), set.features(), "a class without rows");
    }
}

fn predict(head: &dyn Head, features: &Matrix, name: &str) -> Probabilities {
    let found = must(name, head.predict(features));
    assert!(
        found.n_rows() == features.n_rows() && found.n_classes() == head.classes().len(),
        "{name}: expected {} × {} probabilities, found {} × {}",
        features.n_rows(),
        head.classes().len(),
        found.n_rows(),
        found.n_classes()
    );
    for i in 0..found.n_rows() {
        let row = found.row(i);
        let total: f64 = row.iter().sum();
        assert!(
            (total - 1.0).abs() < 1e-6 && row.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)),
            "{name}: expected row {i} to be probabilities that sum to 1, found {row:?}"
        );
    }
    found
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance)
}

fn batch(set: &LabelledSet) -> TrainBatch {
    TrainBatch::from_view(&TrainView::whole(set))
}

fn gaussian(shares: Vec<f64>, dim: usize, seed: u64) -> LabelledSet {
    must("the suite's own set", Gaussian { dim, shares, seed, ..Gaussian::default() }.build())
}

fn large_with_constant(set: &LabelledSet) -> LabelledSet {
    let mut features = set.features().clone();
    for i in 0..features.n_rows() {
        let row = features.row_mut(i);
        for v in row.iter_mut() {
            *v *= 100.0;
        }
        if let Some(last) = row.last_mut() {
            *last = 5.0;
        }
    }
    let groups: Vec<&String> =
        set.groups().iter().map(|&g| &set.group_names()[g as usize]).collect();
    let made = LabelledSet::new(features, set.classes().to_vec(), set.labels().to_vec(), &groups);
    must("the suite's own set", made)
}
