// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{Error, Matrix, Result, TrainView};

/// Rows on which a head is fitted: those of a [`TrainView`], or made from them.
///
/// There is no other way to make one, so a row that was held out cannot be in it.
#[derive(Clone, Debug)]
pub struct TrainBatch {
    features: Matrix,
    targets: Matrix,
    weights: Vec<f32>,
    parents: Vec<u32>,
    groups: Vec<u32>,
    classes: Vec<String>,
}

/// Which random draw is asked for; the same draw gives the same bytes on any number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the fold.
    pub fold: u64,
    /// Number of the pass over the rows.
    pub epoch: u64,
}

/// A transform of embeddings that is to be fitted on training rows.
///
/// The caller fits it on the rows that the head will be fitted on, and on no others.
/// The implementer keeps nothing of other rows, gives every new row the group of its parent, and
/// draws all randomness from the [`Draw`].
///
/// ```
/// use eosin_core::{Draw, FeatureTransform, FittedTransform, Result, TrainBatch, TrainView};
/// struct Identity;
/// impl FeatureTransform for Identity {
///     fn kind(&self) -> &'static str { "identity" }
///     fn fit(&self, _train: &TrainView) -> Result<Box<dyn FittedTransform>> { Ok(Box::new(Identity)) }
/// }
/// impl FittedTransform for Identity {
///     fn apply(&self, batch: &TrainBatch, _draw: Draw) -> Result<TrainBatch> { Ok(batch.clone()) }
/// }
/// ```
pub trait FeatureTransform: Send + Sync {
    /// The kind, as configurations name it.
    fn kind(&self) -> &'static str;
    /// Learns what it needs from the training rows.
    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>>;
}

/// A fitted transform.
pub trait FittedTransform: Send + Sync {
    /// Changes rows or adds new ones.
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch>;
    /// What a reader of the results should know of this fit, such as why it changes nothing.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

impl TrainBatch {
    /// The rows of a view with weight 1 and one-hot targets; parent i is position i of the view.
    pub fn from_view(view: &TrainView) -> Self {
        let n_classes = view.classes().len();
        let mut targets = vec![0.0; view.n_rows() * n_classes];
        for (i, label) in view.labels().into_iter().enumerate() {
            targets[i * n_classes + label as usize] = 1.0;
        }
        Self {
            features: view.features(),
            targets: Matrix::new(view.n_rows(), n_classes, targets).unwrap_or_default(),
            weights: vec![1.0; view.n_rows()],
            parents: (0..view.n_rows() as u32).collect(),
            groups: view.groups(),
            classes: view.classes().to_vec(),
        }
    }

    /// The same rows with other features.
    pub fn with_features(mut self, features: Matrix) -> Result<Self> {
        if features.n_rows() != self.features.n_rows() {
            return Err(Error::input(
                "transformed rows",
                self.features.n_rows().to_string(),
                features.n_rows().to_string(),
                "use `derive` to add rows",
            ));
        }
        self.features = features;
        Ok(self)
    }

    /// The same rows with other weights, each finite and not negative.
    pub fn with_weights(mut self, weights: Vec<f32>) -> Result<Self> {
        let sound = weights.iter().all(|w| w.is_finite() && *w >= 0.0);
        if weights.len() != self.weights.len() || !sound {
            return Err(Error::input(
                "row weights",
                format!("{} finite weights, none below zero", self.weights.len()),
                format!("{} weights", weights.len()),
                "give one weight per row",
            ));
        }
        self.weights = weights;
        Ok(self)
    }

    /// The batch's weights on the given rows, 0 elsewhere.
    pub fn weights_within(&self, rows: &[usize]) -> Result<Vec<f32>> {
        if rows.is_empty() {
            return Err(Error::input(
                "a fold",
                "at least one row to train on",
                "none",
                "check that the split leaves rows to train on",
            ));
        }
        let mut weights = vec![0.0; self.n_rows()];
        for &row in rows {
            let (Some(to), Some(&weight)) = (weights.get_mut(row), self.weights.get(row)) else {
                return Err(Error::input(
                    "a fold",
                    format!("rows below {}", self.n_rows()),
                    row.to_string(),
                    "make folds for the batch that is fitted",
                ));
            };
            *to = weight;
        }
        Ok(weights)
    }

    /// New rows made from this batch's: `sources[i]` is the row whose target, parent and group
    /// row i takes over.
    pub fn derive(&self, features: Matrix, sources: &[usize], weights: Vec<f32>) -> Result<Self> {
        let targets = self.targets.select(sources);
        self.derive_with_targets(features, targets, sources, weights)
    }

    /// As [`TrainBatch::derive`], with soft targets of its own (N × classes, rows summing to 1).
    pub fn derive_with_targets(
        &self,
        features: Matrix,
        targets: Matrix,
        sources: &[usize],
        weights: Vec<f32>,
    ) -> Result<Self> {
        let n = sources.len();
        if features.n_rows() != n || targets.n_rows() != n || weights.len() != n {
            return Err(Error::input(
                "derived rows",
                format!("{n} feature rows, targets and weights"),
                format!("{}, {} and {}", features.n_rows(), targets.n_rows(), weights.len()),
                "give one source per new row",
            ));
        }
        Ok(Self {
            features,
            targets,
            weights,
            parents: sources.iter().map(|&i| self.parents[i]).collect(),
            groups: sources.iter().map(|&i| self.groups[i]).collect(),
            classes: self.classes.clone(),
        })
    }

    /// These rows followed by those of `other`.
    pub fn concat(mut self, other: &Self) -> Result<Self> {
        self.features.append(&other.features)?;
        self.targets.append(&other.targets)?;
        self.weights.extend_from_slice(&other.weights);
        self.parents.extend_from_slice(&other.parents);
        self.groups.extend_from_slice(&other.groups);
        Ok(self)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.features.n_rows()
    }

    /// N × D.
    pub fn features(&self) -> &Matrix {
        &self.features
    }

    /// N × classes, each row a distribution.
    pub fn targets(&self) -> &Matrix {
        &self.targets
    }

    /// The class index of each row: that of its largest target.
    pub fn labels(&self) -> Vec<u32> {
        let largest = |row: &[f32]| {
            (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }) as u32
        };
        self.targets.rows().map(largest).collect()
    }

    /// A weight per row.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The position in the view that each row stems from.
    pub fn parents(&self) -> &[u32] {
        &self.parents
    }

    /// The group of each row, that of its parent.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// Class names.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }
}
