// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scores of embeddings that need no training: shown beside the probes, never deciding.
//!
//! Where the rank matters, eigenvalues below 1e-12 of the largest count as 0. All are in f64, take N × D features with a class index per row, and are larger for better
//! embeddings, [`rank_me`] and [`alpha_req`] excepted, which say nothing of labels.

mod evidence;
mod gaussians;
mod mixture;
mod pairwise;
mod rates;
pub(crate) mod spectrum;

pub use evidence::log_me;
pub use gaussians::gbc;
pub use mixture::{leep, n_leep};
pub use pairwise::parc;
pub use rates::{alpha_req, h_score, h_score_regularised, rank_me, trans_rate};

use eosin_core::{Result, TrainView};
use serde::{Deserialize, Serialize};

/// A score that needed no training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingFreeScore {
    /// Its name in configurations and reports.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// Every score of this module on a view's rows.
pub fn training_free(train: &TrainView, seed: u64) -> Result<Vec<TrainingFreeScore>> {
    let (x, y, c) = (train.features(), train.labels(), train.classes().len());
    let scores = [
        ("logme", log_me(&x, &y, c)?),
        ("h-score", h_score(&x, &y, c)?),
        ("h-score-regularised", h_score_regularised(&x, &y, c)?),
        ("transrate", trans_rate(&x, &y, c, 1e-4)?),
        ("n-leep", n_leep(&x, &y, c, seed)?),
        ("parc", parc(&x, &y, c)?),
        ("gbc", gbc(&x, &y, c)?),
        ("rankme", rank_me(&x)?),
        ("alpha-req", alpha_req(&x)?),
    ];
    Ok(scores.map(|(name, value)| TrainingFreeScore { name: name.into(), value }).into())
}
