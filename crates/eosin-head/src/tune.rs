// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chooses a head's penalty and threshold by grouped cross-validation inside the training rows.

use eosin_core::{
    Draw, Error, FeatureTransform, Fold, Head, HeadTrainer, HeldOutView, Probabilities, Progress,
    Result, Reweighted, TrainBatch, TrainView,
};
use eosin_eval::bootstrap::quantile;
use eosin_eval::metrics::log_loss_multiclass;
use eosin_eval::{ConfusionMatrix, GroupBootstrap, Ranked, splits};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Below so many positive rows the threshold is the median over bootstrap replicates.
const FEW_POSITIVES: usize = 50;
/// Replicates for that median.
const THRESHOLD_REPLICATES: usize = 200;
/// Values of features below which folds are fitted side by side; beyond, the copies of the
/// features that this takes are not worth it, since a fit is parallel in itself.
const SIDE_BY_SIDE: usize = 8_000_000;

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuneOptions {
    /// Folds at most; fewer where a class has fewer groups.
    pub folds: usize,
    /// Rounds of folds, each shuffled differently.
    pub repeats: usize,
    /// Seed of folds, transforms and bootstrap.
    pub seed: u64,
    /// What the penalty is chosen by.
    pub metric: TuneMetric,
}

/// What a penalty is chosen by, on out-of-fold predictions pooled over the folds of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TuneMetric {
    /// Minus the log loss: proper, and steady with few positives.
    #[default]
    LogLoss,
    /// Area under the ROC curve; two classes.
    Auroc,
    /// Average precision; two classes.
    Auprc,
    /// Mean recall of the classes.
    BalancedAccuracy,
    /// Mean F1 of the classes.
    MacroF1,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// The penalty of the best score; of equals the first of the grid.
    pub penalty: f64,
    /// Every penalty of the grid with its score, higher being better.
    pub scores: Vec<PenaltyScore>,
    /// Out-of-fold probabilities at that penalty, one row per position of the view, averaged over
    /// rounds.
    pub oof: Probabilities,
    /// For two classes: call the second where its probability is at least this. It maximises the
    /// F1 of the second class out of fold.
    pub threshold: Option<f64>,
    /// Folds that were used in a round.
    pub folds: usize,
    /// Those folds, round after round; every row is held out once a round.
    pub rounds: Vec<Fold>,
    /// Why folds or rounds are fewer than was asked for, where they are.
    pub notes: Vec<String>,
}

/// A penalty and how it scored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PenaltyScore {
    /// The penalty.
    pub penalty: f64,
    /// Its score, the mean over rounds.
    pub score: f64,
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self { folds: 5, repeats: 1, seed: 0, metric: TuneMetric::default() }
    }
}

impl Tuned {
    /// The folds of the first round.
    pub fn first_round(&self) -> &[Fold] {
        &self.rounds[..self.folds.min(self.rounds.len())]
    }
}

/// What is searched over: tiles, or slides that have one label each.
#[derive(Clone, Copy, Debug)]
pub struct Searched<'a> {
    /// Class names.
    pub classes: &'a [String],
    /// A class index per position.
    pub labels: &'a [u32],
    /// A group index per position.
    pub groups: &'a [u32],
    /// The grid, in the order in which ties are broken.
    pub penalties: &'a [f64],
}

/// Searches the trainer's grid.
///
/// Transforms are fitted and drawn inside each fold, on its training part alone. A class that has
/// rows in fewer than two groups cannot be held out and trained on, which is an error.
pub fn tune(
    view: &TrainView,
    trainer: &dyn HeadTrainer,
    transforms: &[&dyn FeatureTransform],
    options: TuneOptions,
    progress: &dyn Progress,
) -> Result<Tuned> {
    tune_by(view, trainer, transforms, options, &predict_rows, progress)
}

/// How a head predicts rows that it was not fitted on.
pub type Predict<'a> = dyn Fn(&dyn Head, &HeldOutView) -> Result<Probabilities> + Sync + 'a;

/// The probabilities of the rows as they are.
fn predict_rows(head: &dyn Head, rows: &HeldOutView) -> Result<Probabilities> {
    head.predict(&rows.features())
}

/// As [`tune`], for a head that will be used by `predict`: penalty and threshold are chosen on
/// predictions of the same kind, such as averages over views, whose thresholds differ from those
/// of single images.
pub fn tune_by(
    view: &TrainView,
    trainer: &dyn HeadTrainer,
    transforms: &[&dyn FeatureTransform],
    options: TuneOptions,
    predict: &Predict,
    progress: &dyn Progress,
) -> Result<Tuned> {
    let (labels, groups) = (view.labels(), view.groups());
    let penalties = trainer.penalties();
    let searched = Searched {
        classes: view.classes(),
        labels: &labels,
        groups: &groups,
        penalties: &penalties,
    };
    search(searched, options, progress, |folds, k| {
        if transforms.is_empty()
            && let Some(found) =
                predict_together(view, trainer, folds, k, &penalties, predict, progress)?
        {
            return Ok(found);
        }
        let fit = |(i, fold): (usize, &Fold)| {
            let draw = Draw { seed: options.seed, fold: i as u64, epoch: 0 };
            let predictions =
                predict_fold(view, trainer, transforms, fold, draw, &penalties, predict);
            progress.advance(1);
            predictions
        };
        if view.n_rows() * view.dim() <= SIDE_BY_SIDE {
            folds.par_iter().enumerate().map(|(i, f)| fit((i, f))).collect()
        } else {
            folds.iter().enumerate().map(fit).collect()
        }
    })
}

/// Searches a grid with predictions that the caller makes.
///
/// `predict` gets all folds, `k` for each round, and returns for every fold one list of held-out
/// probabilities per penalty; it tells `progress` of every fold that is done.
pub fn search(
    searched: Searched,
    options: TuneOptions,
    progress: &dyn Progress,
    predict: impl FnOnce(&[Fold], usize) -> Result<Vec<Vec<Probabilities>>>,
) -> Result<Tuned> {
    let Searched { classes, labels, groups, penalties } = searched;
    let n_classes = classes.len();
    let feasible = splits::feasible_folds(labels, groups, n_classes, options.folds)?;
    if feasible < 2 || options.repeats == 0 {
        return Err(too_few_groups(searched, options));
    }
    let splits::Repeated { folds, k, notes, .. } =
        splits::repeated(labels, groups, n_classes, options.folds, options.repeats, options.seed)?;
    progress.start("tune", folds.len() as u64);
    let predictions = predict(&folds, k)?;
    progress.finish();

    let n = labels.len();
    let rounds = |penalty: usize| -> Result<Vec<Probabilities>> {
        folds
            .chunks(k)
            .zip(predictions.chunks(k))
            .map(|(folds, found)| pool(n, n_classes, folds, found, penalty))
            .collect()
    };
    let mut scores = Vec::with_capacity(penalties.len());
    let mut best: Option<(usize, f64)> = None;
    for (i, &penalty) in penalties.iter().enumerate() {
        let rounds = rounds(i)?;
        let sum: Result<f64> = rounds.iter().map(|oof| score(options.metric, oof, labels)).sum();
        let score = sum? / rounds.len() as f64;
        if best.is_none_or(|(_, value)| score > value) {
            best = Some((i, score));
        }
        scores.push(PenaltyScore { penalty, score });
    }
    let (chosen, _) = best.ok_or_else(|| {
        Error::input("penalties of the head", "at least one", "none", "list at least one penalty")
    })?;
    let oof = mean(&rounds(chosen)?)?;
    let threshold =
        if n_classes == 2 { threshold(&oof, labels, groups, options.seed)? } else { None };
    let penalty = penalties[chosen];
    Ok(Tuned { penalty, scores, oof, threshold, folds: k, rounds: folds, notes })
}

/// A head on all rows, and what its transforms tell of their fits.
pub struct Final {
    /// The head.
    pub head: Box<dyn Head>,
    /// [`eosin_core::FittedTransform::notes`] of every transform.
    pub notes: Vec<String>,
}

/// Fits one head on all rows of the view, with transforms fitted on and drawn for all of them.
pub fn fit_final(
    view: &TrainView,
    trainer: &dyn HeadTrainer,
    transforms: &[&dyn FeatureTransform],
    penalty: f64,
    seed: u64,
) -> Result<Final> {
    // A number that no fold of a search has.
    let draw = Draw { seed, fold: u64::MAX, epoch: 0 };
    let (batch, notes) = transformed(view, transforms, draw)?;
    Ok(Final { head: trainer.fit(&batch, penalty)?, notes })
}

/// The threshold of the largest F1 of class 1; with few positive rows the median of such
/// thresholds over resampled groups, where there are two at least.
pub fn threshold(
    oof: &Probabilities,
    labels: &[u32],
    groups: &[u32],
    seed: u64,
) -> Result<Option<f64>> {
    let positive: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
    let ranked = Ranked::new(&oof.column(1), &positive)?;
    let plain = ranked.best_f1(None).map(|t| t.threshold);
    let is_one_group = groups.windows(2).all(|pair| pair[0] == pair[1]);
    if is_one_group || positive.iter().filter(|&&p| p).count() >= FEW_POSITIVES {
        return Ok(plain);
    }
    let bootstrap = GroupBootstrap { replicates: THRESHOLD_REPLICATES, seed, level: 0.95 };
    let draws = bootstrap.replicates(groups, labels, 1, |weights| {
        vec![ranked.best_f1(Some(weights)).map_or(f64::NAN, |t| t.threshold)]
    })?;
    let mut thresholds: Vec<f64> =
        draws.into_iter().map(|d| d[0]).filter(|t| !t.is_nan()).collect();
    thresholds.sort_by(f64::total_cmp);
    Ok(if thresholds.is_empty() { plain } else { Some(quantile(&thresholds, 0.5)) })
}

/// Every fold's predictions where the trainer fits a round of folds at once.
fn predict_together(
    view: &TrainView,
    trainer: &dyn HeadTrainer,
    folds: &[Fold],
    k: usize,
    penalties: &[f64],
    predict: &Predict,
    progress: &dyn Progress,
) -> Result<Option<Vec<Vec<Probabilities>>>> {
    // A split refuses a group on both sides, which positions alone do not show.
    let held_out = folds.iter().map(|fold| Ok(view.split(fold)?.1));
    let held_out: Vec<HeldOutView> = held_out.collect::<Result<_>>()?;
    let batch = TrainBatch::from_view(view);
    let mut predictions = Vec::with_capacity(folds.len());
    for (round, held_out) in folds.chunks(k).zip(held_out.chunks(k)) {
        let request = |fold: &Fold| {
            let weights = batch.weights_within(&fold.train)?;
            Ok(Reweighted { weights, penalties: penalties.to_vec() })
        };
        let requests: Vec<Reweighted> = round.iter().map(request).collect::<Result<_>>()?;
        let Some(heads) = trainer.fit_reweighted(&batch, &requests)? else { return Ok(None) };
        for (heads, held_out) in heads.iter().zip(held_out) {
            let found = heads.iter().map(|head| predict(head.as_ref(), held_out));
            predictions.push(found.collect::<Result<_>>()?);
            progress.advance(1);
        }
    }
    Ok(Some(predictions))
}

fn predict_fold(
    view: &TrainView,
    trainer: &dyn HeadTrainer,
    transforms: &[&dyn FeatureTransform],
    fold: &Fold,
    draw: Draw,
    penalties: &[f64],
    predict: &Predict,
) -> Result<Vec<Probabilities>> {
    let (train, held_out) = view.split(fold)?;
    let (batch, _) = transformed(&train, transforms, draw)?;
    let heads = trainer.fit_path(&batch, penalties)?;
    heads.iter().map(|head| predict(head.as_ref(), &held_out)).collect()
}

fn transformed(
    view: &TrainView,
    transforms: &[&dyn FeatureTransform],
    draw: Draw,
) -> Result<(TrainBatch, Vec<String>)> {
    let mut batch = TrainBatch::from_view(view);
    let mut notes = Vec::new();
    for transform in transforms {
        let fitted = transform.fit(view)?;
        batch = fitted.apply(&batch, draw)?;
        notes.extend(fitted.notes());
    }
    Ok((batch, notes))
}

/// One round's out-of-fold probabilities, by position.
fn pool(
    n: usize,
    n_classes: usize,
    folds: &[Fold],
    found: &[Vec<Probabilities>],
    penalty: usize,
) -> Result<Probabilities> {
    let mut values = vec![0.0; n * n_classes];
    for (fold, found) in folds.iter().zip(found) {
        let found = found.get(penalty).ok_or_else(|| {
            Error::input(
                "fit_path",
                "one head per penalty",
                format!("{} heads", found.len()),
                "this is a fault of the head trainer",
            )
        })?;
        for (i, &at) in fold.held_out.iter().enumerate() {
            values[at * n_classes..(at + 1) * n_classes].copy_from_slice(found.row(i));
        }
    }
    Probabilities::new(n_classes, values)
}

fn mean(rounds: &[Probabilities]) -> Result<Probabilities> {
    let n_classes = rounds.first().map_or(1, Probabilities::n_classes);
    let n = rounds.first().map_or(0, |r| r.values().len());
    let at = |i: usize| rounds.iter().map(|r| r.values()[i]).sum::<f64>() / rounds.len() as f64;
    Probabilities::new(n_classes, (0..n).map(at).collect())
}

fn score(metric: TuneMetric, oof: &Probabilities, labels: &[u32]) -> Result<f64> {
    let ranked = || {
        if oof.n_classes() != 2 {
            return Err(Error::input(
                "tuning metric",
                "log-loss, balanced-accuracy or macro-f1 for more than two classes",
                "a metric of two classes",
                "set metric = \"log-loss\"",
            ));
        }
        let positive: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
        Ranked::new(&oof.column(1), &positive)
    };
    let confusion = || ConfusionMatrix::new(labels, &oof.argmax(), oof.n_classes(), None);
    Ok(match metric {
        TuneMetric::LogLoss => -log_loss_multiclass(oof, labels, None),
        TuneMetric::Auroc => ranked()?.auroc(None),
        TuneMetric::Auprc => ranked()?.auprc(None),
        TuneMetric::BalancedAccuracy => confusion()?.balanced_accuracy(),
        TuneMetric::MacroF1 => confusion()?.macro_f1(),
    })
}

fn too_few_groups(searched: Searched, options: TuneOptions) -> Error {
    let Searched { classes, labels, groups, .. } = searched;
    let groups_of = |class: u32| {
        let mut of: Vec<u32> =
            groups.iter().zip(labels).filter(|(_, l)| **l == class).map(|(g, _)| *g).collect();
        of.sort_unstable();
        of.dedup();
        of.len()
    };
    let counts: Vec<String> = (0..classes.len())
        .map(|class| format!("{} in {}", classes[class], groups_of(class as u32)))
        .collect();
    Error::input(
        format!("tuning with {} folds and {} repeats", options.folds, options.repeats),
        "2 folds or more, 1 repeat or more, and every class in at least 2 groups",
        format!("groups per class: {}", counts.join(", ")),
        "give tiles of more patients or slides, or set a fixed penalty",
    )
}

#[cfg(test)]
mod tests;
