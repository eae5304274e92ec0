// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::tensor::Tensor;
use ::burn::tensor::activation::{relu, sigmoid, softmax};
use rand::seq::index;

use super::fit::{Objective, Step};
use super::tensors::{Tensor1, Tensor2, cross_entropy, tensor};
use crate::abmil::AbmilData;
use crate::random::{Purpose, generator};

impl Objective for AbmilData<'_> {
    /// Parameters: projection and bias, tanh branch and bias, gate and bias, attention, output
    /// and bias.
    fn loss(&self, parameters: &[Tensor2], items: &[usize], step: &mut Step) -> Tensor1 {
        let [w0, b0, v, bv, u, bu, w, c, bc] =
            [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|i| parameters[i].clone());
        let mut values = Vec::new();
        let mut ends = Vec::with_capacity(items.len());
        let mut targets = vec![0.0; items.len() * self.n_classes];
        let mut n_tiles = 0;
        for (at, &item) in items.iter().enumerate() {
            for row in self.tiles(item, step.epoch) {
                values.extend(self.standard.apply(self.bags.row(row)).map(|x| x as f32));
                n_tiles += 1;
            }
            ends.push(n_tiles);
            targets[at * self.n_classes + self.labels[item] as usize] = self.weights[item] as f32;
        }
        let x = tensor(values, n_tiles, self.standard.dim(), step.device);
        let targets = tensor(targets, items.len(), self.n_classes, step.device);
        // One product for the tiles of all bags; only the softmax is a bag's own.
        let hidden = step.dropped(relu(x.matmul(w0) + b0));
        let gated = (hidden.clone().matmul(v) + bv).tanh() * sigmoid(hidden.clone().matmul(u) + bu);
        let scores = gated.matmul(w);
        let mut start = 0;
        let mut pooled = Vec::with_capacity(ends.len());
        for end in ends {
            let attention = softmax(scores.clone().slice([start..end, 0..1]), 0);
            let tiles = hidden.clone().narrow(0, start, end - start);
            pooled.push(attention.transpose().matmul(tiles));
            start = end;
        }
        cross_entropy(Tensor::cat(pooled, 0).matmul(c) + bc, targets)
    }

    fn weight(&self, item: usize) -> f64 {
        self.weights[item]
    }

    /// One slide, all of whose tiles are seen: memory is that of the largest.
    fn validation_batch(&self, _batch: usize) -> usize {
        1
    }
}

impl AbmilData<'_> {
    /// Rows of a bag: all of them, or in training a part that is drawn anew for each pass.
    fn tiles(&self, item: usize, epoch: Option<u64>) -> Vec<usize> {
        let rows = self.bags.rows_of(item);
        match epoch {
            Some(epoch) if rows.len() > self.max_tiles => {
                let mut rng = generator(Purpose::Tiles, [self.seed, epoch, item as u64]);
                let mut drawn = index::sample(&mut rng, rows.len(), self.max_tiles).into_vec();
                drawn.sort_unstable();
                drawn.into_iter().map(|i| rows.start + i).collect()
            }
            _ => rows.collect(),
        }
    }
}
