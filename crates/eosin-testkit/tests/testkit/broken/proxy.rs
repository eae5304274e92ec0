// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Fold, ProxyScores, ProxyTask, Result, TrainView};

use super::clock;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    FitsOnEverything,
    FitsOutsideFold,
    LowerIsBetter,
    OrderMatters,
    Clock,
    TakesTornGroups,
    OneScoreLess,
}

/// Accuracy of the nearest row of the training side.
#[derive(Clone, Copy)]
pub struct NearestMean(pub Fault);

impl ProxyTask for NearestMean {
    fn kind(&self) -> &'static str {
        "nearest"
    }

    fn score(&self, view: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        let labels = view.labels();
        let mut scores = Vec::new();
        for (at, fold) in folds.iter().enumerate() {
            if self.0 != Fault::TakesTornGroups {
                view.split(fold)?;
            }
            let fit_on: Vec<usize> = match self.0 {
                Fault::FitsOnEverything => (0..view.n_rows()).collect(),
                Fault::FitsOutsideFold => {
                    (0..view.n_rows()).filter(|i| !fold.held_out.contains(i)).collect()
                }
                _ => fold.train.clone(),
            };
            // A quirk that only shows when a row outside the fold is moved far away.
            let far = fit_on.iter().filter(|&&i| view.feature_row(i)[0] > 500.0).count();
            let hits = fold.held_out.iter().filter(|&&i| {
                let near = fit_on
                    .iter()
                    .min_by(|&&a, &&b| distance(view, i, a).total_cmp(&distance(view, i, b)));
                near.is_some_and(|&n| labels[n] == labels[i])
            });
            let mut score = hits.count() as f64 / fold.held_out.len() as f64 - far as f64;
            match self.0 {
                Fault::LowerIsBetter => score = 1.0 - score,
                Fault::OrderMatters => score += at as f64 * 1e-3,
                Fault::Clock => score += f64::from(clock()),
                _ => {}
            }
            scores.push(score);
        }
        if self.0 == Fault::OneScoreLess {
            scores.pop();
        }
        let metric = if self.0 == Fault::LowerIsBetter { "error" } else { "balanced accuracy" };
        Ok(ProxyScores { probe: "1-nn".into(), metric: metric.into(), folds: scores })
    }
}

fn distance(view: &TrainView, a: usize, b: usize) -> f32 {
    view.feature_row(a).iter().zip(view.feature_row(b)).map(|(x, y)| (x - y).powi(2)).sum()
}
