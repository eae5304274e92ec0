// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::sync::Arc;

use eosin_core::{Error, Head, HeadRecord, Matrix, Probabilities, Result, Tensor};
use rayon::prelude::*;

use crate::kernels::few_scores;
use crate::rows::check_width;
use crate::standardize::Standardizer;

/// Rows that a thread scores at a time.
const BLOCK_ROWS: usize = 64;

/// The parameter by which scores are multiplied before they become probabilities.
pub(crate) const SLOPE: &str = "slope";

/// Scores that are linear in standardised features, made probabilities by softmax.
///
/// With one row of weights there are two outputs, of which the second is the logistic function of
/// the score. The parameter `slope`, where there is one, multiplies scores before that. Classes
/// that no output stands for have probability 0.
#[derive(Clone, Debug)]
pub(crate) struct LinearHead {
    kind: String,
    classes: Vec<String>,
    outputs: Vec<usize>,
    /// Shared by the heads of a path, which are many.
    standard: Arc<Standardizer>,
    /// One row per score, in units of standardised features.
    weights: Vec<f64>,
    bias: Vec<f64>,
    parameters: BTreeMap<String, f64>,
    slope: f64,
}

/// What a trainer has found.
pub(crate) struct LinearFit {
    /// Class index of every output.
    pub outputs: Vec<usize>,
    /// One row of weights per score, in units of standardised features.
    pub weights: Vec<f64>,
    /// One bias per score.
    pub bias: Vec<f64>,
    /// What else is to be remembered.
    pub parameters: BTreeMap<String, f64>,
}

/// The parameters of a head fitted by squares, whose best score is 2p − 1.
///
/// σ(2s) has the value and slope of p = (1 + s)/2 at s = 0 and stays between 0 and 1; calibration
/// corrects what is left.
pub(crate) fn squares_parameters(name: &str, value: f64) -> BTreeMap<String, f64> {
    BTreeMap::from([(name.to_string(), value), (SLOPE.to_string(), 2.0)])
}

impl LinearHead {
    pub fn new(
        kind: &str,
        classes: &[String],
        standard: impl Into<Arc<Standardizer>>,
        fit: LinearFit,
    ) -> Self {
        Self {
            kind: kind.into(),
            classes: classes.to_vec(),
            outputs: fit.outputs,
            standard: standard.into(),
            weights: fit.weights,
            bias: fit.bias,
            slope: fit.parameters.get(SLOPE).copied().unwrap_or(1.0),
            parameters: fit.parameters,
        }
    }

    /// Weights and bias with the standardisation folded in.
    fn direct(&self) -> (Vec<f64>, Vec<f64>) {
        let d = self.standard.mean.len();
        let mut weights = Vec::with_capacity(self.weights.len());
        let mut biases = Vec::with_capacity(self.bias.len());
        for (row, bias) in self.weights.chunks_exact(d).zip(&self.bias) {
            let start = weights.len();
            weights.extend(row.iter().zip(&self.standard.scale).map(|(w, s)| w / s));
            let shift = weights[start..].iter().zip(&self.standard.mean).map(|(w, m)| w * m);
            biases.push(bias - shift.sum::<f64>());
        }
        (weights, biases)
    }

    pub fn from_record(record: &HeadRecord) -> Result<Self> {
        let mean = vector(record, "mean")?;
        let fit = LinearFit {
            outputs: vector(record, "outputs")?.iter().map(|&v| v as usize).collect(),
            weights: vector(record, "weights")?,
            bias: vector(record, "bias")?,
            parameters: record.parameters.clone(),
        };
        let scale = vector(record, "scale")?;
        let n_scores = if fit.outputs.len() == 2 { 1 } else { fit.outputs.len() };
        let fits = scale.len() == mean.len()
            && !mean.is_empty()
            && fit.weights.len() == n_scores * mean.len()
            && fit.bias.len() == n_scores
            && fit.outputs.len() >= 2
            && fit.outputs.iter().all(|&k| k < record.classes.len());
        if !fits {
            return Err(Error::input(
                format!("head of kind {}", record.kind),
                "weights, bias, mean, scale and outputs of matching sizes",
                "arrays that do not match",
                "the head is damaged; train it again",
            ));
        }
        Ok(Self::new(&record.kind, &record.classes, Standardizer { mean, scale }, fit))
    }
}

impl Head for LinearHead {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        let d = self.standard.mean.len();
        check_width(features, d)?;
        let n_classes = self.classes.len();
        let (weights, bias) = self.direct();
        let mut values = vec![0.0; features.n_rows() * n_classes];
        values.par_chunks_mut(BLOCK_ROWS * n_classes).enumerate().for_each(|(block, out)| {
            let (start, n) = (block * BLOCK_ROWS, out.len() / n_classes);
            let rows = &features.values()[start * d..(start + n) * d];
            let mut scores: Vec<f64> =
                bias.iter().flat_map(|&b| std::iter::repeat_n(b, n)).collect();
            few_scores(rows, d, &weights, &mut scores);
            let mut of_row = Vec::with_capacity(self.outputs.len());
            for (i, out) in out.chunks_exact_mut(n_classes).enumerate() {
                of_row.clear();
                of_row.extend(scores[i..].iter().step_by(n).map(|score| self.slope * score));
                if of_row.len() == 1 {
                    of_row.insert(0, 0.0);
                }
                softmax(&mut of_row);
                for (&class, &p) in self.outputs.iter().zip(&of_row) {
                    out[class] = p;
                }
            }
        });
        Probabilities::new(n_classes, values)
    }

    fn record(&self) -> HeadRecord {
        let d = self.standard.mean.len();
        let flat = |values: &[f64]| Tensor { shape: vec![values.len()], values: values.to_vec() };
        let outputs: Vec<f64> = self.outputs.iter().map(|&k| k as f64).collect();
        HeadRecord {
            kind: self.kind.clone(),
            classes: self.classes.clone(),
            tensors: BTreeMap::from([
                (
                    "weights".into(),
                    Tensor { shape: vec![self.bias.len(), d], values: self.weights.clone() },
                ),
                ("bias".into(), flat(&self.bias)),
                ("mean".into(), flat(&self.standard.mean)),
                ("scale".into(), flat(&self.standard.scale)),
                ("outputs".into(), flat(&outputs)),
            ]),
            parameters: self.parameters.clone(),
        }
    }
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

/// A named array of a record.
pub(crate) fn vector(record: &HeadRecord, name: &str) -> Result<Vec<f64>> {
    record.tensors.get(name).map(|t| t.values.clone()).ok_or_else(|| {
        Error::input(
            format!("head of kind {}", record.kind),
            format!("an array named {name}"),
            "none",
            "the head is damaged; train it again",
        )
    })
}
