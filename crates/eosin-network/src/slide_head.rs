// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{HeadRecord, Probabilities, Result};

use crate::bags::Bags;

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
