// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{
    Bag, Bags, Error, HeadRecord, Probabilities, Result, SlideHead, SlideHeadTrainer, TrainBags,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::burn::train;
use crate::compute::Compute;
use crate::dense::{Array, affine, relu, sigmoid, softmax};
use crate::mlp::lost_layers;
use crate::random::{Purpose, generator, start, start_bias};
use crate::schedule::{ClassBalance, Items, Plan, TrainingLog, balanced_weights};
use crate::standardize::{Standardizer, check_width};

pub(crate) const KIND: &str = "abmil";
const N_LAYERS: usize = 9;

/// Kind `abmil`: gated attention over the tiles of a slide (Ilse et al. 2018, equation 9).
///
/// Tiles are standardised and projected, h = ReLU(W x + b); each has attention
/// a ∝ exp wᵀ(tanh(V h) ⊙ σ(U h)) within its slide; Σ a h is classified by a linear layer.
/// Training is AdamW on the cross-entropy of slides, with one grouped fold of slides held out to
/// stop early; where a class has slides of only one group, all are trained on for the full number
/// of passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AbmilTrainer {
    /// Length of a projected tile.
    pub hidden: usize,
    /// Units of each attention branch.
    pub attention: usize,
    /// Share of projected values that are left out in each step.
    pub dropout: f64,
    /// Step size of AdamW.
    pub learning_rate: f64,
    /// Passes over the slides at most.
    pub epochs: usize,
    /// Passes without a better validation loss after which training ends.
    pub patience: usize,
    /// Slides per step.
    pub batch: usize,
    /// Tiles of a slide that one step sees at most, drawn anew for each pass; prediction sees all.
    pub max_tiles: usize,
    /// One in so many grouped folds is held out to stop early.
    pub validation_folds: usize,
    /// What classes weigh.
    pub class_weights: ClassBalance,
    /// Weight decays that tuning tries.
    pub penalties: Vec<f64>,
    /// Seed of starting weights, order, dropout and the validation fold.
    pub seed: u64,
    /// Where it is trained.
    pub compute: Compute,
}

/// A fitted [`AbmilTrainer`].
#[derive(Clone, Debug, PartialEq)]
pub struct AbmilHead {
    classes: Vec<String>,
    standard: Standardizer,
    layers: [Array; N_LAYERS],
    parameters: BTreeMap<String, f64>,
}

/// Bags with their labels, standardised as they are used.
pub(crate) struct AbmilData<'a> {
    pub bags: &'a TrainBags<'a>,
    pub standard: &'a Standardizer,
    pub n_classes: usize,
    pub labels: Vec<u32>,
    pub weights: Vec<f64>,
    /// Tiles of a bag that one step of training sees at most.
    pub max_tiles: usize,
    pub seed: u64,
}

impl Default for AbmilTrainer {
    fn default() -> Self {
        Self {
            hidden: 256,
            attention: 128,
            dropout: 0.25,
            learning_rate: 3e-4,
            epochs: 100,
            patience: 15,
            batch: 4,
            max_tiles: 4096,
            validation_folds: 5,
            class_weights: ClassBalance::AsIs,
            penalties: vec![0.01, 0.1],
            seed: 0,
            compute: Compute::default(),
        }
    }
}

impl AbmilTrainer {
    /// Fits one head; `penalty` is AdamW's weight decay, usually 0.01.
    pub fn fit(&self, bags: &TrainBags, penalty: f64) -> Result<AbmilHead> {
        Ok(self.fit_logged(bags, penalty)?.0)
    }

    /// Fits one head and tells what training did.
    pub fn fit_logged(&self, bags: &TrainBags, penalty: f64) -> Result<(AbmilHead, TrainingLog)> {
        let plan = self.plan(penalty);
        plan.check("head abmil")?;
        if self.hidden == 0 || self.attention == 0 || self.max_tiles == 0 {
            return Err(Error::input(
                "head abmil, options hidden, attention and max_tiles",
                "at least 1 each",
                format!("{}, {} and {}", self.hidden, self.attention, self.max_tiles),
                "leave them out for the defaults",
            ));
        }
        let (labels, n_classes) = (bags.labels(), bags.classes().len());
        let present = (0..n_classes as u32).filter(|k| labels.contains(k)).count();
        if present < 2 || bags.dim() == 0 {
            return Err(Error::input(
                "training slides",
                "slides of at least two classes, and one feature",
                format!("{present} classes and {} features", bags.dim()),
                "check the labels, or use folds in which every class occurs",
            ));
        }
        // Every slide counts alike, however many tiles it has.
        let tiles = (0..bags.n_bags()).flat_map(|i| {
            let rows = bags.rows_of(i);
            let weight = 1.0 / rows.len() as f64;
            rows.map(move |row| (bags.row(row), weight))
        });
        let standard = Standardizer::fit(tiles, bags.dim());
        let items =
            Items::split(&labels, &bags.groups(), n_classes, self.validation_folds, self.seed)?;
        let mut targets = vec![0.0; labels.len() * n_classes];
        for (i, &label) in labels.iter().enumerate() {
            targets[i * n_classes + label as usize] = 1.0;
        }
        let own = vec![1.0; labels.len()];
        let data = AbmilData {
            bags,
            standard: &standard,
            n_classes,
            labels,
            weights: balanced_weights(&targets, &own, n_classes, self.class_weights),
            max_tiles: self.max_tiles,
            seed: self.seed,
        };
        let (layers, log) = train(&plan, &data, self.start(bags.dim(), n_classes), &items)?;
        let layers: [Array; N_LAYERS] = layers.try_into().map_err(|_| lost_layers())?;
        let parameters = BTreeMap::from([
            ("best_epoch".into(), log.best_epoch as f64),
            ("loss".into(), log.loss),
            ("penalty".into(), penalty),
            ("validated".into(), f64::from(u8::from(log.validated))),
        ]);
        Ok((AbmilHead { classes: bags.classes().to_vec(), standard, layers, parameters }, log))
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
        let (h, a) = (self.hidden, self.attention);
        vec![
            start(rng, "project.weight", dim, h),
            start_bias(rng, "project.bias", dim, h),
            start(rng, "tanh.weight", h, a),
            start_bias(rng, "tanh.bias", h, a),
            start(rng, "gate.weight", h, a),
            start_bias(rng, "gate.bias", h, a),
            start(rng, "attention.weight", a, 1),
            start(rng, "output.weight", h, n_classes),
            start_bias(rng, "output.bias", h, n_classes),
        ]
    }
}

impl SlideHeadTrainer for AbmilTrainer {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit_slides(&self, bags: &TrainBags, penalty: f64) -> Result<Box<dyn SlideHead>> {
        Ok(Box::new(self.fit(bags, penalty)?))
    }
}

impl AbmilHead {
    /// Makes a head again from what it was made of.
    pub fn from_record(record: &HeadRecord) -> Result<Self> {
        let standard = Standardizer::from_record(record)?;
        let of = |name, rows, cols| Array::from_record(record, name, rows, cols);
        let project = of("project.weight", Some(standard.dim()), None)?;
        let tanh = of("tanh.weight", Some(project.cols), None)?;
        let (h, a, k) = (Some(project.cols), Some(tanh.cols), Some(record.classes.len()));
        let layers = [
            project,
            of("project.bias", Some(1), h)?,
            tanh,
            of("tanh.bias", Some(1), a)?,
            of("gate.weight", h, a)?,
            of("gate.bias", Some(1), a)?,
            of("attention.weight", a, Some(1))?,
            of("output.weight", h, k)?,
            of("output.bias", Some(1), k)?,
        ];
        let (classes, parameters) = (record.classes.clone(), record.parameters.clone());
        Ok(Self { classes, standard, layers, parameters })
    }

    /// Class probabilities and the attention of each tile.
    fn forward(&self, bags: &Bags, bag: &Bag) -> (Vec<f64>, Vec<f64>) {
        let [w0, b0, v, bv, u, bu, w, c, bc] = &self.layers;
        let tile = |row: usize| {
            let x: Vec<f64> = self.standard.apply(bags.features().row(row)).collect();
            let mut hidden = affine(&x, w0, b0);
            relu(&mut hidden);
            let (tanh, gate) = (affine(&hidden, v, bv), affine(&hidden, u, bu));
            let gated: Vec<f64> =
                tanh.iter().zip(&gate).map(|(t, g)| t.tanh() * sigmoid(*g)).collect();
            let mut score = [0.0];
            w.add_product(&gated, &mut score);
            (hidden, score[0])
        };
        let tiles: Vec<(Vec<f64>, f64)> = bag.rows.clone().into_par_iter().map(tile).collect();
        let mut attention: Vec<f64> = tiles.iter().map(|(_, score)| *score).collect();
        softmax(&mut attention);
        let mut pooled = vec![0.0; w0.cols];
        for ((hidden, _), a) in tiles.iter().zip(&attention) {
            for (sum, h) in pooled.iter_mut().zip(hidden) {
                *sum += a * h;
            }
        }
        let mut scores = affine(&pooled, c, bc);
        softmax(&mut scores);
        (scores, attention)
    }

    fn check(&self, bags: &Bags) -> Result<()> {
        check_width(bags.n_bags(), bags.features().n_cols(), self.standard.dim())
    }
}

impl SlideHead for AbmilHead {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn predict(&self, bags: &Bags) -> Result<Probabilities> {
        self.check(bags)?;
        let rows = bags.bags().iter().flat_map(|bag| self.forward(bags, bag).0);
        Probabilities::new(self.classes.len(), rows.collect())
    }

    fn attention(&self, bags: &Bags) -> Result<Vec<Vec<f32>>> {
        self.check(bags)?;
        let of = |bag| self.forward(bags, bag).1.iter().map(|&a| a as f32).collect();
        Ok(bags.bags().iter().map(of).collect())
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
