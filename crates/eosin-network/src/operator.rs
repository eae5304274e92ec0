// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{
    Draw, Error, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView,
};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::burn::train;
use crate::compute::Compute;
use crate::dense::{Array, affine, relu};
use crate::mlp::lost_layers;
use crate::random::{Purpose, generator, start, start_bias};
use crate::schedule::{Items, Plan, TrainingLog};
use crate::standardize::Standardizer;

const KIND: &str = "learned-operator";
const N_LAYERS: usize = 8;

/// Kind `learned-operator`: a network g that predicts the embedding of a transformed tile from the
/// tile's embedding and the transform's parameters, as HistAug does, without any image. A bank that
/// does not tell the parameters of its views is taken to make view v of every tile alike.
///
/// g(x, c) = x + W ReLU((A x + a) ⊙ (G c + g) + E c) + D c + d on standardised x and c: features
/// are modulated by the condition (Perez et al. 2018), and the last layers start at 0, so that
/// training starts at the identity. It minimises ‖f(Tx) − g(f(x), T)‖² on the view bank.
///
/// Of the training groups a quarter is held out to measure skill and another part to stop early;
/// the network that was measured is the one that is used. Where its held-out skill is not above 0
/// it is refused: rows stay as they are, and [`FittedTransform::notes`] says why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearnedOperator {
    /// Units of the hidden layer.
    pub hidden: usize,
    /// Share of hidden units that are left out in each step.
    pub dropout: f64,
    /// Step size of AdamW.
    pub learning_rate: f64,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f64,
    /// Passes over the views at most.
    pub epochs: usize,
    /// Passes without a better validation loss after which training ends.
    pub patience: usize,
    /// Views per step.
    pub batch: usize,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
    /// Seed of starting weights, order and dropout.
    pub seed: u64,
    /// Where it is trained.
    pub compute: Compute,
}

/// What the operator reaches on views of groups that it was not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorSkill {
    /// 1 − Σ‖f(Tx) − g(f(x), T)‖² / Σ‖f(Tx) − f(x)‖²; the identity has 0, perfection 1.
    pub skill: f64,
    /// Skill for each view of the bank; NaN for a view that changes nothing.
    pub by_view: Vec<f64>,
    /// Mean cosine of g(f(x), T) and f(Tx).
    pub cosine: f64,
    /// Mean cosine of f(x) and f(Tx), which the identity reaches.
    pub identity_cosine: f64,
    /// Views that were held out.
    pub n_held_out: usize,
}

/// A fitted [`LearnedOperator`].
#[derive(Clone, Debug)]
pub struct FittedOperator {
    n_rows: usize,
    copies: usize,
    network: Network,
    /// Conditions of the training views, from which those of new rows are drawn.
    drawn_from: Matrix,
    skill: OperatorSkill,
    log: TrainingLog,
}

/// Pairs of a tile and one of its views.
pub(crate) struct OperatorData {
    pub dim: usize,
    pub n_conditions: usize,
    /// Standardised embeddings, one row per tile.
    pub features: Vec<f32>,
    /// Standardised conditions, one row per pair.
    pub conditions: Vec<f32>,
    /// f(Tx) − f(x) in units of its root mean square, one row per pair.
    pub deltas: Vec<f32>,
    /// The tile of each pair.
    pub tiles: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Network {
    features: Standardizer,
    conditions: Standardizer,
    /// Root mean square of f(Tx) − f(x) in the fitted views.
    unit: f64,
    layers: [Array; N_LAYERS],
}

impl Default for LearnedOperator {
    fn default() -> Self {
        Self {
            hidden: 256,
            dropout: 0.1,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            epochs: 60,
            patience: 6,
            batch: 128,
            copies: 4,
            seed: 0,
            compute: Compute::default(),
        }
    }
}

impl LearnedOperator {
    /// Trains and measures the operator.
    pub fn fit_operator(&self, view: &TrainView) -> Result<FittedOperator> {
        let plan = self.plan();
        plan.check("augment learned-operator")?;
        let pairs = Pairs::new(view)?;
        let parts = Parts::of(&view.groups())?;
        let network = Network::untrained(&pairs, &parts, self)?;
        let (data, items) = pairs.data(&network, &parts);
        let (layers, log) = train(&plan, &data, network.layers.to_vec(), &items)?;
        let layers = layers.try_into().map_err(|_| lost_layers())?;
        let network = Network { layers, ..network };
        Ok(FittedOperator {
            n_rows: view.n_rows(),
            copies: self.copies,
            skill: pairs.skill(&network, &parts.held_out),
            drawn_from: pairs.conditions,
            network,
            log,
        })
    }

    fn plan(&self) -> Plan {
        Plan {
            compute: self.compute.clone(),
            seed: self.seed,
            epochs: self.epochs,
            patience: self.patience,
            batch: self.batch,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            dropout: self.dropout,
        }
    }
}

impl FeatureTransform for LearnedOperator {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        Ok(Box::new(self.fit_operator(train)?))
    }
}

impl FittedOperator {
    /// What it reaches on held-out views.
    pub fn skill(&self) -> &OperatorSkill {
        &self.skill
    }

    /// What training did.
    pub fn log(&self) -> TrainingLog {
        self.log
    }

    /// Why it changes nothing, where it does not.
    pub fn refusal(&self) -> Option<String> {
        let OperatorSkill { skill, n_held_out, .. } = self.skill;
        // NaN, of a bank whose views change nothing, is no skill either.
        let skilled = skill > 0.0;
        (!skilled).then(|| {
            format!(
                "augment {KIND} leaves rows as they are: on {n_held_out} held-out views its skill \
                 is {skill:.3}, no better than no change"
            )
        })
    }

    /// g(x, c) of one embedding under the given parameters of a view.
    pub fn transformed(&self, embedding: &[f32], condition: &[f32]) -> Result<Vec<f32>> {
        let (dim, p) = (self.network.features.dim(), self.network.conditions.dim());
        if embedding.len() == dim && condition.len() == p {
            return Ok(self.network.apply(embedding, condition));
        }
        Err(Error::input(
            "learned operator",
            format!("{dim} values and {p} parameters"),
            format!("{} and {}", embedding.len(), condition.len()),
            "use the embeddings and parameters that it was fitted on",
        ))
    }
}

impl FittedTransform for FittedOperator {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        let dim = self.network.features.dim();
        let known = batch.parents().iter().all(|&p| (p as usize) < self.n_rows);
        if batch.features().n_cols() != dim || !known {
            return Err(Error::input(
                format!("batch for augment {KIND}"),
                format!("rows of {dim} values that stem from the {} fitted on", self.n_rows),
                format!("rows of {} values", batch.features().n_cols()),
                "fit the transform on the same training rows as the head",
            ));
        }
        if self.refusal().is_some() {
            return Ok(batch.clone());
        }
        let n = batch.n_rows();
        let sources: Vec<usize> = (0..self.copies.max(1)).flat_map(|_| 0..n).collect();
        let mut values = vec![0.0; sources.len() * dim];
        values.par_chunks_mut(dim.max(1)).enumerate().for_each(|(row, new)| {
            let mut rng = generator(Purpose::Apply, [draw.seed, draw.fold, draw.epoch]);
            rng.set_stream(row as u64);
            let condition = self.drawn_from.row(rng.random_range(0..self.drawn_from.n_rows()));
            let x = batch.features().row(sources[row]);
            new.copy_from_slice(&self.network.apply(x, condition));
        });
        let moved = Matrix::new(sources.len(), dim, values)?;
        if self.copies == 0 {
            return batch.derive(moved, &sources, batch.weights().to_vec());
        }
        // A row and its copies share the row's weight.
        let share = 1.0 / (self.copies as f32 + 1.0);
        let weights: Vec<f32> = batch.weights().iter().map(|w| w * share).collect();
        let new_rows = batch.derive(moved, &sources, weights.repeat(self.copies))?;
        batch.clone().with_weights(weights)?.concat(&new_rows)
    }

    fn notes(&self) -> Vec<String> {
        let OperatorSkill { skill, cosine, identity_cosine, n_held_out, .. } = self.skill;
        vec![self.refusal().unwrap_or_else(|| {
            format!(
                "augment {KIND}: skill {skill:.3} and cosine {cosine:.4} (no change: \
                 {identity_cosine:.4}) on {n_held_out} held-out views"
            )
        })]
    }
}

/// The training tiles and all their views.
struct Pairs {
    dim: usize,
    n_views: usize,
    features: Matrix,
    /// f(Tx), one row per tile and view.
    seen: Matrix,
    /// One row per tile and view.
    conditions: Matrix,
}

/// Positions of tiles by what they are for.
struct Parts {
    fitted: Vec<usize>,
    validation: Vec<usize>,
    held_out: Vec<usize>,
}

impl Parts {
    /// Groups in order: each fourth is held out, and of the rest each fifth stops early.
    fn of(groups: &[u32]) -> Result<Self> {
        let mut names = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        if names.len() < 4 {
            return Err(Error::input(
                "training rows for augment learned-operator",
                "at least 4 groups",
                names.len().to_string(),
                "give tiles of more slides or patients",
            ));
        }
        let mut parts = Self { fitted: Vec::new(), validation: Vec::new(), held_out: Vec::new() };
        for (i, &group) in groups.iter().enumerate() {
            let at = names.partition_point(|&name| name < group);
            let part = match (at % 4, at / 4 % 2) {
                (3, _) => &mut parts.held_out,
                // One group of every eight, which is a sixth of those that are not held out.
                (2, 0) => &mut parts.validation,
                _ => &mut parts.fitted,
            };
            part.push(i);
        }
        Ok(parts)
    }
}

impl Pairs {
    fn new(view: &TrainView) -> Result<Self> {
        let no_bank = || {
            Error::input(
                "view bank of the training rows",
                "embeddings of augmented views beside those of the tiles",
                "none",
                "make one with `eosin embed --views 8`, or leave out the augmentations that read it",
            )
        };
        let n_views = view.bank().ok_or_else(no_bank)?.n_views();
        let (dim, n) = (view.dim(), view.n_rows());
        let mut seen = Vec::with_capacity(n * n_views * dim);
        let mut told = Vec::new();
        for i in 0..n {
            for v in 0..n_views {
                seen.extend_from_slice(view.bank_row(i, v).ok_or_else(no_bank)?);
                // Which view it is says all where a view is one transform for every tile.
                match view.bank_parameters(i, v) {
                    Some(parameters) => told.extend_from_slice(parameters),
                    None => told.extend((0..n_views).map(|k| if k == v { 1.0 } else { 0.0 })),
                }
            }
        }
        let n_conditions = view.bank_parameters(0, 0).map_or(n_views, <[f32]>::len);
        Ok(Self {
            dim,
            n_views,
            features: view.features(),
            seen: Matrix::new(n * n_views, dim, seen)?,
            conditions: Matrix::new(n * n_views, n_conditions, told)?,
        })
    }

    /// Rows of all views of the tiles.
    fn of<'a>(&'a self, tiles: &'a [usize]) -> impl Iterator<Item = usize> + Clone + 'a {
        tiles.iter().flat_map(move |&tile| (0..self.n_views).map(move |v| tile * self.n_views + v))
    }

    fn data(&self, network: &Network, parts: &Parts) -> (OperatorData, Items) {
        let tile_of = |pair: usize| pair / self.n_views;
        let features = self.features.rows().flat_map(|row| network.features.apply(row));
        let conditions = self.conditions.rows().flat_map(|row| network.conditions.apply(row));
        let deltas = (0..self.seen.n_rows()).flat_map(|pair| {
            let x = self.features.row(tile_of(pair));
            self.seen.row(pair).iter().zip(x).map(|(t, x)| (t - x) / network.unit as f32)
        });
        let data = OperatorData {
            dim: self.dim,
            n_conditions: self.conditions.n_cols(),
            features: features.map(|v| v as f32).collect(),
            conditions: conditions.map(|v| v as f32).collect(),
            deltas: deltas.collect(),
            tiles: (0..self.seen.n_rows()).map(tile_of).collect(),
        };
        let items = Items {
            train: self.of(&parts.fitted).collect(),
            validation: self.of(&parts.validation).collect(),
        };
        (data, items)
    }

    fn skill(&self, network: &Network, held_out: &[usize]) -> OperatorSkill {
        let pairs: Vec<usize> = self.of(held_out).collect();
        let scores: Vec<[f64; 4]> = pairs
            .par_iter()
            .map(|&pair| {
                let x = self.features.row(pair / self.n_views);
                let seen = self.seen.row(pair);
                let found = network.apply(x, self.conditions.row(pair));
                [distance(&found, seen), distance(x, seen), cosine(&found, seen), cosine(x, seen)]
            })
            .collect();
        let sum = |column: usize, view: Option<usize>| -> f64 {
            let of_view = |&(pair, _): &(&usize, &[f64; 4])| {
                view.is_none_or(|view| *pair % self.n_views == view)
            };
            pairs.iter().zip(&scores).filter(of_view).map(|(_, s)| s[column]).sum()
        };
        let n = pairs.len() as f64;
        OperatorSkill {
            skill: 1.0 - sum(0, None) / sum(1, None),
            by_view: (0..self.n_views)
                .map(|view| match sum(1, Some(view)) {
                    0.0 => f64::NAN,
                    change => 1.0 - sum(0, Some(view)) / change,
                })
                .collect(),
            cosine: sum(2, None) / n,
            identity_cosine: sum(3, None) / n,
            n_held_out: pairs.len(),
        }
    }
}

impl Network {
    fn untrained(pairs: &Pairs, parts: &Parts, options: &LearnedOperator) -> Result<Self> {
        if options.hidden == 0 {
            return Err(Error::input(
                "augment learned-operator, option hidden",
                "at least 1",
                "0",
                "leave it out for the default",
            ));
        }
        let fitted = parts.fitted.iter().map(|&tile| (pairs.features.row(tile), 1.0));
        let told = pairs.of(&parts.fitted).map(|pair| (pairs.conditions.row(pair), 1.0));
        let (d, p, h) = (pairs.dim, pairs.conditions.n_cols(), options.hidden);
        let squares: f64 = pairs
            .of(&parts.fitted)
            .map(|pair| distance(pairs.seen.row(pair), pairs.features.row(pair / pairs.n_views)))
            .sum();
        let n_values = (parts.fitted.len() * pairs.n_views * d).max(1) as f64;
        let rng = &mut generator(Purpose::Start, [options.seed, 0, 0]);
        let zeros = |name, rows, cols| Array::new(name, rows, cols, vec![0.0; rows * cols]);
        Ok(Self {
            features: Standardizer::fit(fitted, d),
            conditions: Standardizer::fit(told, p),
            // Views that change nothing leave nothing to learn, and any unit will do.
            unit: if squares > 0.0 { (squares / n_values).sqrt() } else { 1.0 },
            layers: [
                start(rng, "embedding.weight", d, h),
                start_bias(rng, "embedding.bias", d, h),
                start(rng, "gain.weight", p, h),
                Array::new("gain.bias", 1, h, vec![1.0; h]),
                start(rng, "shift.weight", p, h),
                zeros("output.weight", h, d),
                zeros("direct.weight", p, d),
                zeros("direct.bias", 1, d),
            ],
        })
    }

    fn apply(&self, x: &[f32], condition: &[f32]) -> Vec<f32> {
        let [a, ba, g, bg, e, w, d, bd] = &self.layers;
        let standard: Vec<f64> = self.features.apply(x).collect();
        let condition: Vec<f64> = self.conditions.apply(condition).collect();
        let mut hidden = affine(&standard, a, ba);
        for (h, gain) in hidden.iter_mut().zip(affine(&condition, g, bg)) {
            *h *= gain;
        }
        e.add_product(&condition, &mut hidden);
        relu(&mut hidden);
        let mut change = affine(&condition, d, bd);
        w.add_product(&hidden, &mut change);
        x.iter().zip(change).map(|(&x, c)| (f64::from(x) + self.unit * c) as f32).collect()
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}
