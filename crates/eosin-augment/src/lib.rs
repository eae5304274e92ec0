// SPDX-License-Identifier: MIT OR Apache-2.0

//! Transforms embeddings in feature space, fitted on training rows alone.
//!
//! ```
//! use eosin_augment::{GaussianNoise, Pipeline};
//! use eosin_core::{Draw, FeatureTransform, LabelledSet, Matrix, TrainBatch, TrainView};
//!
//! let set = LabelledSet::new(
//!     Matrix::from_rows(&[vec![0.0, 1.0], vec![1.0, 3.0], vec![2.0, 0.0]])?,
//!     vec!["normal".into(), "atypical".into()],
//!     vec![0, 1, 0],
//!     &["p1", "p2", "p3"],
//! )?;
//! let train = TrainView::whole(&set);
//! let pipeline = Pipeline::default().then(GaussianNoise { gamma: 0.2, copies: 2 })?;
//! let draw = Draw { seed: 7, fold: 0, epoch: 0 };
//! let batch = pipeline.fit(&train)?.apply(&TrainBatch::from_view(&train), draw)?;
//! // Each row and its two noisy copies share the row's weight.
//! assert_eq!((batch.n_rows(), batch.weights()[0]), (9, 1.0 / 3.0));
//! # Ok::<(), eosin_core::Error>(())
//! ```

mod balance;
mod between;
mod centre;
mod cluster;
mod delta;
mod dropout;
mod isda;
mod lbfgs;
mod linalg;
mod mixup;
mod moments;
mod neighbours;
mod noise;
mod operator;
mod options;
mod pipeline;
mod random;
mod smote;
mod spread;
mod test_time;
mod transfer;
mod view_bank;

pub use balance::{ClassWeights, Duplicate};
pub use between::{Extrapolate, Interpolate};
pub use centre::CentreSwap;
pub use cluster::ClusterNoise;
pub use delta::Delta;
pub use dropout::FeatureDropout;
pub use isda::IsdaTrainer;
pub use mixup::Mixup;
pub use moments::{ExpectedMoments, SecondMoments};
pub use noise::GaussianNoise;
pub use operator::ViewOperator;
pub use pipeline::Pipeline;
pub use smote::{BorderlineSmote, Smote};
pub use test_time::test_time_average;
pub use transfer::CovarianceTransfer;
pub use view_bank::{BankMode, ViewBankTransform};
