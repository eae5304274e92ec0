// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

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
