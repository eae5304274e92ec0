// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{
    Error, Head, HeadRecord, HeadTrainer, Matrix, Probabilities, Result, Tensor, TrainBatch,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linear::{softmax, vector};
use crate::rows::{TrainingRows, check_width};

/// Class shares among the k training rows of the largest cosine similarity.
///
/// The penalty is k itself; fewer training rows are all neighbours. A vote counts with its row's
/// weight and soft target; of equal similarities the earlier row is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnnTrainer {
    /// The values of k that tuning searches.
    pub ks: Vec<usize>,
}

impl Default for KnnTrainer {
    fn default() -> Self {
        Self { ks: vec![20] }
    }
}

/// Softmax of −½ squared distance to each class mean, after subtracting the mean of all training
/// rows and scaling to length 1 (SimpleShot, Wang et al. 2019).
///
/// The penalty is the temperature τ by which squared distances are divided; it changes the
/// probabilities and not which class is largest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NearestMeanTrainer {
    /// The temperatures that tuning searches.
    pub temperatures: Vec<f64>,
}

impl Default for NearestMeanTrainer {
    fn default() -> Self {
        Self { temperatures: vec![1.0, 0.3, 0.1, 0.03] }
    }
}

impl HeadTrainer for KnnTrainer {
    fn kind(&self) -> &'static str {
        "knn"
    }

    fn penalties(&self) -> Vec<f64> {
        self.ks.iter().map(|&k| k as f64).collect()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        if !(penalty.is_finite() && penalty >= 1.0) {
            return Err(Error::input(
                "neighbours",
                "a whole number of 1 or more",
                penalty.to_string(),
                "the usual k is 20",
            ));
        }
        TrainingRows::check(batch)?;
        let kept: Vec<usize> = (0..batch.n_rows()).filter(|&i| batch.weights()[i] > 0.0).collect();
        let features = batch.features().select(&kept);
        let rows = features.rows().flat_map(unit).collect();
        let n_classes = batch.classes().len();
        let mut votes = Vec::with_capacity(kept.len() * n_classes);
        for &i in &kept {
            let weight = f64::from(batch.weights()[i]);
            votes.extend(batch.targets().row(i).iter().map(|&t| weight * f64::from(t)));
        }
        Ok(Box::new(KnnHead {
            classes: batch.classes().to_vec(),
            d: features.n_cols(),
            k: penalty as usize,
            rows,
            votes,
        }))
    }
}

impl HeadTrainer for NearestMeanTrainer {
    fn kind(&self) -> &'static str {
        "nearest-mean"
    }

    fn penalties(&self) -> Vec<f64> {
        self.temperatures.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        if !(penalty.is_finite() && penalty > 0.0) {
            return Err(Error::input(
                "temperature",
                "a finite number above 0",
                penalty.to_string(),
                "1 is the plain squared distance",
            ));
        }
        let rows = TrainingRows::check(batch)?;
        let d = batch.features().n_cols();
        let weights: Vec<f64> = batch.weights().iter().copied().map(f64::from).collect();
        let centre = weighted_mean(batch.features(), &weights);
        let mut means = Vec::with_capacity(rows.present.len() * d);
        for &class in &rows.present {
            let mut mean = vec![0.0; d];
            let mut total = 0.0;
            for ((row, target), weight) in
                batch.features().rows().zip(batch.targets().rows()).zip(&weights)
            {
                let weight = weight * f64::from(target[class]);
                if weight > 0.0 {
                    total += weight;
                    for (m, x) in mean.iter_mut().zip(centred_unit(row, &centre)) {
                        *m += weight * x;
                    }
                }
            }
            means.extend(mean.into_iter().map(|m| m / total));
        }
        Ok(Box::new(NearestMeanHead {
            classes: batch.classes().to_vec(),
            outputs: rows.present,
            centre,
            means,
            temperature: penalty,
        }))
    }
}

struct KnnHead {
    classes: Vec<String>,
    d: usize,
    k: usize,
    /// Training rows of length 1.
    rows: Vec<f32>,
    /// A weight per training row and class.
    votes: Vec<f64>,
}

struct NearestMeanHead {
    classes: Vec<String>,
    outputs: Vec<usize>,
    centre: Vec<f64>,
    means: Vec<f64>,
    temperature: f64,
}

impl Head for KnnHead {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        check_width(features, self.d)?;
        let n_classes = self.classes.len();
        let mut values = vec![0.0; features.n_rows() * n_classes];
        values.par_chunks_mut(n_classes).enumerate().for_each(|(i, out)| {
            let query = unit(features.row(i));
            let similarity =
                |row: &[f32]| -> f32 { row.iter().zip(&query).map(|(a, b)| a * b).sum() };
            let mut near: Vec<(f32, usize)> =
                self.rows.chunks_exact(self.d).map(similarity).zip(0..).collect();
            let k = self.k.min(near.len());
            let order =
                |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            if k < near.len() {
                near.select_nth_unstable_by(k - 1, order);
                near.truncate(k);
            }
            // Votes are added in one order, whatever the selection did.
            near.sort_by(order);
            for &(_, row) in &near {
                for (p, vote) in out.iter_mut().zip(&self.votes[row * n_classes..]) {
                    *p += vote;
                }
            }
            let total: f64 = out.iter().sum();
            for p in out {
                *p /= total;
            }
        });
        Probabilities::new(n_classes, values)
    }

    fn record(&self) -> HeadRecord {
        let n = self.votes.len() / self.classes.len();
        let rows = self.rows.iter().copied().map(f64::from).collect();
        HeadRecord {
            kind: "knn".into(),
            classes: self.classes.clone(),
            tensors: BTreeMap::from([
                ("rows".into(), Tensor { shape: vec![n, self.d], values: rows }),
                (
                    "votes".into(),
                    Tensor { shape: vec![n, self.classes.len()], values: self.votes.clone() },
                ),
            ]),
            parameters: BTreeMap::from([("k".into(), self.k as f64)]),
        }
    }
}

impl Head for NearestMeanHead {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        let d = self.centre.len();
        check_width(features, d)?;
        let n_classes = self.classes.len();
        let mut values = vec![0.0; features.n_rows() * n_classes];
        values.par_chunks_mut(n_classes).enumerate().for_each(|(i, out)| {
            let row = centred_unit(features.row(i), &self.centre);
            let score = |mean: &[f64]| {
                let distance: f64 = row.iter().zip(mean).map(|(a, b)| (a - b).powi(2)).sum();
                -0.5 * distance / self.temperature
            };
            let mut scores: Vec<f64> = self.means.chunks_exact(d).map(score).collect();
            softmax(&mut scores);
            for (&class, p) in self.outputs.iter().zip(scores) {
                out[class] = p;
            }
        });
        Probabilities::new(n_classes, values)
    }

    fn record(&self) -> HeadRecord {
        let d = self.centre.len();
        let outputs: Vec<f64> = self.outputs.iter().map(|&k| k as f64).collect();
        HeadRecord {
            kind: "nearest-mean".into(),
            classes: self.classes.clone(),
            tensors: BTreeMap::from([
                ("centre".into(), Tensor { shape: vec![d], values: self.centre.clone() }),
                (
                    "means".into(),
                    Tensor { shape: vec![outputs.len(), d], values: self.means.clone() },
                ),
                ("outputs".into(), Tensor { shape: vec![outputs.len()], values: outputs }),
            ]),
            parameters: BTreeMap::from([("temperature".into(), self.temperature)]),
        }
    }
}

pub(crate) fn knn_from_record(record: &HeadRecord) -> Result<Box<dyn Head>> {
    let votes = vector(record, "votes")?;
    let rows: Vec<f32> = vector(record, "rows")?.into_iter().map(|v| v as f32).collect();
    let n_classes = record.classes.len();
    let n = votes.len().checked_div(n_classes).unwrap_or(0);
    let k = parameter(record, "k")? as usize;
    if n == 0
        || k == 0
        || !votes.len().is_multiple_of(n_classes)
        || rows.is_empty()
        || !rows.len().is_multiple_of(n)
    {
        return Err(damaged(record));
    }
    let d = rows.len() / n;
    Ok(Box::new(KnnHead { classes: record.classes.clone(), d, k, rows, votes }))
}

pub(crate) fn nearest_mean_from_record(record: &HeadRecord) -> Result<Box<dyn Head>> {
    let centre = vector(record, "centre")?;
    let means = vector(record, "means")?;
    let outputs: Vec<usize> = vector(record, "outputs")?.iter().map(|&v| v as usize).collect();
    let temperature = parameter(record, "temperature")?;
    let sound = !centre.is_empty()
        && means.len() == centre.len() * outputs.len()
        && outputs.len() >= 2
        && outputs.iter().all(|&k| k < record.classes.len())
        && temperature > 0.0;
    if !sound {
        return Err(damaged(record));
    }
    let classes = record.classes.clone();
    Ok(Box::new(NearestMeanHead { classes, outputs, centre, means, temperature }))
}

fn parameter(record: &HeadRecord, name: &str) -> Result<f64> {
    record.parameters.get(name).copied().ok_or_else(|| damaged(record))
}

fn damaged(record: &HeadRecord) -> Error {
    Error::input(
        format!("head of kind {}", record.kind),
        "arrays and parameters of matching sizes",
        "some that do not match",
        "the head is damaged; train it again",
    )
}

/// The row scaled to length 1; a row of zeros stays.
fn unit(row: &[f32]) -> Vec<f32> {
    let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let length = if length > 0.0 { length } else { 1.0 };
    row.iter().map(|&v| (f64::from(v) / length) as f32).collect()
}

fn centred_unit(row: &[f32], centre: &[f64]) -> Vec<f64> {
    let mut centred: Vec<f64> = row.iter().zip(centre).map(|(&x, c)| f64::from(x) - c).collect();
    let length = centred.iter().map(|v| v * v).sum::<f64>().sqrt();
    if length > 0.0 {
        for v in &mut centred {
            *v /= length;
        }
    }
    centred
}

fn weighted_mean(features: &Matrix, weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let mut mean = vec![0.0; features.n_cols()];
    for (row, weight) in features.rows().zip(weights) {
        for (m, &x) in mean.iter_mut().zip(row) {
            *m += weight * f64::from(x);
        }
    }
    for m in &mut mean {
        *m /= total;
    }
    mean
}
