// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Matrix;
use faer::Mat;

use super::design::Design;
use crate::kernels::{
    binary_curvatures, binary_residuals, class_residuals, hinge_curvatures, hinge_residuals,
    softmax_columns,
};
use crate::standardize::Standardizer;

/// Σ ωᵢ · loss(targetᵢ, xᵢW + b) over the rows of a design.
///
/// With two classes there is one column, the score of the second class.
pub(crate) struct Loss {
    kind: Kind,
    n_columns: usize,
    /// Column after column.
    targets: Vec<f32>,
    weights: Vec<f32>,
    /// Share of each column's class in the weight of all.
    shares: Vec<f64>,
    /// This loss's features, where they are not the design's own.
    affine: Option<Affine>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Cross-entropy of softmax(xW + b).
    Logistic,
    /// t·max(0, 1 − s)² + (1 − t)·max(0, 1 + s)² of one column's target t and score s.
    SquaredHinge,
}

/// Features (x − shift) / scale of the design's x: another standardisation of the same rows.
pub(crate) struct Affine {
    pub shift: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Affine {
    /// From features standardised by `from` to features standardised by `to`.
    pub fn between(from: &Standardizer, to: &Standardizer) -> Self {
        let scales = to.scale.iter().zip(&from.scale);
        let shifts = to.mean.iter().zip(&from.mean).zip(&from.scale);
        Self {
            shift: shifts.map(|((to, from), scale)| (to - from) / scale).collect(),
            scale: scales.map(|(to, from)| to / from).collect(),
        }
    }
}

impl Loss {
    /// Takes soft targets (rows × classes) and the classes that have weight, with that weight.
    pub fn new(
        targets: &Matrix,
        weights: &[f32],
        present: &[usize],
        class_weights: &[f64],
        affine: Option<Affine>,
    ) -> Self {
        let skipped = usize::from(present.len() == 2);
        let columns = &present[skipped..];
        let mut flat = Vec::with_capacity(targets.n_rows() * columns.len());
        for &class in columns {
            flat.extend(targets.rows().map(|t| t[class]));
        }
        let total: f64 = class_weights.iter().sum();
        let shares = class_weights[skipped..].iter().map(|w| w / total).collect();
        Self {
            kind: Kind::Logistic,
            n_columns: columns.len(),
            targets: flat,
            weights: weights.to_vec(),
            shares,
            affine,
        }
    }

    /// The squared hinge of one class, which has `share` of the weight, against the rest.
    pub fn squared_hinge(targets: &Matrix, weights: &[f32], class: usize, share: f64) -> Self {
        Self {
            kind: Kind::SquaredHinge,
            n_columns: 1,
            targets: targets.rows().map(|t| t[class]).collect(),
            weights: weights.to_vec(),
            shares: vec![share],
            affine: None,
        }
    }

    /// Columns of weights: 1 for two classes, otherwise one per class.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Whether columns may move together without changing a prediction, so that the optimum's
    /// columns sum to zero.
    pub fn has_gauge(&self) -> bool {
        self.n_columns > 1
    }

    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    pub fn total_weight(&self) -> f64 {
        self.weights.iter().copied().map(f64::from).sum()
    }

    /// The point of no features: zero weights, and the intercepts that are best then.
    pub fn null_point(&self, d: usize) -> Vec<f64> {
        let mut point = vec![0.0; self.n_columns * (d + 1)];
        let intercepts = &mut point[self.n_columns * d..];
        if self.kind == Kind::SquaredHinge {
            intercepts[0] = 2.0 * self.shares[0] - 1.0;
        } else if self.n_columns == 1 {
            intercepts[0] = (self.shares[0] / (1.0 - self.shares[0])).ln();
        } else {
            let logs: Vec<f64> = self.shares.iter().map(|s| s.ln()).collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            for (b, log) in intercepts.iter_mut().zip(&logs) {
                *b = log - mean;
            }
        }
        point
    }

    /// The sum of the rows' second derivatives by every column's score at the null point.
    pub fn null_curvatures(&self) -> Vec<f64> {
        let total = self.total_weight();
        match self.kind {
            Kind::Logistic => self.shares.iter().map(|s| total * s * (1.0 - s)).collect(),
            Kind::SquaredHinge => vec![2.0 * total],
        }
    }

    /// What the loss is at least, from the sums of second derivatives: a row's cross-entropy is
    /// −ln p ≥ 1 − p for its class, and Σ p(1 − p) over columns is at most twice that.
    pub fn floor(&self, curvatures: &[f64]) -> f64 {
        match self.kind {
            Kind::Logistic => 0.5 * curvatures.iter().sum::<f64>(),
            Kind::SquaredHinge => 0.0,
        }
    }

    /// The factors c of c·XᵀX + λI that precondition each column, from the sums of second
    /// derivatives at a point: Σ ω p(1 − p).
    ///
    /// They are below the mean second derivative there, since fitting makes predictions surer.
    /// With several columns the null model's Hessian is (diag(π) − ππᵀ) ⊗ XᵀX, whose inverse among
    /// columns that sum to zero is that of diag(π) ⊗ XᵀX followed by taking out the mean: a
    /// column's factor is larger by 1/(1 − π).
    pub fn factors(&self, curvatures: &[f64]) -> Vec<f64> {
        let total = self.total_weight();
        let of = |(&sum, share): (&f64, &f64)| {
            let mean = 0.6 * sum / total;
            let mean = mean.max(1e-4 * share * (1.0 - share));
            if self.n_columns == 1 { mean } else { mean / (1.0 - share) }
        };
        curvatures.iter().zip(&self.shares).map(of).collect()
    }

    /// Appends the weights and intercept of every column in terms of the design's features.
    pub fn push_point(&self, point: &[f64], d: usize, weights: &mut Vec<f64>, bias: &mut Vec<f64>) {
        let (own, intercepts) = point.split_at(self.n_columns * d);
        let Some(affine) = &self.affine else {
            weights.extend_from_slice(own);
            bias.extend_from_slice(intercepts);
            return;
        };
        for (column, b) in own.chunks_exact(d).zip(intercepts) {
            let start = weights.len();
            weights.extend(column.iter().zip(&affine.scale).map(|(w, s)| w / s));
            let shift: f64 = weights[start..].iter().zip(&affine.shift).map(|(v, a)| v * a).sum();
            bias.push(b - shift);
        }
    }

    /// The gradient in this loss's own terms, from that in terms of the design's features.
    pub fn own_gradient(&self, mut weights: Vec<f64>, intercepts: &[f64], d: usize) -> Vec<f64> {
        if let Some(affine) = &self.affine {
            for (column, b) in weights.chunks_exact_mut(d).zip(intercepts) {
                for ((g, shift), scale) in column.iter_mut().zip(&affine.shift).zip(&affine.scale) {
                    *g = (*g - shift * b) / scale;
                }
            }
        }
        weights.extend_from_slice(intercepts);
        weights
    }

    /// Turns the scores of rows `start..` into the loss's derivatives by them, ω(p − y), column
    /// after column, and adds the sum of second derivatives, Σ ω p(1 − p), of every column.
    pub fn residuals(
        &self,
        start: usize,
        n: usize,
        scores: &mut [f64],
        curvatures: &mut [f64],
        scratch: &mut Vec<f64>,
    ) {
        let weights = &self.weights[start..start + n];
        let total = self.weights.len();
        let targets = |k: usize| &self.targets[k * total + start..k * total + start + n];
        if self.kind == Kind::SquaredHinge {
            curvatures[0] += hinge_residuals(scores, weights, targets(0));
            return;
        }
        if self.n_columns == 1 {
            curvatures[0] += binary_residuals(scores, weights, targets(0));
            return;
        }
        softmax_columns(scores, n, scratch);
        for (k, (p, curvature)) in scores.chunks_exact_mut(n).zip(curvatures).enumerate() {
            *curvature += class_residuals(p, weights, targets(k));
        }
    }

    /// Turns the scores of rows `start..` into second derivatives, ω p(1 − p), column after column.
    pub fn curvature_rows(&self, start: usize, n: usize, scores: &mut [f64]) {
        let weights = &self.weights[start..start + n];
        if self.kind == Kind::SquaredHinge {
            hinge_curvatures(scores, weights, &self.targets[start..start + n]);
            return;
        }
        if self.n_columns == 1 {
            binary_curvatures(scores, weights);
            return;
        }
        softmax_columns(scores, n, &mut Vec::new());
        for column in scores.chunks_exact_mut(n) {
            for (p, &w) in column.iter_mut().zip(weights) {
                *p *= f64::from(w) * (1.0 - *p);
            }
        }
    }

    /// The second derivatives of `n` rows from `start` by the scores of columns a and b, with the
    /// rows' weights; scores are column after column.
    pub fn cross_curvatures(
        &self,
        start: usize,
        n: usize,
        scores: &[f64],
        a: usize,
        b: usize,
    ) -> Vec<f64> {
        let mut p = scores.to_vec();
        if self.n_columns == 1 {
            self.curvature_rows(start, n, &mut p);
            return p;
        }
        softmax_columns(&mut p, n, &mut Vec::new());
        let of = |i: usize| {
            let own = if a == b { 1.0 } else { 0.0 };
            f64::from(self.weights[start + i]) * p[a * n + i] * (own - p[b * n + i])
        };
        (0..n).map(of).collect()
    }

    /// This loss's features of rows `start..end`, and a 1 after them.
    pub fn own_rows(&self, design: &Design, start: usize, end: usize) -> Mat<f64> {
        let mut read = Vec::new();
        let (x, d) = (design.rows(start, end, &mut read), design.n_cols());
        Mat::from_fn(end - start, d + 1, |i, j| {
            if j == d {
                return 1.0;
            }
            let value = f64::from(x[i * d + j]);
            self.affine.as_ref().map_or(value, |a| (value - a.shift[j]) / a.scale[j])
        })
    }

    /// The loss of rows `start..` from their scores.
    pub fn value(&self, start: usize, n: usize, scores: &[f64]) -> f64 {
        let total = self.weights.len();
        let target = |k: usize, i: usize| f64::from(self.targets[k * total + start + i]);
        let mut sum = 0.0;
        for i in 0..n {
            let loss = if self.kind == Kind::SquaredHinge {
                let (s, t) = (scores[i], target(0, i));
                t * (1.0 - s).max(0.0).powi(2) + (1.0 - t) * (1.0 + s).max(0.0).powi(2)
            } else if self.n_columns == 1 {
                let s = scores[i];
                s.max(0.0) + (-s.abs()).exp().ln_1p() - target(0, i) * s
            } else {
                let row = (0..self.n_columns).map(|k| scores[k * n + i]);
                let largest = row.clone().fold(f64::NEG_INFINITY, f64::max);
                let log_sum = row.clone().map(|s| (s - largest).exp()).sum::<f64>().ln() + largest;
                row.enumerate().map(|(k, s)| target(k, i) * (log_sum - s)).sum()
            };
            sum += f64::from(self.weights[start + i]) * loss;
        }
        sum
    }
}
