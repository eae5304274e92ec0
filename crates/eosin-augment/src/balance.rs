// SPDX-License-Identifier: MIT OR Apache-2.0

//! Arms that only change how much each class weighs: what every augmentation has to beat.

use eosin_core::{Draw, FeatureTransform, FittedTransform, Result, TrainBatch, TrainView};
use serde::{Deserialize, Serialize};

use crate::options::{fill_up_sources, shortage, with_new_rows, within};

/// Kind `duplicate`: rows of scarce classes are repeated until their class has `ratio` times the
/// rows of the largest.
///
/// It is the control for `smote`: the same balance without a new point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Duplicate {
    /// Rows that every class gets at least, in units of the largest class's.
    pub ratio: f64,
}

/// Kind `class-weights`: a row's weight is multiplied by (N / (C·N_c))^power, then all are scaled
/// so that their sum stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassWeights {
    /// 1 makes all classes weigh the same, 0 changes nothing.
    pub power: f64,
}

struct FittedDuplicate(Duplicate);
struct FittedClassWeights(ClassWeights);

impl Default for Duplicate {
    fn default() -> Self {
        Self { ratio: 1.0 }
    }
}

impl Default for ClassWeights {
    fn default() -> Self {
        Self { power: 1.0 }
    }
}

impl FeatureTransform for Duplicate {
    fn kind(&self) -> &'static str {
        "duplicate"
    }

    fn fit(&self, _train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(self.kind(), "ratio", self.ratio, 0.0, 1.0)?;
        Ok(Box::new(FittedDuplicate(self.clone())))
    }
}

impl FittedTransform for FittedDuplicate {
    fn apply(&self, batch: &TrainBatch, _draw: Draw) -> Result<TrainBatch> {
        let labels = batch.labels();
        let lacking = shortage(&labels, batch.classes().len(), self.0.ratio);
        let sources = fill_up_sources(&labels, &lacking, |_| true);
        with_new_rows(batch, &sources, batch.features().select(&sources))
    }
}

impl FeatureTransform for ClassWeights {
    fn kind(&self) -> &'static str {
        "class-weights"
    }

    fn fit(&self, _train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(self.kind(), "power", self.power, 0.0, 1.0)?;
        Ok(Box::new(FittedClassWeights(self.clone())))
    }
}

impl FittedTransform for FittedClassWeights {
    fn apply(&self, batch: &TrainBatch, _draw: Draw) -> Result<TrainBatch> {
        let labels = batch.labels();
        let mut mass = vec![0.0_f64; batch.classes().len()];
        for (&label, &weight) in labels.iter().zip(batch.weights()) {
            mass[label as usize] += f64::from(weight);
        }
        let total: f64 = mass.iter().sum();
        let present = mass.iter().filter(|&&m| m > 0.0).count() as f64;
        let factor = |m: f64| (total / (present * m)).powf(self.0.power);
        let scaled: f64 = mass.iter().filter(|&&m| m > 0.0).map(|&m| m * factor(m)).sum();
        let weight = |(&label, &w): (&u32, &f32)| {
            (f64::from(w) * factor(mass[label as usize]) * total / scaled) as f32
        };
        let weights = labels.iter().zip(batch.weights()).map(weight).collect();
        batch.clone().with_weights(weights)
    }
}
