// SPDX-License-Identifier: MIT OR Apache-2.0

//! Data and a small head for the tests of this crate.

use std::collections::BTreeMap;

use eosin_core::{
    Error, Head, HeadRecord, HeadTrainer, LabelledSet, Matrix, Probabilities, Result, TrainBatch,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// A file of golden numbers; `tests/golden/proxy/make.py` makes it.
pub fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/proxy/");
    let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Patients of `tiles` rows each; class means differ by `effect` in dimension 0, and every patient
/// has an effect of its own.
pub fn patients(
    n_patients: usize,
    tiles: usize,
    dim: usize,
    effect: f32,
    patient_sd: f32,
    seed: u64,
) -> LabelledSet {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || rng.sample::<f32, _>(StandardNormal);
    let (mut rows, mut labels, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for patient in 0..n_patients {
        let shift: Vec<f32> = (0..dim).map(|_| patient_sd * normal()).collect();
        for tile in 0..tiles {
            let label = (tile % 2) as u32;
            let mut row: Vec<f32> = shift.iter().map(|s| s + normal()).collect();
            row[0] += effect * label as f32;
            rows.push(row);
            labels.push(label);
            groups.push(format!("p{patient}"));
        }
    }
    let classes = vec!["a".into(), "b".into()];
    LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups).unwrap()
}

/// Ridge regression on one-hot targets with an intercept, in f64 by Gauss's elimination.
pub struct Ridge;

struct RidgeHead {
    classes: Vec<String>,
    /// (D + 1) × classes, the intercept last.
    weights: Vec<Vec<f64>>,
}

impl HeadTrainer for Ridge {
    fn kind(&self) -> &'static str {
        "test-ridge"
    }

    fn penalties(&self) -> Vec<f64> {
        vec![0.01, 1.0, 100.0]
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        let (d, c) = (batch.features().n_cols() + 1, batch.classes().len());
        if batch.n_rows() == 0 {
            return Err(Error::input("rows", "at least 1", "0", "give rows"));
        }
        let mut system = vec![vec![0.0; d + c]; d];
        for i in 0..batch.n_rows() {
            let mut x: Vec<f64> = batch.features().row(i).iter().map(|&v| v.into()).collect();
            x.push(1.0);
            let w = f64::from(batch.weights()[i]);
            for a in 0..d {
                for b in 0..d {
                    system[a][b] += w * x[a] * x[b];
                }
                for k in 0..c {
                    system[a][d + k] += w * x[a] * f64::from(batch.targets().row(i)[k]);
                }
            }
        }
        for (a, row) in system.iter_mut().enumerate().take(d) {
            row[a] += if a + 1 == d { 1e-9 } else { penalty };
        }
        for a in 0..d {
            let pivot = system[a].clone();
            for (b, row) in system.iter_mut().enumerate() {
                if b != a {
                    let factor = row[a] / pivot[a];
                    for (v, p) in row.iter_mut().zip(&pivot) {
                        *v -= factor * p;
                    }
                }
            }
        }
        let weights = (0..d).map(|a| system[a][d..].iter().map(|v| v / system[a][a]).collect());
        Ok(Box::new(RidgeHead { classes: batch.classes().to_vec(), weights: weights.collect() }))
    }
}

impl Head for RidgeHead {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        let c = self.classes.len();
        let mut values = Vec::new();
        for row in features.rows() {
            let mut scores = self.weights[row.len()].clone();
            for (x, w) in row.iter().zip(&self.weights) {
                for (score, w) in scores.iter_mut().zip(w) {
                    *score += f64::from(*x) * w;
                }
            }
            let total: f64 = scores.iter().map(|s| s.exp()).sum();
            values.extend(scores.iter().map(|s| s.exp() / total));
        }
        Probabilities::new(c, values)
    }

    fn record(&self) -> HeadRecord {
        HeadRecord {
            kind: "test-ridge".into(),
            classes: self.classes.clone(),
            tensors: BTreeMap::new(),
            parameters: BTreeMap::new(),
        }
    }
}
