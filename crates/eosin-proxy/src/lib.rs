// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scores backbones by proxy tasks and ranks them with statistics.
//!
//! ```
//! use eosin_core::{LabelledSet, Matrix, ProxyTask, TrainView};
//! use eosin_eval::splits;
//! use eosin_proxy::{KnnProbe, SimpleShot};
//!
//! let rows: Vec<Vec<f32>> = (0..40).map(|i| vec![(i % 2) as f32, 0.5, i as f32 / 40.0]).collect();
//! let groups: Vec<String> = (0..40).map(|i| format!("patient {}", i / 4)).collect();
//! let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
//! let classes = vec!["stroma".into(), "tumour".into()];
//! let set = LabelledSet::new(Matrix::from_rows(&rows)?, classes, labels, &groups)?;
//! let train = TrainView::whole(&set);
//! let folds = splits::repeated(&train.labels(), &train.groups(), 2, 5, 5, 7)?.folds;
//! for probe in [&KnnProbe { k: 5 } as &dyn ProxyTask, &SimpleShot] {
//!     assert_eq!(probe.score(&train, &folds)?.folds, vec![1.0; 25]);
//! }
//! # Ok::<(), eosin_core::Error>(())
//! ```

mod dense;
mod probe;
pub mod proxies;
pub mod robustness;
pub mod scores;
pub mod select;

pub use probe::{FewShot, KnnProbe, LinearProbe, Reduced, SimpleShot};
