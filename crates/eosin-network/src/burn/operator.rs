// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::tensor::activation::relu;

use super::fit::{Objective, Step};
use super::tensors::{Tensor1, Tensor2, tensor};
use crate::operator::OperatorData;

impl Objective for OperatorData {
    /// Parameters: embedding and bias, gain and bias, shift, output, direct path and bias.
    fn loss(&self, parameters: &[Tensor2], items: &[usize], step: &mut Step) -> Tensor1 {
        let [a, ba, g, bg, e, w, d, bd] = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| parameters[i].clone());
        let n = items.len();
        let gather = |source: &[f32], width: usize, row: &dyn Fn(usize) -> usize| {
            let mut values = Vec::with_capacity(n * width);
            for &item in items {
                values.extend_from_slice(&source[row(item) * width..(row(item) + 1) * width]);
            }
            tensor(values, n, width, step.device)
        };
        let x = gather(&self.features, self.dim, &|item| self.tiles[item]);
        let condition = gather(&self.conditions, self.n_conditions, &|item| item);
        let delta = gather(&self.deltas, self.dim, &|item| item);
        let gain = condition.clone().matmul(g) + bg;
        let shift = condition.clone().matmul(e);
        let hidden = step.dropped(relu((x.matmul(a) + ba) * gain + shift));
        let found = hidden.matmul(w) + condition.matmul(d) + bd;
        (found - delta).square().sum().div_scalar(self.dim as f64)
    }

    fn weight(&self, _item: usize) -> f64 {
        1.0
    }
}
