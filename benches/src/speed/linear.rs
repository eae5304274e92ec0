// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin::crates::core::Matrix;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// A softmax regression on raw embeddings, minimised step by step by Adam (Kingma and Ba 2015),
/// from zero.
pub struct LinearHead {
    dim: usize,
    n_classes: usize,
    rate: f32,
    /// Classes × (features, then the bias).
    weights: Vec<f32>,
    moments: Vec<[f32; 2]>,
    n_steps: i32,
}

impl LinearHead {
    pub fn new(dim: usize, n_classes: usize, rate: f64) -> Self {
        let n = n_classes * (dim + 1);
        Self {
            dim,
            n_classes,
            rate: rate as f32,
            weights: vec![0.0; n],
            moments: vec![[0.0; 2]; n],
            n_steps: 0,
        }
    }

    /// One step on the mean weighted cross-entropy of a batch.
    pub fn step(&mut self, rows: &Matrix, labels: &[u32], class_weights: &[f32]) {
        let mut gradient = vec![0.0; self.weights.len()];
        let n = rows.n_rows() as f32;
        for (row, &label) in rows.rows().zip(labels) {
            let weight = class_weights[label as usize] / n;
            for (class, p) in self.probabilities(row).into_iter().enumerate() {
                let target = if class == label as usize { 1.0 } else { 0.0 };
                let slope = weight * (p - target);
                let (own, bias) = self.range(class);
                for (g, x) in gradient[own].iter_mut().zip(row) {
                    *g += slope * x;
                }
                gradient[bias] += slope;
            }
        }
        self.n_steps += 1;
        let rate =
            self.rate * (1.0 - BETA2.powi(self.n_steps)).sqrt() / (1.0 - BETA1.powi(self.n_steps));
        for ((w, [m, v]), g) in self.weights.iter_mut().zip(&mut self.moments).zip(gradient) {
            *m += (1.0 - BETA1) * (g - *m);
            *v += (1.0 - BETA2) * (g * g - *v);
            *w -= rate * *m / (v.sqrt() + EPSILON);
        }
    }

    /// The most probable class of each row.
    pub fn predict(&self, rows: &Matrix) -> Vec<u32> {
        let called = |row: &[f32]| {
            let best = |best: (u32, f32), (k, p)| if p > best.1 { (k, p) } else { best };
            (0_u32..).zip(self.probabilities(row)).fold((0, -1.0), best).0
        };
        rows.rows().map(called).collect()
    }

    fn probabilities(&self, row: &[f32]) -> Vec<f32> {
        let score = |class| {
            let (own, bias) = self.range(class);
            let sum: f32 = self.weights[own].iter().zip(row).map(|(w, x)| w * x).sum();
            sum + self.weights[bias]
        };
        let scores: Vec<f32> = (0..self.n_classes).map(score).collect();
        let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = scores.iter().map(|s| (s - most).exp()).collect();
        let total: f32 = powers.iter().sum();
        powers.iter().map(|p| p / total).collect()
    }

    /// Where a class's weights and its bias lie.
    fn range(&self, class: usize) -> (std::ops::Range<usize>, usize) {
        let from = class * (self.dim + 1);
        (from..from + self.dim, from + self.dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_part_two_classes() {
        let rows: Vec<[f32; 2]> =
            (0..40).map(|i| [(i % 2) as f32, (i * 7 % 10) as f32 / 10.0]).collect();
        let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
        let rows = Matrix::from_rows(&rows).unwrap();
        let mut head = LinearHead::new(2, 2, 0.1);
        assert_eq!(head.predict(&rows), vec![0; 40], "before the first step");
        for _ in 0..50 {
            head.step(&rows, &labels, &[1.0, 1.0]);
        }
        assert_eq!(head.predict(&rows), labels);
    }
}
