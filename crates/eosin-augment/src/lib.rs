// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

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

mod register;

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
pub use register::register;
pub use smote::{BorderlineSmote, Smote};
pub use test_time::test_time_average;
pub use transfer::CovarianceTransfer;
pub use view_bank::{BankMode, ViewBankTransform};
