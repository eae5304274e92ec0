// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Fold, LabelledSet, ProxyScores, ProxyTask, TrainView};

use super::{group_fold, must};
use crate::synthetic::Gaussian;

const N_FOLDS: u32 = 4;

/// Checks a proxy task on four grouped folds of an easy set and of pure noise.
///
/// # Panics
///
/// When a duty of [`ProxyTask`] is broken.
pub fn proxy_task(task: &dyn ProxyTask) {
    assert!(!task.kind().is_empty(), "kind: expected a name, found an empty string");
    let easy = gaussian(3.0);
    let noise = gaussian(0.0);
    let folds: Vec<Fold> = (0..N_FOLDS).map(|k| group_fold(&easy, N_FOLDS, k)).collect();

    let on_easy = score(task, &easy, &folds);
    assert!(
        on_easy.folds == score(task, &easy, &folds).folds,
        "determinism: expected the same scores for the same folds, found others"
    );
    let on_noise = score(task, &noise, &folds);
    assert!(
        mean(&on_easy) >= mean(&on_noise),
        "higher is better: expected an easy task to score at least as high as noise, found {} and \
         {}",
        mean(&on_easy),
        mean(&on_noise)
    );
    if on_noise.metric.to_lowercase().contains("accuracy") {
        assert!(
            (0.35..=0.65).contains(&mean(&on_noise)),
            "held-out rows: expected chance (0.5) on labels that are noise, found {}; is the probe \
             fitted on rows that it scores?",
            mean(&on_noise)
        );
    }

    let backwards: Vec<Fold> = folds.iter().rev().cloned().collect();
    let mut reversed = score(task, &easy, &backwards).folds;
    reversed.reverse();
    assert!(
        on_easy.folds == reversed,
        "fold order: expected score i to belong to fold i alone, found scores that depend on order"
    );
    rows_outside_a_fold_are_ignored(task, &easy);
    leakage_is_refused(task, &easy);
}

fn rows_outside_a_fold_are_ignored(task: &dyn ProxyTask, set: &LabelledSet) {
    let outside = |row: &usize| set.groups()[*row] == 1;
    let whole = group_fold(set, N_FOLDS, 0);
    let train = whole.train.into_iter().filter(|r| !outside(r)).collect();
    let folds = [Fold { train, held_out: whole.held_out }];
    let mut features = set.features().clone();
    for row in (0..set.n_rows()).filter(outside) {
        features.row_mut(row).fill(1e3);
    }
    let groups: Vec<&String> =
        set.groups().iter().map(|&g| &set.group_names()[g as usize]).collect();
    let made = LabelledSet::new(features, set.classes().to_vec(), set.labels().to_vec(), &groups);
    let moved = must("the suite's own set", made);
    assert!(
        score(task, set, &folds).folds == score(task, &moved, &folds).folds,
        "rows of the fold alone: expected rows outside it to change nothing, found another score"
    );
}

fn leakage_is_refused(task: &dyn ProxyTask, set: &LabelledSet) {
    let (held_out, train) = (0..set.n_rows()).partition(|row| row % 5 == 0);
    match task.score(&TrainView::whole(set), &[Fold { train, held_out }]) {
        Err(Error::Leakage { .. }) => {}
        Err(other) => panic!("torn groups: expected a leakage error, found \"{other}\""),
        Ok(_) => panic!("torn groups: expected a leakage error, found a score"),
    }
}

fn score(task: &dyn ProxyTask, set: &LabelledSet, folds: &[Fold]) -> ProxyScores {
    let scores = must("score", task.score(&TrainView::whole(set), folds));
    assert!(!scores.probe.is_empty(), "probe: expected a name, found an empty string");
    assert!(!scores.metric.is_empty(), "metric: expected a name, found an empty string");
    assert!(
        scores.folds.len() == folds.len(),
        "scores: expected one per fold, {}, found {}",
        folds.len(),
        scores.folds.len()
    );
    assert!(
        scores.folds.iter().all(|s| s.is_finite()),
        "scores: expected finite values, found {:?}",
        scores.folds
    );
    scores
}

fn mean(scores: &ProxyScores) -> f64 {
    scores.folds.iter().sum::<f64>() / scores.folds.len() as f64
}

fn gaussian(effect: f64) -> LabelledSet {
    let settings = Gaussian {
        n_groups: 24,
        rows_per_group: 10,
        dim: 16,
        effect,
        group_sd: 0.0,
        seed: 11,
        ..Gaussian::default()
    };
    must("the suite's own set", settings.build())
}
