// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::ControlFlow;

use burn::Dispatch;
use burn::optim::{AdamW, AdamWConfig, SimpleOptimizer};
use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::backend::AutodiffBackend;
use eosin_core::{Card, Error, Probabilities, Result};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::layers::{LinearLayer, Tensor2, Tensor4, input, parameters, tensor, values};
use super::parameters::{Parameters, Visitor};
use super::{ConvNext, DenseNet, EfficientNet, ResNet, Swin, Vit};
use crate::{FineTuneEpoch, FineTuneOptions, FineTuneSet};
use eosin_backbone::Layers;
use eosin_backbone::native::Linear;
use eosin_burn::BurnDevice;

type EachEpoch<'a> = &'a mut dyn FnMut(&FineTuneEpoch) -> ControlFlow<()>;
type State = <AdamW as SimpleOptimizer<Dispatch>>::State<1>;

/// A network up to its embedding.
trait Trunk: Parameters {
    fn embed(&self, x: Tensor4) -> Tensor2;
}

macro_rules! trunk {
    ($($network:ty),+) => { $(
        impl Trunk for $network {
            fn embed(&self, x: Tensor4) -> Tensor2 {
                <$network>::embed(self, x)
            }
        }
    )+ };
}
trunk!(ConvNext, DenseNet, EfficientNet, ResNet, Swin, Vit);

/// Trains the layers; `crate::fine_tune` has checked everything else.
pub(crate) fn fine_tune(
    card: &Card,
    layers: Layers,
    projection: Option<Linear>,
    device: &BurnDevice,
    set: &FineTuneSet,
    options: &FineTuneOptions,
    each: EachEpoch,
) -> Result<()> {
    let device = device.tracked();
    let (px, mean, std) = (card.input_px as usize, card.mean, card.std);
    let run = Run { card, device: &device, set, options };
    let head = Classifier::new(projection, card.dim as usize, set.n_classes, &device);
    let on = device.clone();
    match layers {
        Layers::EfficientNet(w) => run.train(&mut EfficientNet::new(w, mean, std, on), head, each),
        Layers::ResNet(w) => run.train(&mut ResNet::new(w, mean, std, on), head, each),
        Layers::DenseNet(w) => run.train(&mut DenseNet::new(w, mean, std, on), head, each),
        Layers::ConvNext(w) => run.train(&mut ConvNext::new(w, mean, std, on), head, each),
        Layers::Swin(w) => run.train(&mut Swin::new(w, px, mean, std, on), head, each),
        Layers::Vit(w) => run.train(&mut Vit::new(w, mean, std, on), head, each),
    }
}

/// What a run does not change.
struct Run<'a> {
    card: &'a Card,
    device: &'a BurnDevice,
    set: &'a FineTuneSet<'a>,
    options: &'a FineTuneOptions,
}

impl Run<'_> {
    fn train(&self, trunk: &mut impl Trunk, head: Classifier, each: EachEpoch) -> Result<()> {
        let Self { set, options, .. } = self;
        let mut head = head;
        let mut trunk_steps = Optimizer::new(options.learning_rate, options.weight_decay);
        let mut head_steps = Optimizer::new(options.head_learning_rate, options.weight_decay);
        let weights = class_weights(set);
        for epoch in 1..=options.epochs {
            let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
            rng.set_stream(epoch as u64);
            let mut order = set.train.to_vec();
            order.shuffle(&mut rng);
            let mut total = 0.0;
            for batch in order.chunks(options.batch) {
                let posed: Vec<(usize, u8)> =
                    batch.iter().map(|&row| (row, rng.random_range(0..8))).collect();
                trunk.visit(&mut Track);
                head.visit(&mut Track);
                let logits = head.forward(trunk.embed(self.read(&posed)?));
                let loss = self.loss(logits, batch, &weights);
                let gradients = loss.backward();
                total += f64::from(values(loss)?[0]) * batch.len() as f64;
                trunk.visit(&mut trunk_steps.step(&gradients));
                head.visit(&mut head_steps.step(&gradients));
            }
            let loss = total / order.len() as f64;
            if !loss.is_finite() {
                return Err(Error::input(
                    "fine-tuning",
                    "a loss that stays finite",
                    format!("{loss} in pass {epoch}"),
                    "use a smaller learning rate",
                ));
            }
            let probabilities = self.score(trunk, &head)?;
            if each(&FineTuneEpoch { epoch, loss, probabilities }).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Mean weighted cross-entropy of a batch.
    fn loss(&self, logits: Tensor2, batch: &[usize], weights: &[f32]) -> Tensor<Dispatch, 1> {
        let n_classes = self.set.n_classes;
        let mut targets = vec![0.0; batch.len() * n_classes];
        for (target, &row) in targets.chunks_exact_mut(n_classes).zip(batch) {
            let class = self.set.labels[row] as usize;
            target[class] = weights[class];
        }
        let targets = tensor(targets, [batch.len(), n_classes], self.device);
        log_softmax(logits, 1).mul(targets).sum().neg().div_scalar(batch.len() as f64)
    }

    /// Probabilities of the validation tiles. After a step no parameter is tracked, so that nothing
    /// is kept for a backward pass.
    fn score(&self, trunk: &impl Trunk, head: &Classifier) -> Result<Probabilities> {
        let mut found = Vec::new();
        for batch in self.set.validation.chunks(self.options.batch) {
            let plain: Vec<(usize, u8)> = batch.iter().map(|&row| (row, 0)).collect();
            let logits = head.forward(trunk.embed(self.read(&plain)?));
            found.extend(values(softmax(logits, 1))?.into_iter().map(f64::from));
        }
        Probabilities::new(self.set.n_classes, found)
    }

    /// Reads tiles in their poses and brings them to the device.
    fn read(&self, posed: &[(usize, u8)]) -> Result<Tensor4> {
        let Card { input_px, mean, std, .. } = self.card;
        let px = *input_px as usize;
        let tiles: Vec<Vec<u8>> = posed
            .par_iter()
            .map(|&(row, pose)| {
                let image = (self.set.read)(row)?;
                if (image.width(), image.height()) != (*input_px, *input_px) {
                    return Err(Error::input(
                        format!("tile {row} for backbone {}", self.card.name),
                        format!("{px} × {px} px"),
                        format!("{} × {} px", image.width(), image.height()),
                        "resample the tiles to the card's input_px first",
                    ));
                }
                Ok(in_pose(image.data(), px, pose))
            })
            .collect::<Result<_>>()?;
        Ok(input(&tiles.concat(), posed.len(), px, *mean, *std, self.device))
    }
}

/// What stands after the embedding: CLIP's projection where the card has it, then class scores.
struct Classifier {
    projection: Option<LinearLayer>,
    scores: LinearLayer,
}

parameters!(Classifier: projection, scores);

impl Classifier {
    /// Scores start at zero, so that they need no random numbers.
    fn new(projection: Option<Linear>, dim: usize, n_classes: usize, device: &BurnDevice) -> Self {
        let (weight, bias) = (vec![0.0; dim * n_classes], vec![0.0; n_classes]);
        let scores = Linear { n_in: dim, n_out: n_classes, weight, bias };
        Self {
            projection: projection.map(|layer| LinearLayer::new(layer, device)),
            scores: LinearLayer::new(scores, device),
        }
    }

    fn forward(&self, embedding: Tensor2) -> Tensor2 {
        let mut x = embedding.unsqueeze::<3>();
        if let Some(projection) = &self.projection {
            x = projection.forward(x);
        }
        let x = self.scores.forward(x);
        let [_, n, n_classes] = x.dims();
        x.reshape([n, n_classes])
    }
}

/// Makes every parameter the start of a new graph.
struct Track;

impl Visitor for Track {
    fn tensor<const D: usize>(&mut self, tensor: &mut Tensor<Dispatch, D>) {
        *tensor = Tensor::from_inner(tensor.clone().inner()).require_grad();
    }
}

/// AdamW over the parameters of a walk, with a state per parameter.
struct Optimizer {
    rate: f64,
    decaying: AdamW,
    other: AdamW,
    states: Vec<Option<State>>,
}

impl Optimizer {
    fn new(rate: f64, weight_decay: f64) -> Self {
        let with = |decay: f64| {
            AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay as f32).build()
        };
        Self { rate, decaying: with(weight_decay), other: with(0.0), states: Vec::new() }
    }

    fn step<'a>(&'a mut self, gradients: &'a Gradients) -> Step<'a> {
        Step { optimizer: self, gradients, at: 0 }
    }
}

type Gradients = <Dispatch as AutodiffBackend>::Gradients;

/// A step of the optimizer; leaves the parameters untracked.
struct Step<'a> {
    optimizer: &'a mut Optimizer,
    gradients: &'a Gradients,
    at: usize,
}

impl Visitor for Step<'_> {
    fn tensor<const D: usize>(&mut self, tensor: &mut Tensor<Dispatch, D>) {
        let Optimizer { rate, decaying, other, states } = &mut *self.optimizer;
        if states.len() == self.at {
            states.push(None);
        }
        let state = &mut states[self.at];
        self.at += 1;
        let (inner, gradient) = (tensor.clone().inner(), tensor.grad(self.gradients));
        let Some(gradient) = gradient else {
            *tensor = Tensor::from_inner(inner);
            return;
        };
        let shape = inner.dims();
        // Biases and norms have one side longer than 1, whatever their rank.
        let decays = shape.iter().filter(|&&side| side > 1).count() > 1;
        let optimizer = if decays { decaying } else { other };
        // AdamW looks at each number by itself, so one rank serves all.
        let (moved, next) = SimpleOptimizer::<Dispatch>::step(
            optimizer,
            *rate,
            inner.reshape([-1]),
            gradient.reshape([-1]),
            state.take(),
        );
        *state = next;
        *tensor = Tensor::from_inner(moved.reshape(shape));
    }
}

/// n / (classes · n_class) per class; 0 for a class without tiles.
fn class_weights(set: &FineTuneSet) -> Vec<f32> {
    let counts = set.class_counts();
    let present = counts.iter().filter(|&&count| count > 0).count() as f64;
    let weight = |&count: &usize| set.train.len() as f64 / (present * count as f64);
    counts.iter().map(|c| if *c == 0 { 0.0 } else { weight(c) as f32 }).collect()
}

/// One of the eight poses of a square image: mirrored from 4 on, then turned by quarters.
fn in_pose(pixels: &[u8], px: usize, pose: u8) -> Vec<u8> {
    let last = px - 1;
    let source = |x: usize, y: usize| {
        let (x, y) = match pose % 4 {
            0 => (x, y),
            1 => (y, last - x),
            2 => (last - x, last - y),
            _ => (last - y, x),
        };
        if pose >= 4 { (last - x, y) } else { (x, y) }
    };
    let mut out = Vec::with_capacity(pixels.len());
    for (y, x) in (0..px * px).map(|i| (i / px, i % px)) {
        let (x, y) = source(x, y);
        out.extend_from_slice(&pixels[(y * px + x) * 3..][..3]);
    }
    out
}

#[cfg(test)]
mod tests;
