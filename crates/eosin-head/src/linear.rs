// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Error, Head, HeadRecord, Matrix, Probabilities, Result, Tensor};
use rayon::prelude::*;

use crate::rows::check_width;
use crate::standardize::Standardizer;

/// Scores that are linear in standardised features, made probabilities by softmax.
///
/// With one row of weights there are two outputs, of which the second is the logistic function of
/// the score. Classes that no output stands for have probability 0.
#[derive(Clone, Debug)]
pub(crate) struct LinearHead {
    kind: String,
    classes: Vec<String>,
    outputs: Vec<usize>,
    standard: Standardizer,
    /// One row per score, in units of standardised features.
    weights: Vec<f64>,
    bias: Vec<f64>,
    parameters: BTreeMap<String, f64>,
    /// `weights` and `bias` with the standardisation folded in.
    direct: Vec<f64>,
    direct_bias: Vec<f64>,
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

impl LinearHead {
    pub fn new(kind: &str, classes: &[String], standard: Standardizer, fit: LinearFit) -> Self {
        let d = standard.mean.len();
        let mut direct = Vec::with_capacity(fit.weights.len());
        let mut direct_bias = Vec::with_capacity(fit.bias.len());
        for (row, bias) in fit.weights.chunks_exact(d.max(1)).zip(&fit.bias) {
            let folded: Vec<f64> = row.iter().zip(&standard.scale).map(|(w, s)| w / s).collect();
            let shift: f64 = folded.iter().zip(&standard.mean).map(|(w, m)| w * m).sum();
            direct.extend(folded);
            direct_bias.push(bias - shift);
        }
        Self {
            kind: kind.into(),
            classes: classes.to_vec(),
            outputs: fit.outputs,
            standard,
            weights: fit.weights,
            bias: fit.bias,
            parameters: fit.parameters,
            direct,
            direct_bias,
        }
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
        let mut values = vec![0.0; features.n_rows() * n_classes];
        values.par_chunks_mut(n_classes).enumerate().for_each(|(i, out)| {
            let row = features.row(i);
            let score = |(w, b): (&[f64], &f64)| {
                b + row.iter().zip(w).map(|(&x, w)| f64::from(x) * w).sum::<f64>()
            };
            let mut scores: Vec<f64> =
                self.direct.chunks_exact(d).zip(&self.direct_bias).map(score).collect();
            if scores.len() == 1 {
                scores.insert(0, 0.0);
            }
            softmax(&mut scores);
            for (&class, p) in self.outputs.iter().zip(scores) {
                out[class] = p;
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
