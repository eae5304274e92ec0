// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

pub mod bootstrap;
pub mod choice;
pub mod delong;
pub mod hypothesis;
pub mod inference;
pub mod leakage;
pub mod metrics;
mod nan_as_null;
pub mod prevalence;
pub mod splits;
mod trivial;

pub use bootstrap::{Form, GroupBootstrap, Interval, PairedInterval, Scale};
pub use choice::{ChoiceGain, NestedScores, choice_gain};
pub use inference::{Comparison, CrossValidated, Estimate, FoldScores, Word};
pub use metrics::{BinaryCounts, ConfusionMatrix, Ranked};
pub use trivial::{TrivialCall, trivial_calls};
