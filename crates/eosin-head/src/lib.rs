// SPDX-License-Identifier: MIT OR Apache-2.0

#![cfg_attr(feature = "fit", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "fit"),
    doc = "Applies small heads to embeddings; the feature `fit` fits them."
)]
#![cfg_attr(
    not(feature = "fit"),
    expect(dead_code, reason = "what only fitting needs has no one who calls it")
)]

mod kernels;
mod linear;
mod rows;
#[cfg(feature = "fit")]
mod spectrum;
mod standardize;
mod wide;

#[cfg(feature = "fit")]
mod lda;
#[cfg(feature = "fit")]
mod linear_svm;
#[cfg(feature = "linfa-logistic")]
mod linfa_logistic;
#[cfg(feature = "fit")]
mod logistic;
mod neighbours;
#[cfg(feature = "fit")]
mod ridge;

#[cfg(feature = "fit")]
mod tune;

mod abstention;
mod calibrate;
mod conformal;
mod decision;

mod card;
mod file;
mod promise;
mod record;
mod register;
mod saved;
mod trained_on;

pub use abstention::{Abstention, confidence};
pub use calibrate::{Calibration, CalibrationMethod};
pub use card::card;
pub use conformal::{ClassCutoff, Conformal};
#[cfg(feature = "fit")]
pub use decision::CrossFitted;
pub use decision::{Decided, Decision, DecisionOptions, LogitAdjustment};
pub use file::{HeadFile, METADATA_KEY, load_head, save_head, training_digest};
#[cfg(feature = "fit")]
pub use lda::LdaTrainer;
#[cfg(feature = "fit")]
pub use linear_svm::LinearSvmTrainer;
#[cfg(feature = "linfa-logistic")]
pub use linfa_logistic::LinfaLogisticTrainer;
#[cfg(feature = "fit")]
pub use logistic::{FitJob, LogisticTrainer, default_penalties};
pub use neighbours::{KnnTrainer, NearestMeanTrainer};
pub use record::{KINDS, head_from_record};
pub use register::register;
#[cfg(feature = "fit")]
pub use ridge::RidgeTrainer;
pub use saved::SavedHead;
pub use trained_on::TrainedOn;
#[cfg(feature = "fit")]
pub use tune::{
    Final, PenaltyScore, Predict, Searched, TuneMetric, TuneOptions, Tuned, fit_final, search,
    threshold, tune, tune_by,
};
