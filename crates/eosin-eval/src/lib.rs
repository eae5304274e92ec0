// SPDX-License-Identifier: MIT OR Apache-2.0

//! Metrics with intervals, grouped splits, a leakage check and paired tests.
//!
//! ```
//! use eosin_eval::{GroupBootstrap, Ranked, splits};
//!
//! let (scores, labels) = ([0.9, 0.4, 0.6, 0.1], [true, true, false, false]);
//! let groups = [0, 1, 2, 3];
//! let folds = splits::grouped_stratified_kfold(&[1, 1, 0, 0], &groups, 2, 2, 7)?;
//! assert_eq!(folds.len(), 2);
//!
//! let ranked = Ranked::new(&scores, &labels)?;
//! assert_eq!(ranked.auroc(None), 0.75);
//! // Whole groups are resampled; the statistic gets a weight per row.
//! let interval = GroupBootstrap { replicates: 200, ..GroupBootstrap::default() }
//!     .interval(&groups, &[1, 1, 0, 0], |weights| ranked.auroc(Some(weights)))?;
//! assert!(interval.lower <= 0.75 && interval.upper >= 0.75);
//! # Ok::<(), eosin_core::Error>(())
//! ```

pub mod bootstrap;
pub mod delong;
pub mod hypothesis;
pub mod leakage;
pub mod metrics;
pub mod splits;

pub use bootstrap::{GroupBootstrap, Interval, PairedInterval};
pub use metrics::{BinaryCounts, ConfusionMatrix, Ranked};
