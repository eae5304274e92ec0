// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{
    Error, Head, HeadRecord, HeadTrainer, Matrix, Probabilities, Result, Tensor, TrainBatch,
};

use super::clock;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    SumsToTwo,
    Clock,
    SortedRows,
    StandardisesBatch,
    AnyWidth,
    OtherKind,
    ShortTensor,
    PathIgnoresPenalty,
    IgnoresWeights,
    NoGrid,
    RenamesClasses,
}

/// Nearest class mean: softmax of the negative squared distances, means shrunk by the penalty.
#[derive(Clone, Copy)]
pub struct Trainer(pub Fault);

struct Nearest {
    fault: Fault,
    classes: Vec<String>,
    means: Vec<Vec<f64>>,
}

impl HeadTrainer for Trainer {
    fn kind(&self) -> &'static str {
        "nearest-mean"
    }

    fn penalties(&self) -> Vec<f64> {
        if self.0 == Fault::NoGrid { Vec::new() } else { vec![0.0, 1.0, 50.0] }
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        let dim = batch.features().n_cols();
        let mut means = vec![vec![0.0; dim]; batch.classes().len()];
        for (class, mean) in means.iter_mut().enumerate() {
            let mut total = penalty;
            for i in 0..batch.n_rows() {
                let mut weight = f64::from(batch.weights()[i]);
                if self.0 == Fault::IgnoresWeights {
                    weight = 1.0;
                }
                weight *= f64::from(batch.targets().row(i)[class]);
                total += weight;
                for (m, x) in mean.iter_mut().zip(batch.features().row(i)) {
                    *m += weight * f64::from(*x);
                }
            }
            for m in mean.iter_mut() {
                *m /= total.max(1e-9);
            }
            if self.0 == Fault::Clock {
                mean[0] += f64::from(clock());
            }
        }
        let mut classes = batch.classes().to_vec();
        if self.0 == Fault::RenamesClasses {
            classes.reverse();
        }
        Ok(Box::new(Nearest { fault: self.0, classes, means }))
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        let first = penalties.first().copied().unwrap_or(0.0);
        let used = |p| if self.0 == Fault::PathIgnoresPenalty { first } else { p };
        penalties.iter().map(|&p| self.fit(batch, used(p))).collect()
    }
}

impl Head for Nearest {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        if features.n_rows() > 0
            && features.n_cols() != self.means[0].len()
            && self.fault != Fault::AnyWidth
        {
            return Err(Error::input("features", "the head's width", "another", "embed again"));
        }
        let mut rows: Vec<Vec<f64>> = features.rows().map(|x| self.row(x)).collect();
        if self.fault == Fault::SortedRows {
            rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        }
        if self.fault == Fault::StandardisesBatch {
            let mean = rows.iter().map(|r| r[0]).sum::<f64>() / rows.len() as f64;
            let half = |r: &mut Vec<f64>| {
                let p = if r[0] >= mean { 1.0 } else { 0.0 };
                let rest = (1.0 - p) / (r.len() - 1) as f64;
                r.fill(rest);
                r[0] = p;
            };
            rows.iter_mut().for_each(half);
        }
        Probabilities::new(self.classes.len(), rows.concat())
    }

    fn record(&self) -> HeadRecord {
        let kind = if self.fault == Fault::OtherKind { "other" } else { "nearest-mean" };
        let mut values = self.means.concat();
        if self.fault == Fault::ShortTensor {
            values.pop();
        }
        let shape = vec![self.means.len(), self.means[0].len()];
        HeadRecord {
            kind: kind.into(),
            classes: self.classes.clone(),
            tensors: BTreeMap::from([("means".into(), Tensor { shape, values })]),
            parameters: BTreeMap::new(),
        }
    }
}

impl Nearest {
    fn row(&self, x: &[f32]) -> Vec<f64> {
        let distance = |mean: &Vec<f64>| {
            mean.iter().zip(x).map(|(m, x)| (m - f64::from(*x)).powi(2)).sum::<f64>()
        };
        let distances: Vec<f64> = self.means.iter().map(distance).collect();
        let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
        let odds: Vec<f64> = distances.iter().map(|d| (least - d).exp()).collect();
        let total: f64 = odds.iter().sum();
        let scale = if self.fault == Fault::SumsToTwo { 2.0 } else { 1.0 };
        odds.iter().map(|o| o / total * scale).collect()
    }
}
