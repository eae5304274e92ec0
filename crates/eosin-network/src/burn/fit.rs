// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::optim::{AdamW, AdamWConfig, SimpleOptimizer};
use ::burn::tensor::Tensor;
use ::burn::{Dispatch, DispatchDevice};
use eosin_burn::BurnDevice;
use eosin_core::{Error, Result};
use rand_chacha::ChaCha8Rng;

use super::tensors::{Tensor1, Tensor2, tensor, values};
use crate::dense::Array;
use crate::random::{Purpose, dropout_mask, generator, shuffled};
use crate::schedule::{Items, Plan, TrainingLog};

/// A network with its data: what differs between the things that are trained.
pub(crate) trait Objective {
    /// The sum of the items' weighted losses, on the device of `step`.
    fn loss(&self, parameters: &[Tensor2], items: &[usize], step: &mut Step) -> Tensor1;
    /// The weight of an item.
    fn weight(&self, item: usize) -> f64;
    /// Items whose loss is computed at once in validation: more than in a step of training, since
    /// nothing is kept for a backward pass.
    fn validation_batch(&self, batch: usize) -> usize {
        batch.saturating_mul(4)
    }
}

/// Where a loss is computed and, in training, what is dropped.
pub(crate) struct Step<'a> {
    pub device: &'a DispatchDevice,
    dropout: Option<(f64, &'a mut ChaCha8Rng)>,
    /// The pass over the items, for draws that change with it; `None` in validation.
    pub epoch: Option<u64>,
}

impl Step<'_> {
    /// Multiplies by a dropout mask in training.
    pub fn dropped(&mut self, x: Tensor2) -> Tensor2 {
        let [rows, cols] = x.dims();
        match &mut self.dropout {
            Some((p, rng)) if *p > 0.0 => {
                x.mul(tensor(dropout_mask(rng, rows * cols, *p), rows, cols, self.device))
            }
            _ => x,
        }
    }
}

type State = <AdamW as SimpleOptimizer<Dispatch>>::State<2>;

/// Minimises the mean loss of the training items by AdamW and returns the parameters of the pass
/// with the smallest mean loss on the validation items.
pub(crate) fn train(
    plan: &Plan,
    data: &impl Objective,
    parameters: Vec<Array>,
    items: &Items,
) -> Result<(Vec<Array>, TrainingLog)> {
    let opened = BurnDevice::open(&plan.compute.engine, plan.compute.device)?;
    let (plain, tracked) = (opened.device().clone(), opened.tracked().device().clone());
    let optimizer =
        |decay: f64| AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay as f32).build();
    let (decaying, other) = (optimizer(plan.weight_decay), optimizer(0.0));
    let mut current: Vec<Tensor2> =
        parameters.iter().map(|a| tensor(a.values.clone(), a.rows, a.cols, &plain)).collect();
    let mut states: Vec<Option<State>> = parameters.iter().map(|_| None).collect();
    let mut dropout = generator(Purpose::Dropout, [plan.seed, 0, 0]);
    let mut best: Option<(f64, usize, Vec<Tensor2>)> = None;
    let (mut epochs, mut last) = (0, f64::NAN);

    for epoch in 0..plan.epochs {
        epochs = epoch + 1;
        let mut shuffle = generator(Purpose::Shuffle, [plan.seed, epoch as u64, 0]);
        let mut total = 0.0;
        for batch in shuffled(&mut shuffle, &items.train).chunks(plan.batch) {
            let leaves: Vec<Tensor2> =
                current.iter().map(|p| Tensor::from_inner(p.clone()).require_grad()).collect();
            let mut step = Step {
                device: &tracked,
                dropout: Some((plan.dropout, &mut dropout)),
                epoch: Some(epoch as u64),
            };
            let loss = data.loss(&leaves, batch, &mut step).div_scalar(batch.len() as f64);
            let gradients = loss.backward();
            total += f64::from(values(loss)?[0]) * batch.len() as f64;
            for (i, leaf) in leaves.into_iter().enumerate() {
                // A parameter that no item of the batch touches has no gradient.
                let Some(gradient) = leaf.grad(&gradients) else { continue };
                let optimizer = if parameters[i].decays() { &decaying } else { &other };
                let (moved, state) = SimpleOptimizer::<Dispatch>::step(
                    optimizer,
                    plan.learning_rate,
                    current[i].clone(),
                    gradient,
                    states[i].take(),
                );
                (current[i], states[i]) = (moved, state);
            }
        }
        last = total / items.train.len() as f64;
        if !last.is_finite() {
            return Err(Error::input(
                "training of a network",
                "a loss that stays finite",
                format!("{last} in pass {epochs}"),
                "use a smaller learning rate",
            ));
        }
        if items.validation.is_empty() {
            continue;
        }
        let loss = validate(plan, data, &current, items, &plain)?;
        if best.as_ref().is_none_or(|(least, _, _)| loss < *least) {
            best = Some((loss, epochs, current.clone()));
        } else if best.as_ref().is_some_and(|(_, at, _)| epochs - at >= plan.patience) {
            break;
        }
    }
    let log = |best_epoch, loss, validated| TrainingLog { epochs, best_epoch, loss, validated };
    let (found, log) = match best {
        Some((loss, at, found)) => (found, log(at, loss, true)),
        None => (current, log(epochs, last, false)),
    };
    let arrays = parameters
        .into_iter()
        .zip(found)
        .map(|(a, found)| Ok(Array { values: values(found)?, ..a }))
        .collect::<Result<_>>()?;
    Ok((arrays, log))
}

fn validate(
    plan: &Plan,
    data: &impl Objective,
    parameters: &[Tensor2],
    items: &Items,
    device: &DispatchDevice,
) -> Result<f64> {
    let (mut total, mut weight) = (0.0, 0.0);
    for batch in items.validation.chunks(data.validation_batch(plan.batch)) {
        let mut step = Step { device, dropout: None, epoch: None };
        total += f64::from(values(data.loss(parameters, batch, &mut step))?[0]);
        weight += batch.iter().map(|&item| data.weight(item)).sum::<f64>();
    }
    Ok(total / weight)
}
