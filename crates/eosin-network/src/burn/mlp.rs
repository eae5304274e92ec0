// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::tensor::activation::relu;

use super::fit::{Objective, Step};
use super::tensors::{Tensor1, Tensor2, cross_entropy, tensor};
use crate::mlp::MlpData;

impl Objective for MlpData {
    /// Parameters: weights and bias of the hidden layer, weights and bias of the output.
    fn loss(&self, parameters: &[Tensor2], items: &[usize], step: &mut Step) -> Tensor1 {
        let [w1, b1, w2, b2] = [0, 1, 2, 3].map(|i| parameters[i].clone());
        let mut rows = Vec::with_capacity(items.len() * self.dim);
        let mut targets = Vec::with_capacity(items.len() * self.n_classes);
        for &i in items {
            rows.extend_from_slice(&self.features[i * self.dim..(i + 1) * self.dim]);
            let target = &self.targets[i * self.n_classes..(i + 1) * self.n_classes];
            targets.extend(target.iter().map(|t| t * self.weights[i] as f32));
        }
        let x = tensor(rows, items.len(), self.dim, step.device);
        let targets = tensor(targets, items.len(), self.n_classes, step.device);
        let hidden = step.dropped(relu(x.matmul(w1) + b1));
        cross_entropy(hidden.matmul(w2) + b2, targets)
    }

    fn weight(&self, item: usize) -> f64 {
        self.weights[item]
    }
}
