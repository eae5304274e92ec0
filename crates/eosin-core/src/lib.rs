// SPDX-License-Identifier: MIT OR Apache-2.0

//! The vocabulary of Eosin: the types and traits that every other crate speaks.
//!
//! This crate does no IO and knows no Arrow, no TOML and no tensors, so a plugin needs only it.
//!
//! ```
//! use eosin_core::{Fold, LabelledSet, Matrix, TrainView};
//!
//! let set = LabelledSet::new(
//!     Matrix::from_rows(&[vec![0.0], vec![1.0], vec![2.0], vec![3.0]])?,
//!     vec!["a".into(), "b".into()],
//!     vec![0, 1, 0, 1],
//!     &["p1", "p1", "p2", "p2"],
//! )?;
//! let train = TrainView::whole(&set);
//! // Patients p1 and p2 part cleanly; rows 0 and 1 alone in training would be refused.
//! let (inner, held_out) = train.split(&Fold { train: vec![0, 1], held_out: vec![2, 3] })?;
//! assert_eq!((inner.n_rows(), held_out.n_rows()), (2, 2));
//! assert!(train.split(&Fold { train: vec![0], held_out: vec![1, 2, 3] }).is_err());
//! # Ok::<(), eosin_core::Error>(())
//! ```

mod augment;
mod backbone;
mod contract;
mod embedding;
mod error;
mod extent;
mod file_part;
mod head;
mod labelled;
mod licence;
mod progress;
mod proxy;
mod regular_file;
mod resolution;
mod slide;
pub mod spreadsheet;
mod store;
mod tile;
mod view;

pub use augment::{Draw, FeatureTransform, FittedTransform, TrainBatch};
pub use backbone::{Backbone, BackboneInfo};
pub use contract::{Contract, FieldDifference, Fingerprint};
pub use embedding::{EmbeddingBatch, Matrix};
pub use error::{Error, Result};
pub use extent::ArrayExtent;
pub use file_part::lies_inside;
pub use head::{Head, HeadGrid, HeadRecord, HeadTrainer, Probabilities, Reweighted, Tensor};
pub use labelled::{LabelledSet, ViewBank};
pub use licence::{Licence, Use};
pub use progress::{NoProgress, Progress};
pub use proxy::{ProxyScores, ProxyTask};
pub use regular_file::irregularity;
pub use resolution::{Mpp, TileUm};
pub use slide::{AssociatedImage, SlideImage, SlideReader};
pub use store::{EmbeddingStore, EmbeddingWriter, SetSummary};
pub use tile::{RgbImage, Tile, TileBatch, TileMeta, TileSource};
pub use view::{Fold, HeldOutView, TrainView};
