// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Probabilities, Result};
use eosin_eval::inference::corrected_estimate;
use eosin_eval::{
    Comparison, ConfusionMatrix, CrossValidated, FoldScores, GroupBootstrap, Ranked, Scale,
    trivial_calls,
};
use eosin_report::{Metric, StudyGain, TrivialCall};

use super::unit::{Fitted, called};

/// True classes and groups of all rows of a set, by row number.
pub struct Truth<'a> {
    pub labels: &'a [u32],
    pub groups: &'a [u32],
    pub n_classes: usize,
}

/// Half the width of the region in which a difference does not matter.
const ROPE: f64 = 0.01;

/// Metrics of an arm on every outer fold, in the order of [`names`].
pub struct FoldMetrics {
    n_classes: usize,
    /// By metric, then by fold; NaN where a fold lacks a class.
    by_fold: Vec<Vec<f64>>,
}

impl FoldMetrics {
    /// Takes the units of an arm, one per outer fold.
    pub fn new(units: &[&Fitted], truth: &Truth) -> Result<Self> {
        let mut by_fold = vec![Vec::new(); names(truth.n_classes).len()];
        for unit in units {
            let values = HeldOut::new(unit, truth)?.metrics(None);
            for (of_metric, value) in by_fold.iter_mut().zip(values) {
                of_metric.push(value);
            }
        }
        Ok(Self { n_classes: truth.n_classes, by_fold })
    }

    /// The mean over folds of every metric, with the interval of the corrected resampled t-test.
    pub fn metrics(&self, test_train_ratio: f64, level: f64) -> Result<Vec<Metric>> {
        let mut found = Vec::new();
        for (name, values) in names(self.n_classes).iter().zip(&self.by_fold) {
            let estimate = corrected_estimate(values, test_train_ratio, level)?;
            found.push(Metric {
                name: (*name).to_string(),
                estimate: estimate.estimate,
                // A metric from 0 to 1 has no values outside; kappa may be below 0.
                lower: estimate.lower.max(-1.0),
                upper: estimate.upper.min(1.0),
            });
        }
        Ok(found)
    }

    /// The scores that arms are compared by, one per fold.
    pub fn main(&self) -> &[f64] {
        &self.by_fold[main_at(self.n_classes)]
    }
}

/// A backbone and an arm, by their numbers.
pub type Place = (usize, usize);

/// Gains between arms: `pairs` of (what changed, from, to), all of them one family.
pub fn gains(
    arms: &BTreeMap<Place, &FoldMetrics>,
    pairs: &[(String, Place, Place)],
    metric: &str,
    test_train_ratio: f64,
    level: f64,
) -> Result<Vec<Option<StudyGain>>> {
    let keys: Vec<&(usize, usize)> = arms.keys().collect();
    let cross = CrossValidated {
        arms: arms
            .iter()
            .map(|(key, arm)| FoldScores { name: format!("{key:?}"), scores: arm.main().to_vec() })
            .collect(),
        test_train_ratio,
        level,
        rope: ROPE,
    };
    let place = |arm: &(usize, usize)| keys.iter().position(|key| *key == arm);
    let places: Vec<Option<(usize, usize)>> =
        pairs.iter().map(|(_, from, to)| Some((place(to)?, place(from)?))).collect();
    let known: Vec<(usize, usize)> =
        places.iter().flatten().copied().filter(|(a, b)| a != b).collect();
    let mut found = cross.compare(&known)?.into_iter();
    let mut gains = Vec::with_capacity(pairs.len());
    for ((change, ..), place) in pairs.iter().zip(&places) {
        let gain = match place {
            Some((to, from)) if to != from => found.next().map(|comparison| {
                let base = &cross.arms[*from].scores;
                gain(change, metric, comparison, base)
            }),
            _ => None,
        };
        gains.push(gain);
    }
    Ok(gains)
}

fn gain(change: &str, metric: &str, found: Comparison, base: &[f64]) -> StudyGain {
    let finite: Vec<f64> = base.iter().copied().filter(|v| v.is_finite()).collect();
    let mean = finite.iter().sum::<f64>() / finite.len() as f64;
    StudyGain {
        change: change.to_string(),
        absolute: Metric {
            name: metric.to_string(),
            estimate: found.estimate,
            lower: found.lower,
            upper: found.upper,
        },
        relative: found.estimate / mean,
        p: found.p,
        p_holm: found.p_holm,
        word: found.word.to_string(),
        n_pairs: found.n_pairs as u64,
    }
}

/// A fixed head's predictions on rows that it never saw.
pub struct HeldOut {
    rows: Vec<usize>,
    labels: Vec<u32>,
    groups: Vec<u32>,
    called: Vec<u32>,
    n_classes: usize,
    /// Probability of class 1 in ranked form, for two classes.
    ranked: Option<Ranked>,
}

impl HeldOut {
    /// Takes what a unit predicted.
    pub fn new(unit: &Fitted, truth: &Truth) -> Result<Self> {
        let n_classes = truth.n_classes;
        let probabilities = Probabilities::new(n_classes, unit.probabilities.clone())?;
        let pick = |of: &[u32]| -> Vec<u32> { unit.rows.iter().map(|&row| of[row]).collect() };
        let labels = pick(truth.labels);
        let ranked = if n_classes == 2 {
            let truths: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
            Some(Ranked::new(&probabilities.column(1), &truths)?)
        } else {
            None
        };
        Ok(Self {
            rows: unit.rows.clone(),
            groups: pick(truth.groups),
            called: called(&probabilities, unit.threshold),
            labels,
            n_classes,
            ranked,
        })
    }

    /// Every metric with its interval over groups.
    pub fn with_intervals(&self, bootstrap: &GroupBootstrap) -> Result<Vec<Metric>> {
        let scales = names(self.n_classes).map(scale);
        let found = bootstrap
            .intervals(&self.groups, &self.labels, &scales, |w| self.metrics(Some(w)).to_vec())?;
        let named = names(self.n_classes).into_iter().zip(found);
        Ok(named
            .map(|(name, i)| Metric {
                name: name.to_string(),
                estimate: i.estimate,
                lower: i.lower,
                upper: i.upper,
            })
            .collect())
    }

    /// The main metric of `other` minus this one's, on the same rows and resamples.
    pub fn gain(
        &self,
        other: &Self,
        change: &str,
        bootstrap: &GroupBootstrap,
    ) -> Result<Option<StudyGain>> {
        if self.rows != other.rows {
            return Ok(None);
        }
        let paired = bootstrap.paired(
            &self.groups,
            &self.labels,
            |w| self.metrics(Some(w))[main_at(self.n_classes)],
            |w| other.metrics(Some(w))[main_at(self.n_classes)],
        )?;
        let (first, difference) = (paired.first, paired.difference);
        Ok(Some(StudyGain {
            change: change.to_string(),
            absolute: Metric {
                name: main_name(self.n_classes).to_string(),
                estimate: difference.estimate,
                lower: difference.lower,
                upper: difference.upper,
            },
            relative: difference.estimate / first.estimate,
            p: f64::NAN,
            p_holm: f64::NAN,
            word: paired.word().to_string(),
            n_pairs: 1,
        }))
    }

    fn metrics(&self, weights: Option<&[f64]>) -> [f64; 4] {
        let Ok(confusion) =
            ConfusionMatrix::new(&self.labels, &self.called, self.n_classes, weights)
        else {
            return [f64::NAN; 4];
        };
        match &self.ranked {
            Some(ranked) => [
                ranked.auroc(weights),
                ranked.auprc(weights),
                confusion.f1(1),
                confusion.balanced_accuracy(),
            ],
            None => [
                confusion.macro_f1(),
                confusion.balanced_accuracy(),
                confusion.accuracy(),
                confusion.cohen_kappa(),
            ],
        }
    }
}

/// What calls that look at no tile score on the same folds, the mean over them.
pub fn trivial(folds: &[Vec<u32>], n_classes: usize) -> Vec<TrivialCall> {
    let found: Vec<Vec<eosin_eval::TrivialCall>> =
        folds.iter().map(|labels| trivial_calls(labels, n_classes)).collect();
    let n_calls = found.iter().map(Vec::len).max().unwrap_or(0);
    let mean = |call: usize, metric: &str| {
        let values = found.iter().filter_map(|calls| Some(calls.get(call)?.metric(metric)));
        let finite: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        finite.iter().sum::<f64>() / finite.len() as f64
    };
    (0..n_calls)
        .map(|call| TrivialCall {
            name: found.iter().find_map(|calls| Some(calls.get(call)?.name)).unwrap_or("").into(),
            metrics: names(n_classes)
                .map(|name| Metric {
                    name: name.to_string(),
                    estimate: mean(call, name),
                    lower: f64::NAN,
                    upper: f64::NAN,
                })
                .to_vec(),
        })
        .collect()
}

/// The metrics of a study: those without a threshold lead.
pub fn names(n_classes: usize) -> [&'static str; 4] {
    if n_classes == 2 {
        ["AUROC", "AUPRC", "F1", "balanced accuracy"]
    } else {
        ["macro F1", "balanced accuracy", "accuracy", "Cohen's kappa"]
    }
}

/// The metric that arms are compared by: many arms, such as weights and thresholds, change calls
/// and no order, which areas under curves do not see.
pub fn main_name(n_classes: usize) -> &'static str {
    names(n_classes)[main_at(n_classes)]
}

fn main_at(n_classes: usize) -> usize {
    if n_classes == 2 { 2 } else { 0 }
}

fn scale(metric: &str) -> Scale {
    if metric == "Cohen's kappa" { Scale::Signed } else { Scale::Unit }
}
