// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::ControlFlow;

use eosin_core::{Card, Error, Probabilities, Result, RgbImage};

use eosin_backbone::arch::Tail;
use eosin_backbone::{LoadOptions, layers};
use eosin_burn::BurnDevice;

use crate::networks;

/// How a whole network is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct FineTuneOptions {
    /// Passes over the training tiles.
    pub epochs: usize,
    /// Tiles per step.
    pub batch: usize,
    /// Step size of AdamW for the network.
    pub learning_rate: f64,
    /// Step size for the linear layer after it, which starts from nothing.
    pub head_learning_rate: f64,
    /// Decoupled weight decay; biases and norms have none.
    pub weight_decay: f64,
    /// Seed of order and poses.
    pub seed: u64,
}

/// Labelled tiles and which of them are trained on.
#[derive(Clone, Copy)]
pub struct FineTuneSet<'a> {
    /// Reads a tile at the card's `input_px`; it is called anew in every pass, on many threads.
    pub read: &'a (dyn Fn(usize) -> Result<RgbImage> + Sync),
    /// The class of every tile.
    pub labels: &'a [u32],
    /// Number of classes.
    pub n_classes: usize,
    /// Tiles that are trained on.
    pub train: &'a [usize],
    /// Tiles that are scored after each pass.
    pub validation: &'a [usize],
}

/// What a pass over the training tiles came to.
#[derive(Clone, Debug, PartialEq)]
pub struct FineTuneEpoch {
    /// The pass, from 1.
    pub epoch: usize,
    /// Mean class-weighted cross-entropy of the training tiles during the pass.
    pub loss: f64,
    /// Of the validation tiles, in their order.
    pub probabilities: Probabilities,
}

impl Default for FineTuneOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch: 16,
            learning_rate: 1e-4,
            head_learning_rate: 1e-3,
            weight_decay: 0.01,
            seed: 0,
        }
    }
}

/// Trains a card's whole network from its weights on, with a linear layer after its embedding, and
/// tells after each pass how it scores the validation tiles.
///
/// It is the slow arm that frozen backbones are compared with: what was trained is not kept. AdamW
/// minimises the cross-entropy in which every class weighs alike; each training tile takes one of
/// the eight poses of a square, drawn anew in every pass, and validation tiles stay as they are.
/// Batch norms are folded into their convolutions, so their statistics stay those of the
/// pretraining while scale and shift move with the convolution's weights; Swin's position biases
/// stay too. The same seed gives the same result on the same engine and number of threads.
///
/// The engine is one of burn's; `auto` is `flex`. An interruption by `each_epoch` is no error.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use eosin_backbone::{LoadOptions, builtin_card};
/// use eosin_backbone_burn::{FineTuneOptions, FineTuneSet, fine_tune};
/// use eosin_core::RgbImage;
///
/// let card = builtin_card("efficientnet-lite0")?;
/// let read = |i: usize| Ok(RgbImage::filled(224, 224, [if i % 2 == 0 { 90 } else { 160 }; 3]));
/// let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
/// let (train, validation): (Vec<usize>, Vec<usize>) = (0..40).partition(|i| *i < 32);
/// let set = FineTuneSet {
///     read: &read,
///     labels: &labels,
///     n_classes: 2,
///     train: &train,
///     validation: &validation,
/// };
/// fine_tune(&card, &LoadOptions::default(), &set, &FineTuneOptions::default(), &mut |epoch| {
///     println!("pass {}: loss {:.3}", epoch.epoch, epoch.loss);
///     ControlFlow::Continue(())
/// })?;
/// # Ok::<(), eosin_core::Error>(())
/// ```
pub fn fine_tune(
    card: &Card,
    load: &LoadOptions,
    set: &FineTuneSet,
    options: &FineTuneOptions,
    each_epoch: &mut dyn FnMut(&FineTuneEpoch) -> ControlFlow<()>,
) -> Result<()> {
    options.check()?;
    set.check()?;
    let refused = |what: String, known: &[&str]| {
        Err(Error::unsupported(what, known, "choose engine `auto`, and a card in f32"))
    };
    if card.precision != "f32" {
        return refused(format!("training in precision `{}`", card.precision), &["f32"]);
    }
    let trains = ["auto", "flex", "cuda", "tch", "wgpu"];
    if !trains.contains(&load.engine.engine.as_str()) {
        return refused(format!("training on engine `{}`", load.engine.engine), &trains);
    }
    let engine = Some(load.engine.engine.as_str()).filter(|engine| *engine != "auto");
    let device = BurnDevice::open(engine.unwrap_or("flex"), load.engine.device)?;
    let (layers, tail) = layers(card, load.weights.as_deref())?;
    let projection = match tail {
        None => None,
        Some(Tail::Projection(layer)) => Some(layer),
        Some(Tail::Attention(_)) => {
            return refused("training a network with pooling `attention`".into(), &[]);
        }
    };
    networks::fine_tune(card, layers, projection, &device, set, options, each_epoch)
}

impl FineTuneOptions {
    fn check(&self) -> Result<()> {
        let fault = |option: &str, expected: &str, found: String| {
            Err(Error::input(
                format!("fine-tuning, option {option}"),
                expected,
                found,
                "leave it out for the default",
            ))
        };
        if self.epochs == 0 || self.batch == 0 {
            let found = format!("{} and {}", self.epochs, self.batch);
            return fault("epochs and batch", "at least 1 each", found);
        }
        for (name, rate) in
            [("learning_rate", self.learning_rate), ("head_learning_rate", self.head_learning_rate)]
        {
            if !(rate.is_finite() && rate > 0.0) {
                return fault(name, "a finite number above 0", rate.to_string());
            }
        }
        // AdamW shrinks weights by rate times decay at each step.
        let most = self.learning_rate.max(self.head_learning_rate);
        if !(self.weight_decay >= 0.0 && self.weight_decay * most < 1.0) {
            let expected = "0 or more, and below 1 over the learning rate";
            return fault("weight_decay", expected, self.weight_decay.to_string());
        }
        Ok(())
    }
}

impl FineTuneSet<'_> {
    fn check(&self) -> Result<()> {
        let n = self.labels.len();
        let rows = || self.train.iter().chain(self.validation);
        let is_sound = rows().all(|&row| row < n)
            && self.labels.iter().all(|&label| (label as usize) < self.n_classes);
        if !is_sound {
            return Err(Error::input(
                "tiles to fine-tune on",
                format!("tiles below {n} and labels below {}", self.n_classes),
                "a tile or a label beyond",
                "give a label per tile, and the number of classes",
            ));
        }
        let present = self.class_counts().iter().filter(|&&count| count > 0).count();
        if present < 2 || self.validation.is_empty() {
            return Err(Error::input(
                "tiles to fine-tune on",
                "training tiles of at least two classes, and validation tiles",
                format!("{present} classes, {} validation tiles", self.validation.len()),
                "check the labels and the split",
            ));
        }
        Ok(())
    }

    /// Training tiles of each class.
    pub(crate) fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.n_classes];
        for &row in self.train {
            counts[self.labels[row] as usize] += 1;
        }
        counts
    }
}
