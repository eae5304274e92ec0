// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Error, Head, HeadRecord, HeadTrainer, Matrix, Probabilities, Result, TrainBatch};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::burn::train;
use crate::compute::Compute;
use crate::dense::{Array, affine, relu, softmax};
use crate::random::{Purpose, generator, start, start_bias};
use crate::schedule::{ClassBalance, Items, Plan, TrainingLog, balanced_weights};
use crate::standardize::{Standardizer, check_width};

pub(crate) const KIND: &str = "mlp";

/// Kind `mlp`: one hidden layer of rectified units on standardised features.
///
/// It minimises the weighted mean cross-entropy, with soft targets, by AdamW; the penalty is
/// AdamW's decoupled weight decay, not the λ of a linear head. One grouped fold is held out to
/// stop early, and the parameters of its best pass are kept; where a class has rows of only one
/// group, all rows are trained on for the full number of passes. Rows of weight 0 are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MlpTrainer {
    /// Units of the hidden layer.
    pub hidden: usize,
    /// Share of hidden units that are left out in each step.
    pub dropout: f64,
    /// Step size of AdamW.
    pub learning_rate: f64,
    /// Passes over the rows at most.
    pub epochs: usize,
    /// Passes without a better validation loss after which training ends.
    pub patience: usize,
    /// Rows per step.
    pub batch: usize,
    /// One in so many grouped folds is held out to stop early.
    pub validation_folds: usize,
    /// What classes weigh.
    pub class_weights: ClassBalance,
    /// Weight decays that tuning searches.
    pub penalties: Vec<f64>,
    /// Seed of starting weights, order, dropout and the validation fold.
    pub seed: u64,
    /// Where it is trained.
    pub compute: Compute,
}

/// A fitted [`MlpTrainer`].
#[derive(Clone, Debug, PartialEq)]
pub struct MlpHead {
    classes: Vec<String>,
    standard: Standardizer,
    /// Hidden weights and bias, output weights and bias.
    layers: [Array; 4],
    parameters: BTreeMap<String, f64>,
}

/// Standardised rows with soft targets.
pub(crate) struct MlpData {
    pub dim: usize,
    pub n_classes: usize,
    pub features: Vec<f32>,
    pub targets: Vec<f32>,
    pub weights: Vec<f64>,
}

impl Default for MlpTrainer {
    fn default() -> Self {
        Self {
            hidden: 256,
            dropout: 0.25,
            learning_rate: 1e-3,
            epochs: 100,
            patience: 10,
            batch: 64,
            validation_folds: 5,
            class_weights: ClassBalance::AsIs,
            penalties: vec![0.01, 0.1, 1.0],
            seed: 0,
            compute: Compute::default(),
        }
    }
}

impl MlpTrainer {
    /// Fits one head and tells what training did.
    pub fn fit_logged(&self, batch: &TrainBatch, penalty: f64) -> Result<(MlpHead, TrainingLog)> {
        let plan = self.plan(penalty);
        plan.check("head mlp")?;
        if self.hidden == 0 {
            return Err(Error::input(
                "head mlp, option hidden",
                "at least 1",
                "0",
                "use head logistic for a model without a hidden layer",
            ));
        }
        let rows: Vec<usize> = (0..batch.n_rows()).filter(|&i| batch.weights()[i] > 0.0).collect();
        let (dim, n_classes) = (batch.features().n_cols(), batch.classes().len());
        check_rows(batch, &rows)?;
        let own: Vec<f64> = rows.iter().map(|&i| f64::from(batch.weights()[i])).collect();
        let weighted = rows.iter().zip(&own).map(|(&i, &w)| (batch.features().row(i), w));
        let standard = Standardizer::fit(weighted, dim);
        let target = |&i: &usize| batch.targets().row(i).iter().copied();
        let targets: Vec<f32> = rows.iter().flat_map(target).collect();
        let exact: Vec<f64> = targets.iter().map(|&t| f64::from(t)).collect();
        let labels: Vec<u32> = {
            let all = batch.labels();
            rows.iter().map(|&i| all[i]).collect()
        };
        let groups: Vec<u32> = rows.iter().map(|&i| batch.groups()[i]).collect();
        let items = Items::split(&labels, &groups, n_classes, self.validation_folds, self.seed)?;
        let features =
            rows.iter().flat_map(|&i| standard.apply(batch.features().row(i))).map(|x| x as f32);
        let data = MlpData {
            dim,
            n_classes,
            features: features.collect(),
            targets,
            weights: balanced_weights(&exact, &own, n_classes, self.class_weights),
        };
        let (layers, log) = train(&plan, &data, self.start(dim, n_classes), &items)?;
        let layers: [Array; 4] = layers.try_into().map_err(|_| lost_layers())?;
        let parameters = BTreeMap::from([
            ("best_epoch".into(), log.best_epoch as f64),
            ("hidden".into(), self.hidden as f64),
            ("loss".into(), log.loss),
            ("penalty".into(), penalty),
            ("validated".into(), f64::from(u8::from(log.validated))),
        ]);
        Ok((MlpHead { classes: batch.classes().to_vec(), standard, layers, parameters }, log))
    }

    fn plan(&self, penalty: f64) -> Plan {
        Plan {
            compute: self.compute.clone(),
            seed: self.seed,
            epochs: self.epochs,
            patience: self.patience,
            batch: self.batch,
            learning_rate: self.learning_rate,
            weight_decay: penalty,
            dropout: self.dropout,
        }
    }

    fn start(&self, dim: usize, n_classes: usize) -> Vec<Array> {
        let rng = &mut generator(Purpose::Start, [self.seed, 0, 0]);
        vec![
            start(rng, "hidden.weight", dim, self.hidden),
            start_bias(rng, "hidden.bias", dim, self.hidden),
            start(rng, "output.weight", self.hidden, n_classes),
            start_bias(rng, "output.bias", self.hidden, n_classes),
        ]
    }
}

impl HeadTrainer for MlpTrainer {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        Ok(Box::new(self.fit_logged(batch, penalty)?.0))
    }
}

impl MlpHead {
    /// Makes a head again from what it was made of.
    pub fn from_record(record: &HeadRecord) -> Result<Self> {
        let standard = Standardizer::from_record(record)?;
        let dim = standard.dim();
        let w1 = Array::from_record(record, "hidden.weight", Some(dim), None)?;
        let b1 = Array::from_record(record, "hidden.bias", Some(1), Some(w1.cols))?;
        let n_classes = record.classes.len();
        let w2 = Array::from_record(record, "output.weight", Some(w1.cols), Some(n_classes))?;
        let b2 = Array::from_record(record, "output.bias", Some(1), Some(n_classes))?;
        Ok(Self {
            classes: record.classes.clone(),
            standard,
            layers: [w1, b1, w2, b2],
            parameters: record.parameters.clone(),
        })
    }

    fn probabilities(&self, row: &[f32]) -> Vec<f64> {
        let [w1, b1, w2, b2] = &self.layers;
        let x: Vec<f64> = self.standard.apply(row).collect();
        let mut hidden = affine(&x, w1, b1);
        relu(&mut hidden);
        let mut scores = affine(&hidden, w2, b2);
        softmax(&mut scores);
        scores
    }
}

impl Head for MlpHead {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        check_width(features.n_rows(), features.n_cols(), self.standard.dim())?;
        let n_classes = self.classes.len();
        let mut values = vec![0.0; features.n_rows() * n_classes];
        values
            .par_chunks_mut(n_classes)
            .enumerate()
            .for_each(|(i, out)| out.copy_from_slice(&self.probabilities(features.row(i))));
        Probabilities::new(n_classes, values)
    }

    fn record(&self) -> HeadRecord {
        let arrays = self.layers.iter().map(|a| (a.name.to_string(), a.tensor()));
        HeadRecord {
            kind: KIND.into(),
            classes: self.classes.clone(),
            tensors: arrays.chain(self.standard.tensors()).collect(),
            parameters: self.parameters.clone(),
        }
    }
}

/// Refuses batches without rows, without columns, with NaN, or with fewer than two classes.
fn check_rows(batch: &TrainBatch, rows: &[usize]) -> Result<()> {
    let features = batch.features();
    if rows.is_empty() || features.n_cols() == 0 {
        return Err(Error::input(
            "training rows",
            "at least one row with weight, and one feature",
            format!("{} × {}", rows.len(), features.n_cols()),
            "check that the split leaves rows to train on",
        ));
    }
    if let Some(row) = features.first_bad_row() {
        return Err(Error::input(
            format!("row {row} of the features"),
            "finite values",
            "NaN or infinity",
            "embed that tile again, or leave it out",
        ));
    }
    let holds = |k: usize| rows.iter().any(|&i| batch.targets().row(i)[k] > 0.0);
    let present = (0..batch.classes().len()).filter(|&k| holds(k)).count();
    if present < 2 {
        return Err(Error::input(
            "training rows",
            "rows of at least two classes with weight above 0",
            format!("{present} classes"),
            "check the labels, or use folds in which every class occurs",
        ));
    }
    Ok(())
}

pub(crate) fn lost_layers() -> Error {
    Error::unsupported(
        "training that returns every parameter it was given",
        &[],
        "this is a fault of Eosin; please report it",
    )
}
