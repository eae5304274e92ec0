// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use crate::{Fold, Result, TrainView};

/// The scores of one backbone on one proxy task, one per fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyScores {
    /// The probe that made them.
    pub probe: String,
    /// What is measured, such as `balanced accuracy`.
    pub metric: String,
    /// A score per fold, higher being better.
    pub folds: Vec<f64>,
}

/// A probe that scores how well embeddings serve a proxy task.
///
/// The caller passes the same folds for every backbone, so that scores can be paired.
/// The implementer fits on `fold.train` alone and scores on `fold.held_out`.
///
/// ```
/// use eosin_core::{Fold, ProxyScores, ProxyTask, Result, TrainView};
/// struct Constant;
/// impl ProxyTask for Constant {
///     fn kind(&self) -> &'static str { "constant" }
///     fn score(&self, _train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
///         Ok(ProxyScores { probe: "constant".into(), metric: "none".into(), folds: vec![0.0; folds.len()] })
///     }
/// }
/// ```
pub trait ProxyTask: Send + Sync {
    /// The kind, as configurations name it.
    fn kind(&self) -> &'static str;
    /// Scores the view's embeddings on each fold.
    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores>;
    /// The class that each held-out row of each fold is called, for probes that call one; the
    /// score of a fold is then the balanced accuracy of its calls. With calls, differences can be
    /// resampled by patient.
    fn classify(&self, _train: &TrainView, _folds: &[Fold]) -> Result<Option<Vec<Vec<u32>>>> {
        Ok(None)
    }
    /// Whether all folds in one call cost much less than the same folds in several calls.
    fn shares_work(&self) -> bool {
        false
    }
}
