// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;

use eosin_core::{
    DescribedTransform, Draw, FeatureTransform, FittedTransform, Result, TrainBatch, TrainView,
};
use serde::Serialize;

use crate::random::stage_draw;

/// Transforms in order, each working on what the one before it made.
///
/// Every stage is fitted on the same training rows as they are in the store, not on the output of
/// the stages before it, so that what is learned does not depend on random draws.
/// An empty pipeline leaves rows as they are.
#[derive(Default)]
pub struct Pipeline {
    stages: Vec<Stage>,
}

struct Stage {
    transform: Box<dyn FeatureTransform>,
    description: String,
}

struct FittedPipeline {
    stages: Vec<Box<dyn FittedTransform>>,
}

impl Pipeline {
    /// Adds a transform whose options serialise.
    pub fn then<T: FeatureTransform + Serialize + 'static>(self, transform: T) -> Result<Self> {
        let DescribedTransform { transform, description } = DescribedTransform::new(transform)?;
        Ok(self.then_boxed(transform, description))
    }

    /// Adds a transform with a description of its options, which goes into the digest.
    #[must_use]
    pub fn then_boxed(
        mut self,
        transform: Box<dyn FeatureTransform>,
        description: impl Into<String>,
    ) -> Self {
        self.stages.push(Stage { transform, description: description.into() });
        self
    }

    /// Number of stages.
    pub fn n_stages(&self) -> usize {
        self.stages.len()
    }

    /// Each stage's kind and options in order, such as `gaussian-noise {"gamma":0.1,"copies":4}`.
    pub fn description(&self) -> String {
        let stage = |s: &Stage| format!("{} {}", s.transform.kind(), s.description);
        self.stages.iter().map(stage).collect::<Vec<_>>().join("; ")
    }

    /// A digest of the description, in hexadecimal: the same stages with the same options in the
    /// same order have the same.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for stage in &self.stages {
            // Lengths keep two stages from reading like one.
            for part in [stage.transform.kind(), &stage.description] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

impl FeatureTransform for Pipeline {
    fn kind(&self) -> &'static str {
        "pipeline"
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        let stages = self.stages.iter().map(|s| s.transform.fit(train)).collect::<Result<_>>()?;
        Ok(Box::new(FittedPipeline { stages }))
    }
}

impl FittedTransform for FittedPipeline {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        let mut batch = batch.clone();
        for (i, stage) in self.stages.iter().enumerate() {
            batch = stage.apply(&batch, stage_draw(draw, i))?;
        }
        Ok(batch)
    }

    fn notes(&self) -> Vec<String> {
        self.stages.iter().flat_map(|stage| stage.notes()).collect()
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipeline({})", self.description())
    }
}
