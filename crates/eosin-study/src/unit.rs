// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_augment::test_time_average;
use eosin_core::{Head, HeldOutView, NoProgress, Probabilities, Result, TrainView};
use eosin_eval::{ConfusionMatrix, Ranked};
use eosin_head::{TuneMetric, TuneOptions, Tuned, fit_final, tune_by};
use serde::{Deserialize, Serialize};

use super::arms::{Arm, Candidate};

/// What a unit of work is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Cross-validation on the training part.
    Main,
    /// The control on permuted labels; `repeat` is the number of the draw.
    Permuted,
    /// The same with so many positives.
    Curve(usize),
    /// Fitted on the whole training part, scored on the test part.
    Test,
}

/// Which unit: one arm of one backbone in one outer fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitKey {
    /// What it is part of.
    pub part: Part,
    /// Number of the backbone.
    pub backbone: usize,
    /// Number of the arm.
    pub arm: usize,
    /// Round of outer folds.
    pub repeat: usize,
    /// Fold of that round.
    pub fold: usize,
}

/// A unit that is done; a line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Which one.
    pub key: UnitKey,
    /// What was found, or why nothing could be.
    pub result: std::result::Result<Fitted, String>,
}

/// A head's predictions on the rows that its fold held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The penalty that the inner folds took.
    pub penalty: f64,
    /// The strength that they took.
    pub strength: Option<String>,
    /// The threshold, for two classes.
    pub threshold: Option<f64>,
    /// Score of the arm in the inner folds: F1 of the positive class, or its mean over classes.
    pub inner: f64,
    /// Row numbers in the set.
    pub rows: Vec<usize>,
    /// Probabilities of these rows, row after row.
    pub probabilities: Vec<f64>,
    /// What the transforms of the final fit tell.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// How the inner folds search.
#[derive(Clone, Copy)]
pub struct InnerSearch {
    pub folds: usize,
    pub metric: TuneMetric,
    pub seed: u64,
}

/// Searches an arm's settings on `train`, fits it there, and predicts `held_out`.
pub fn fit_unit(
    train: &TrainView,
    held_out: &HeldOutView,
    arm: &Arm,
    search: InnerSearch,
) -> Result<Fitted> {
    let options =
        TuneOptions { folds: search.folds, repeats: 1, seed: search.seed, metric: search.metric };
    // An average over views is flatter than one image's probability, so it has a threshold of its
    // own: inner folds predict in the way in which the arm will.
    let predict = |head: &dyn Head, rows: &HeldOutView| {
        if arm.test_time { test_time_average(head, rows) } else { head.predict(&rows.features()) }
    };
    let mut best: Option<(&Candidate, Tuned, f64)> = None;
    for candidate in &arm.candidates {
        let trainer = candidate.trainer.as_ref();
        let transforms = candidate.transforms();
        let tuned = tune_by(train, trainer, &transforms, options, &predict, &NoProgress)?;
        let score = tuned.scores.iter().map(|s| s.score).fold(f64::NEG_INFINITY, f64::max);
        if best.as_ref().is_none_or(|(.., value)| score > *value) {
            best = Some((candidate, tuned, score));
        }
    }
    let (candidate, tuned, _) = best.ok_or_else(|| {
        eosin_core::Error::input(
            format!("arm `{}`", arm.name),
            "at least one setting",
            "none",
            "give the arm a strength with values, or none",
        )
    })?;
    let fitted = fit_final(
        train,
        candidate.trainer.as_ref(),
        &candidate.transforms(),
        tuned.penalty,
        search.seed,
    )?;
    let threshold = tuned.threshold.filter(|_| arm.threshold);
    let probabilities = predict(fitted.head.as_ref(), held_out)?;
    Ok(Fitted {
        penalty: tuned.penalty,
        strength: candidate.strength.clone(),
        threshold,
        // JSON has no NaN.
        inner: Some(inner_score(&tuned.oof, &train.labels(), threshold)?)
            .filter(|score| score.is_finite())
            .unwrap_or(0.0),
        rows: held_out.rows().to_vec(),
        probabilities: probabilities.values().to_vec(),
        notes: fitted.notes,
    })
}

/// The class that each row is called.
pub fn called(probabilities: &Probabilities, threshold: Option<f64>) -> Vec<u32> {
    match threshold {
        Some(threshold) if probabilities.n_classes() == 2 => {
            probabilities.column(1).iter().map(|&p| u32::from(p >= threshold)).collect()
        }
        _ => probabilities.argmax(),
    }
}

/// F1 on out-of-fold predictions; at a tuned threshold it is the largest there is.
fn inner_score(oof: &Probabilities, labels: &[u32], threshold: Option<f64>) -> Result<f64> {
    let n_classes = oof.n_classes();
    if n_classes == 2 && threshold.is_some() {
        let positive: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
        let best = Ranked::new(&oof.column(1), &positive)?.best_f1(None);
        return Ok(best.map_or(0.0, |t| t.f1));
    }
    let confusion = ConfusionMatrix::new(labels, &called(oof, None), n_classes, None)?;
    Ok(if n_classes == 2 { confusion.f1(1) } else { confusion.macro_f1() })
}
