// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fits and applies small heads on embeddings, one or thousands.
//!
//! ```
//! use eosin_core::{LabelledSet, Matrix, NoProgress, TrainView};
//! use eosin_head::{LogisticTrainer, TuneOptions, fit_final, tune};
//!
//! let rows: Vec<[f32; 2]> = (0..40).map(|i| [(i % 2) as f32, (i * 7 % 5) as f32]).collect();
//! let labels = (0..40).map(|i| u32::from((i % 2) + (i * 3 % 7) / 5 > 0)).collect();
//! let groups: Vec<String> = (0..40).map(|i| format!("p{}", i / 4)).collect();
//! let classes = vec!["normal".into(), "tumour".into()];
//! let set = LabelledSet::new(Matrix::from_rows(&rows)?, classes, labels, &groups)?;
//!
//! let (view, trainer) = (TrainView::whole(&set), LogisticTrainer::default());
//! let tuned = tune(&view, &trainer, &[], TuneOptions::default(), &NoProgress)?;
//! let head = fit_final(&view, &trainer, &[], tuned.penalty, 0)?.head;
//! assert!(head.predict(&Matrix::from_rows(&[[1.0, 2.0]])?)?.row(0)[1] > 0.5);
//! # Ok::<(), eosin_core::Error>(())
//! ```

mod linear;
mod rows;
mod spectrum;
mod standardize;
mod wide;

mod lda;
mod linear_svm;
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
mod trained_on;

pub use abstention::{Abstention, confidence};
pub use calibrate::{Calibration, CalibrationMethod};
pub use card::card;
pub use conformal::{ClassCutoff, Conformal};
pub use decision::{Decided, Decision, DecisionOptions, LogitAdjustment};
pub use file::{HeadFile, METADATA_KEY, load_head, save_head, training_digest};
pub use lda::LdaTrainer;
pub use linear_svm::LinearSvmTrainer;
pub use linfa_logistic::LinfaLogisticTrainer;
pub use logistic::{FitJob, LogisticTrainer, default_penalties};
pub use neighbours::{KnnTrainer, NearestMeanTrainer};
pub use record::{KINDS, head_from_record};
pub use ridge::RidgeTrainer;
pub use trained_on::TrainedOn;
pub use tune::{
    Final, PenaltyScore, Predict, Searched, TuneMetric, TuneOptions, Tuned, fit_final, search,
    threshold, tune, tune_by,
};
