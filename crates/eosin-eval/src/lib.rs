// SPDX-License-Identifier: MIT OR Apache-2.0

//! Metrics with intervals, grouped splits, a leakage check and paired tests.
//!
//! ```
//! use eosin_eval::{Form, GroupBootstrap, Ranked, splits};
//!
//! let (scores, labels) = ([0.9, 0.4, 0.6, 0.1], [true, true, false, false]);
//! let groups = [0, 1, 2, 3];
//! let folds = splits::grouped_stratified_kfold(&[1, 1, 0, 0], &groups, 2, 2, 7)?;
//! assert_eq!(folds.len(), 2);
//!
//! let ranked = Ranked::new(&scores, &labels)?;
//! assert_eq!(ranked.auroc(None), 0.75);
//! // Whole groups are resampled; the statistic gets a weight per row. Four groups are too few.
//! let interval = GroupBootstrap { replicates: 200, ..GroupBootstrap::default() }
//!     .interval(&groups, &[1, 1, 0, 0], |weights| ranked.auroc(Some(weights)))?;
//! assert_eq!((interval.estimate, interval.form), (0.75, Form::None));
//! # Ok::<(), eosin_core::Error>(())
//! ```

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
