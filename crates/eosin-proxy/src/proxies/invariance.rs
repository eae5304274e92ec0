// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Fold, ProxyScores, ProxyTask, Result, TrainView};
use rayon::prelude::*;

/// Proxy `invariance`: the mean cosine between a tile's embedding and those of its views, the mean
/// embedding of the fold's training rows being subtracted first.
///
/// Read it beside accuracy alone: embeddings that are all the same score perfectly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invariance;

impl ProxyTask for Invariance {
    fn kind(&self) -> &'static str {
        "invariance"
    }

    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        let n_views = train.bank().map(eosin_core::ViewBank::n_views).ok_or_else(|| {
            Error::input(
                "view bank of the rows",
                "embeddings of augmented views beside those of the tiles",
                "none",
                "make one with `eosin embed --views 8`, or leave out the invariance proxy",
            )
        })?;
        let score = |fold: &Fold| {
            let (inner, held_out) = train.split(fold)?;
            let mean = column_means(&inner);
            let mut total = 0.0;
            for (&position, row) in fold.held_out.iter().zip(0..held_out.n_rows()) {
                for view in 0..n_views {
                    let other = train.bank_row(position, view).unwrap_or_default();
                    total += cosine(held_out.feature_row(row), other, &mean);
                }
            }
            Ok(total / (fold.held_out.len() * n_views).max(1) as f64)
        };
        let folds = folds.par_iter().map(score).collect::<Result<_>>()?;
        Ok(ProxyScores { probe: self.kind().into(), metric: "cosine".into(), folds })
    }
}

fn column_means(view: &TrainView) -> Vec<f64> {
    let n = view.n_rows().max(1) as f64;
    let mut mean = vec![0.0; view.dim()];
    for i in 0..view.n_rows() {
        for (m, &x) in mean.iter_mut().zip(view.feature_row(i)) {
            *m += f64::from(x) / n;
        }
    }
    mean
}

/// Cosine of the angle at `origin`; 0 where one of the rows lies there.
fn cosine(a: &[f32], b: &[f32], origin: &[f64]) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for ((a, b), o) in a.iter().zip(b).zip(origin) {
        let (a, b) = (f64::from(*a) - o, f64::from(*b) - o);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}
