// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Error, Matrix, Result, TrainBatch};

/// Class probabilities: N × classes, each row summing to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    n_classes: usize,
    values: Vec<f64>,
}

/// A named array of a saved head.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, last axis fastest.
    pub values: Vec<f64>,
}

/// What a head is made of, so that it can be saved and made again.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadRecord {
    /// The head's kind.
    pub kind: String,
    /// Class names in the order of its outputs.
    pub classes: Vec<String>,
    /// Its arrays.
    pub tensors: BTreeMap<String, Tensor>,
    /// Its scalar parameters.
    pub parameters: BTreeMap<String, f64>,
}

/// Heads of several folds, one per penalty of each.
pub type HeadGrid = Vec<Vec<Box<dyn Head>>>;

/// One of many fits on the same rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Reweighted {
    /// A weight per row, in place of the batch's; rows of weight 0 are held out.
    pub weights: Vec<f32>,
    /// The penalties at which a head is wanted.
    pub penalties: Vec<f64>,
}

/// Fits heads of one kind.
///
/// The caller passes rows of the training side.
/// The implementer minimises the objective that it documents, treats `penalty` as λ in
/// Σ loss + λ/2 ‖w‖² or says otherwise, and returns the same head for the same input on any number
/// of threads.
///
/// ```
/// use eosin_core::{Head, HeadRecord, HeadTrainer, Matrix, Probabilities, Result, TrainBatch};
/// struct Prior;
/// struct PriorHead(Vec<String>, Vec<f64>);
/// impl HeadTrainer for Prior {
///     fn kind(&self) -> &'static str { "prior" }
///     fn penalties(&self) -> Vec<f64> { vec![0.0] }
///     fn fit(&self, batch: &TrainBatch, _penalty: f64) -> Result<Box<dyn Head>> {
///         let n = batch.n_rows() as f64;
///         let share = |k| batch.targets().rows().map(|t| f64::from(t[k])).sum::<f64>() / n;
///         let shares = (0..batch.classes().len()).map(share).collect();
///         Ok(Box::new(PriorHead(batch.classes().to_vec(), shares)))
///     }
/// }
/// impl Head for PriorHead {
///     fn classes(&self) -> &[String] { &self.0 }
///     fn predict(&self, features: &Matrix) -> Result<Probabilities> {
///         Probabilities::new(self.1.len(), self.1.repeat(features.n_rows()))
///     }
///     fn record(&self) -> HeadRecord { unimplemented!() }
/// }
/// ```
pub trait HeadTrainer: Send + Sync {
    /// The kind, as configurations name it.
    fn kind(&self) -> &'static str;
    /// The grid that tuning searches, in the order in which ties are broken.
    fn penalties(&self) -> Vec<f64>;
    /// Fits one head.
    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>>;
    /// Fits one head per penalty; implementers that share work between penalties override it.
    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        penalties.iter().map(|&penalty| self.fit(batch, penalty)).collect()
    }
    /// Fits one head per request and penalty, all on the batch's rows under weights of their own;
    /// `None` where a kind shares nothing between requests, which are then fitted one by one.
    ///
    /// The heads are those that `fit_path` gives for the rows that a request gives weight: others
    /// take no part in them.
    fn fit_reweighted(
        &self,
        _batch: &TrainBatch,
        _requests: &[Reweighted],
    ) -> Result<Option<HeadGrid>> {
        Ok(None)
    }
    /// A trainer of the same heads to four digits or so, for grids that are ranked by the classes
    /// that heads call; `None` where it would save nothing.
    fn for_search(&self) -> Option<Arc<dyn HeadTrainer>> {
        None
    }
}

/// A fitted head.
pub trait Head: Send + Sync {
    /// Class names in the order of the outputs.
    fn classes(&self) -> &[String];
    /// Class probabilities of N × D features; another D is an error.
    fn predict(&self, features: &Matrix) -> Result<Probabilities>;
    /// What it is made of.
    fn record(&self) -> HeadRecord;
}

impl Probabilities {
    /// Takes N × `n_classes` values, row after row.
    pub fn new(n_classes: usize, values: Vec<f64>) -> Result<Self> {
        if n_classes > 0 && values.len().is_multiple_of(n_classes) {
            Ok(Self { n_classes, values })
        } else {
            Err(Error::input(
                "probabilities",
                format!("rows of {n_classes} values"),
                values.len().to_string(),
                "give one value per class and row",
            ))
        }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.n_classes
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.n_classes..(i + 1) * self.n_classes]
    }

    /// Column `class` of every row.
    pub fn column(&self, class: usize) -> Vec<f64> {
        self.values.iter().skip(class).step_by(self.n_classes).copied().collect()
    }

    /// The most probable class of each row, the first of equals.
    pub fn argmax(&self) -> Vec<u32> {
        let largest = |row: &[f64]| {
            (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }) as u32
        };
        self.values.chunks_exact(self.n_classes).map(largest).collect()
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}
