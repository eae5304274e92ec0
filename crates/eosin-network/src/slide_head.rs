// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{HeadRecord, Probabilities, Result};

use crate::bags::{Bags, TrainBags};

/// Fits heads of slides of one kind.
pub trait SlideHeadTrainer: Send + Sync {
    /// The kind, as configurations name it.
    fn kind(&self) -> &'static str;
    /// The grid that tuning searches, in the order in which ties are broken.
    fn penalties(&self) -> Vec<f64>;
    /// Fits one head.
    fn fit_slides(&self, bags: &TrainBags, penalty: f64) -> Result<Box<dyn SlideHead>>;
}

/// A fitted head that calls slides from their tiles.
pub trait SlideHead: Send + Sync {
    /// Class names in the order of the outputs.
    fn classes(&self) -> &[String];
    /// Class probabilities, one row per bag; tiles of another length are an error.
    fn predict(&self, bags: &Bags) -> Result<Probabilities>;
    /// How much each tile of each bag counts, in the order of the bag's rows, summing to 1.
    fn attention(&self, bags: &Bags) -> Result<Vec<Vec<f32>>>;
    /// What it is made of, to be saved.
    fn record(&self) -> HeadRecord;
}
