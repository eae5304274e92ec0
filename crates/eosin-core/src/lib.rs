// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod annotation;
mod augment;
mod backbone;
mod bags;
mod card;
mod contract;
mod device;
mod embedding;
mod error;
mod extent;
mod file_part;
mod head;
mod kinds;
mod labelled;
mod licence;
mod numbered;
mod opener;
mod options;
mod prediction;
mod progress;
mod proxy;
mod proxy_kind;
mod registry;
mod regular_file;
mod resolution;
mod slide;
mod slide_head;
pub mod spreadsheet;
mod store;
mod tile;
mod view;

pub use annotation::{
    Annotation, AnnotationFormat, AnnotationLimits, AnnotationRequest, LeftOutShapes, ObjectKind,
    Outline, Rectangle, Shape,
};
pub use augment::{Draw, FeatureTransform, FittedTransform, TrainBatch};
pub use backbone::{Backbone, BackboneInfo};
pub use bags::{Bag, Bags, LabelledBags, TrainBags};
pub use card::{Card, WeightsSource};
pub use contract::{Contract, FieldDifference, Fingerprint};
pub use device::Device;
pub use embedding::{EmbeddingBatch, Matrix};
pub use error::{Error, Result};
pub use extent::ArrayExtent;
pub use file_part::lies_inside;
pub use head::{Head, HeadGrid, HeadRecord, HeadTrainer, Probabilities, Reweighted, Tensor};
pub use kinds::{Kinds, nearest};
pub use labelled::{LabelledSet, ViewBank};
pub use licence::{Licence, Use};
pub use numbered::numbered;
pub use opener::{BackboneOpener, BackboneRequest, TileSourceOpener};
pub use options::Options;
pub use prediction::{
    PredictedTile, Prediction, PredictionWriter, SlidePredictions, SlideThumbnail,
};
pub use progress::{NoProgress, Progress};
pub use proxy::{ProxyScores, ProxyTask};
pub use proxy_kind::{ProxyKind, ProxyProblem, ProxyRows, Reads, Role};
pub use registry::{
    DescribedTransform, HeadKind, PredictionWriterKind, ProbeKind, ProbeSetup, ProxyMaker,
    Registry, SlideHeadKind, TransformKind,
};
pub use regular_file::irregularity;
pub use resolution::{Mpp, TileUm};
pub use slide::{AssociatedImage, SlideImage, SlideReader};
pub use slide_head::{SlideHead, SlideHeadTrainer};
pub use store::{EmbeddingStore, EmbeddingWriter, SetSummary};
pub use tile::{RgbImage, Tile, TileBatch, TileMeta, TileSource};
pub use view::{Fold, HeldOutView, TrainView};
