// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod linear;
mod rows;
mod spectrum;
mod standardize;
mod wide;

mod lda;
mod linear_svm;
#[cfg(feature = "linfa-logistic")]
mod linfa_logistic;
mod logistic;
mod neighbours;
mod ridge;

mod tune;

mod abstention;
mod calibrate;
mod conformal;
mod decision;

mod card;
mod file;
mod promise;
mod record;
mod saved;
mod trained_on;

pub use abstention::{Abstention, confidence};
pub use calibrate::{Calibration, CalibrationMethod};
pub use card::card;
pub use conformal::{ClassCutoff, Conformal};
pub use decision::{Decided, Decision, DecisionOptions, LogitAdjustment};
pub use file::{HeadFile, METADATA_KEY, load_head, save_head, training_digest};
pub use lda::LdaTrainer;
pub use linear_svm::LinearSvmTrainer;
#[cfg(feature = "linfa-logistic")]
pub use linfa_logistic::LinfaLogisticTrainer;
pub use logistic::{FitJob, LogisticTrainer, default_penalties};
pub use neighbours::{KnnTrainer, NearestMeanTrainer};
pub use record::{KINDS, head_from_record};
pub use ridge::RidgeTrainer;
pub use saved::SavedHead;
pub use trained_on::TrainedOn;
pub use tune::{
    Final, PenaltyScore, Predict, Searched, TuneMetric, TuneOptions, Tuned, fit_final, search,
    threshold, tune, tune_by,
};
