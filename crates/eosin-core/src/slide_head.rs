// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{Bags, HeadRecord, Probabilities, Result, TrainBags};

/// Fits heads of slides of one kind.
///
/// The caller passes slides of the training side; every bag has at least one tile.
/// The implementer returns the same head for the same bags on any number of threads.
///
/// ```
/// use eosin_core::{
///     Bags, HeadRecord, Probabilities, Result, SlideHead, SlideHeadTrainer, TrainBags,
/// };
/// struct Even;
/// struct EvenHead(Vec<String>);
/// impl SlideHeadTrainer for Even {
///     fn kind(&self) -> &'static str { "even" }
///     fn penalties(&self) -> Vec<f64> { vec![0.0] }
///     fn fit_slides(&self, bags: &TrainBags, _penalty: f64) -> Result<Box<dyn SlideHead>> {
///         Ok(Box::new(EvenHead(bags.classes().to_vec())))
///     }
/// }
/// impl SlideHead for EvenHead {
///     fn classes(&self) -> &[String] { &self.0 }
///     fn predict(&self, bags: &Bags) -> Result<Probabilities> {
///         let (n, k) = (bags.n_bags(), self.0.len());
///         Probabilities::new(k, vec![1.0 / k as f64; n * k])
///     }
///     fn attention(&self, bags: &Bags) -> Result<Vec<Vec<f32>>> {
///         let equal = |n: usize| vec![1.0 / n as f32; n];
///         Ok(bags.bags().iter().map(|bag| equal(bag.rows.len())).collect())
///     }
///     fn record(&self) -> HeadRecord { unimplemented!() }
/// }
/// ```
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
