// SPDX-License-Identifier: MIT OR Apache-2.0

//! Parameters on the host, and the few loops that prediction needs.

use eosin_core::{Error, HeadRecord, Result, Tensor};

/// A parameter of a network: a matrix, or a bias as a matrix of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub name: &'static str,
    pub rows: usize,
    pub cols: usize,
    /// Row after row.
    pub values: Vec<f32>,
}

impl Array {
    pub fn new(name: &'static str, rows: usize, cols: usize, values: Vec<f32>) -> Self {
        Self { name, rows, cols, values }
    }

    /// Whether weight decay acts on it: on weights, not on biases.
    pub fn decays(&self) -> bool {
        self.rows > 1
    }

    pub fn tensor(&self) -> Tensor {
        Tensor {
            shape: vec![self.rows, self.cols],
            values: self.values.iter().map(|&v| f64::from(v)).collect(),
        }
    }

    /// The array of a record, whose shape must be as given; `None` takes any number.
    pub fn from_record(
        record: &HeadRecord,
        name: &'static str,
        rows: Option<usize>,
        cols: Option<usize>,
    ) -> Result<Self> {
        let damaged = |found: String| {
            let size = |n: Option<usize>| n.map_or("any".into(), |n| n.to_string());
            Error::input(
                format!("head of kind {}", record.kind),
                format!("an array {name} of {} × {} finite values", size(rows), size(cols)),
                found,
                "the head is damaged; train it again",
            )
        };
        let tensor = record.tensors.get(name).ok_or_else(|| damaged("none".into()))?;
        let &[r, c] = tensor.shape.as_slice() else {
            return Err(damaged(format!("shape {:?}", tensor.shape)));
        };
        let values: Vec<f32> = tensor.values.iter().map(|&v| v as f32).collect();
        let fits = rows.is_none_or(|n| n == r) && cols.is_none_or(|n| n == c);
        if !fits || r.checked_mul(c) != Some(values.len()) || !values.iter().all(|v| v.is_finite())
        {
            return Err(damaged(format!("shape {:?}", tensor.shape)));
        }
        Ok(Self { name, rows: r, cols: c, values })
    }

    /// `out` += x · self, in f64 and in the order of the rows, so that a row's result is its own.
    pub fn add_product(&self, x: &[f64], out: &mut [f64]) {
        for (&x, row) in x.iter().zip(self.values.chunks_exact(self.cols.max(1))) {
            if x != 0.0 {
                for (out, &w) in out.iter_mut().zip(row) {
                    *out += x * f64::from(w);
                }
            }
        }
    }

    /// A bias as f64, to which products are added.
    pub fn as_f64(&self) -> Vec<f64> {
        self.values.iter().map(|&v| f64::from(v)).collect()
    }
}

/// x · weights + bias.
pub(crate) fn affine(x: &[f64], weights: &Array, bias: &Array) -> Vec<f64> {
    let mut out = bias.as_f64();
    weights.add_product(x, &mut out);
    out
}

pub(crate) fn relu(values: &mut [f64]) {
    for v in values {
        *v = v.max(0.0);
    }
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// exp(s) / Σ exp(s), in place, without overflow.
pub(crate) fn softmax(scores: &mut [f64]) {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for s in scores.iter_mut() {
        *s = (*s - largest).exp();
        total += *s;
    }
    for s in scores {
        *s /= total;
    }
}
