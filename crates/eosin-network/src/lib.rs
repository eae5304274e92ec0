// SPDX-License-Identifier: MIT OR Apache-2.0

//! Trains small networks on embeddings: heads for tiles and slides, and a learned augmentation.
//!
//! ```
//! use eosin_core::{HeadTrainer, LabelledSet, Matrix, TrainBatch, TrainView};
//! use eosin_network::MlpTrainer;
//!
//! // A ring around a disc: no line parts them.
//! let rows: Vec<[f32; 2]> = (0..80)
//!     .map(|i| {
//!         let (angle, radius) = (i as f32 * 0.7, if i % 2 == 0 { 0.3 } else { 2.0 });
//!         [radius * angle.cos(), radius * angle.sin()]
//!     })
//!     .collect();
//! let labels = (0..80).map(|i| i % 2).collect();
//! let groups: Vec<String> = (0..80).map(|i| format!("p{}", i / 8)).collect();
//! let classes = vec!["disc".into(), "ring".into()];
//! let set = LabelledSet::new(Matrix::from_rows(&rows)?, classes, labels, &groups)?;
//!
//! let trainer = MlpTrainer { hidden: 16, epochs: 60, ..MlpTrainer::default() };
//! let head = trainer.fit(&TrainBatch::from_view(&TrainView::whole(&set)), 0.01)?;
//! let found = head.predict(&Matrix::from_rows(&[[0.1, 0.0], [0.0, -2.1]])?)?;
//! assert_eq!(found.argmax(), [0, 1]);
//! # Ok::<(), eosin_core::Error>(())
//! ```
//!
//! Networks are trained by burn on the backend that [`Compute`] names. No tensor type is in a
//! public signature, and prediction needs neither burn nor a device, so that a build without any
//! of the features `flex`, `cuda`, `tch` and `wgpu` still loads and applies what was trained.

#![cfg_attr(
    not(feature = "burn"),
    expect(dead_code, reason = "what prepares training has no one to hand it to")
)]

mod compute;
mod dense;
mod random;
mod schedule;
mod standardize;

mod abmil;
mod bags;
mod mean_pool;
mod mlp;
mod operator;
mod record;
mod slide_head;

#[cfg(feature = "burn")]
mod burn;
#[cfg(not(feature = "burn"))]
#[path = "no_burn.rs"]
mod burn;

pub use abmil::{AbmilHead, AbmilTrainer};
pub use bags::{Bag, Bags, LabelledBags, TrainBags};
pub use compute::{Compute, ENGINES};
pub use mean_pool::{MeanPoolHead, MeanPoolTrainer};
pub use mlp::{MlpHead, MlpTrainer};
pub use operator::{FittedOperator, LearnedOperator, OperatorSkill};
pub use record::{KINDS, SLIDE_KINDS, head_from_record, slide_head_from_record};
pub use schedule::{ClassBalance, TrainingLog};
pub use slide_head::{SlideHead, SlideHeadTrainer};
