// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::weight;

/// Binary scores sorted once, so that metrics of many resamples cost one pass each.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Row numbers by falling score.
    order: Vec<u32>,
    /// Where in `order` each run of equal scores ends.
    ends: Vec<u32>,
    /// The score of each run.
    scores: Vec<f64>,
    labels: Vec<bool>,
}

/// A point of a curve with the lowest score that it calls positive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// False-positive rate of a ROC curve, recall of a precision-recall curve.
    pub x: f64,
    /// True-positive rate of a ROC curve, precision of a precision-recall curve.
    pub y: f64,
    /// Infinite at the first point, which calls nothing positive.
    pub threshold: f64,
}

/// A threshold with the score that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Scores of at least this are called positive.
    pub threshold: f64,
    /// The F1 that it reaches.
    pub f1: f64,
}

impl Ranked {
    /// Sorts scores; NaN is refused.
    pub fn new(scores: &[f64], labels: &[bool]) -> Result<Self> {
        if scores.len() != labels.len() {
            return Err(Error::input(
                "scores",
                format!("{} scores, one per label", labels.len()),
                scores.len().to_string(),
                "give one score and one label per row",
            ));
        }
        if let Some(row) = scores.iter().position(|s| s.is_nan()) {
            return Err(Error::input(
                format!("score of row {row}"),
                "a number",
                "NaN",
                "check the features that this row was predicted from",
            ));
        }
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
        let mut ends = Vec::new();
        let mut run_scores: Vec<f64> = Vec::new();
        for (i, &row) in order.iter().enumerate() {
            let score = scores[row as usize];
            #[expect(clippy::float_cmp, reason = "ties are equal scores, to the bit but for ±0")]
            if run_scores.last().is_some_and(|&last| last == score) {
                ends.pop();
            } else {
                run_scores.push(score);
            }
            ends.push(i as u32 + 1);
        }
        Ok(Self { order, ends, scores: run_scores, labels: labels.to_vec() })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.labels.len()
    }

    /// Area under the ROC curve, ties counting half; NaN without rows of both classes.
    pub fn auroc(&self, weights: Option<&[f64]>) -> f64 {
        let (mut area, mut positives, mut negatives) = (0.0, 0.0, 0.0);
        for run in self.runs(weights) {
            area += run.negative * (positives + 0.5 * run.positive);
            positives += run.positive;
            negatives += run.negative;
        }
        if positives > 0.0 && negatives > 0.0 { area / (positives * negatives) } else { f64::NAN }
    }

    /// Average precision: Σ (Rₙ − Rₙ₋₁) Pₙ, without interpolation; NaN without positive rows.
    pub fn auprc(&self, weights: Option<&[f64]>) -> f64 {
        let (mut area, mut positives, mut called) = (0.0, 0.0, 0.0);
        for run in self.runs(weights) {
            positives += run.positive;
            called += run.positive + run.negative;
            if run.positive > 0.0 {
                area += run.positive * (positives / called);
            }
        }
        if positives > 0.0 { area / positives } else { f64::NAN }
    }

    /// The ROC curve, a point per distinct score with weight, from (0, 0) to (1, 1).
    pub fn roc_points(&self, weights: Option<&[f64]>) -> Vec<CurvePoint> {
        let (all_positive, all_negative) = self.totals(weights);
        let mut points = vec![CurvePoint { x: 0.0, y: 0.0, threshold: f64::INFINITY }];
        let (mut positives, mut negatives) = (0.0, 0.0);
        for run in self.runs(weights).filter(Run::counts) {
            positives += run.positive;
            negatives += run.negative;
            points.push(CurvePoint {
                x: negatives / all_negative,
                y: positives / all_positive,
                threshold: run.score,
            });
        }
        points
    }

    /// The precision-recall curve, a point per distinct score with weight, from recall 0 at
    /// precision 1.
    ///
    /// Without positive rows recall is 1 everywhere, as scikit-learn has it.
    pub fn pr_points(&self, weights: Option<&[f64]>) -> Vec<CurvePoint> {
        let (all_positive, _) = self.totals(weights);
        let mut points = vec![CurvePoint { x: 0.0, y: 1.0, threshold: f64::INFINITY }];
        let (mut positives, mut called) = (0.0, 0.0);
        for run in self.runs(weights).filter(Run::counts) {
            positives += run.positive;
            called += run.positive + run.negative;
            points.push(CurvePoint {
                x: if all_positive > 0.0 { positives / all_positive } else { 1.0 },
                y: if called > 0.0 { positives / called } else { 0.0 },
                threshold: run.score,
            });
        }
        points
    }

    /// The threshold of the largest F1, midway between the two scores that it parts.
    ///
    /// Of equal F1 the highest threshold is taken. `None` without positive rows.
    pub fn best_f1(&self, weights: Option<&[f64]>) -> Option<Threshold> {
        let (all_positive, _) = self.totals(weights);
        if all_positive <= 0.0 {
            return None;
        }
        let (mut positives, mut called) = (0.0, 0.0);
        let mut best: Option<(usize, f64)> = None;
        for (i, run) in self.runs(weights).enumerate() {
            positives += run.positive;
            called += run.positive + run.negative;
            let f1 = 2.0 * positives / (called + all_positive);
            if best.is_none_or(|(_, value)| f1 > value) {
                best = Some((i, f1));
            }
        }
        let (at, f1) = best?;
        // The rows of weight 0 are not seen here, but a midpoint parts the same rows either way.
        let threshold = match self.scores.get(at + 1) {
            Some(&below) => f64::midpoint(self.scores[at], below),
            None => self.scores[at],
        };
        // Between neighbouring floats the midpoint may fall on the lower one.
        let threshold = if threshold > self.scores.get(at + 1).copied().unwrap_or(f64::NEG_INFINITY)
        {
            threshold
        } else {
            self.scores[at]
        };
        Some(Threshold { threshold, f1 })
    }

    /// The largest recall among thresholds whose precision is at least `precision`, 0 if none.
    pub fn recall_at_precision(&self, precision: f64, weights: Option<&[f64]>) -> f64 {
        let points = self.pr_points(weights);
        points.iter().skip(1).filter(|p| p.y >= precision).map(|p| p.x).fold(0.0, f64::max)
    }

    /// The point of that recall with its threshold; of equal recall the one of higher precision.
    /// `None` where no threshold has the precision.
    pub fn point_at_precision(
        &self,
        precision: f64,
        weights: Option<&[f64]>,
    ) -> Option<CurvePoint> {
        let points = self.pr_points(weights).into_iter().skip(1);
        points.filter(|p| p.y >= precision).reduce(|best, p| {
            if p.x > best.x || (p.x >= best.x && p.y > best.y) { p } else { best }
        })
    }

    fn totals(&self, weights: Option<&[f64]>) -> (f64, f64) {
        self.runs(weights).fold((0.0, 0.0), |(p, n), run| (p + run.positive, n + run.negative))
    }

    fn runs<'a>(&'a self, weights: Option<&'a [f64]>) -> impl Iterator<Item = Run> + 'a {
        let mut start = 0;
        self.ends.iter().zip(&self.scores).map(move |(&end, &score)| {
            let mut run = Run { score, positive: 0.0, negative: 0.0 };
            for &row in &self.order[start..end as usize] {
                let row = row as usize;
                let side = if self.labels[row] { &mut run.positive } else { &mut run.negative };
                *side += weight(weights, row);
            }
            start = end as usize;
            run
        })
    }
}

/// The weights of one run of equal scores.
struct Run {
    score: f64,
    positive: f64,
    negative: f64,
}

impl Run {
    /// Whether any of its rows has weight.
    fn counts(&self) -> bool {
        self.positive + self.negative > 0.0
    }
}

/// [`Ranked::auroc`] of scores that are used once; NaN also for a NaN score or unequal lengths.
pub fn auroc(scores: &[f64], labels: &[bool], weights: Option<&[f64]>) -> f64 {
    Ranked::new(scores, labels).map_or(f64::NAN, |ranked| ranked.auroc(weights))
}

/// [`Ranked::auprc`] of scores that are used once; NaN also for a NaN score or unequal lengths.
pub fn auprc(scores: &[f64], labels: &[bool], weights: Option<&[f64]>) -> f64 {
    Ranked::new(scores, labels).map_or(f64::NAN, |ranked| ranked.auprc(weights))
}
