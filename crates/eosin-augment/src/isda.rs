// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{
    Error, Head, HeadRecord, HeadTrainer, Matrix, Probabilities, Result, Tensor, TrainBatch,
};
use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};

use crate::lbfgs::minimise;
use crate::neighbours::as_array;

/// Kind `isda`: logistic regression under implicit semantic data augmentation (Wang et al. 2019).
///
/// It minimises the upper bound of the expected cross-entropy when every row of class y is drawn
/// anew from N(x, λΣ_y), Σ_y being the covariance of its class over the training rows:
/// Σ ω log Σ_j exp(s_j − s_y + ½λ(w_j − w_y)ᵀΣ_y(w_j − w_y)) + penalty/2 ‖W‖².
/// For a linear head this is convex, and no row is sampled. Soft targets weigh the classes' terms.
/// Features are standardised as for the kind `logistic`, of which a fitted head is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IsdaTrainer {
    /// Strength λ; 0 is plain logistic regression, 0.25 to 0.5 are usual.
    pub lambda: f64,
    /// The grid that tuning searches, largest first.
    pub penalties: Vec<f64>,
    /// Stop when the gradient is this much shorter than at zero weights.
    pub tolerance: f64,
    /// Rounds of L-BFGS at most.
    pub max_rounds: usize,
}

impl Default for IsdaTrainer {
    fn default() -> Self {
        let penalties = (0..13).map(|i| 10_f64.powf(5.0 - 0.5 * f64::from(i))).collect();
        Self { lambda: 0.5, penalties, tolerance: 1e-7, max_rounds: 1000 }
    }
}

impl HeadTrainer for IsdaTrainer {
    fn kind(&self) -> &'static str {
        "isda"
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        let mut heads = self.fit_path(batch, &[penalty])?;
        heads.pop().ok_or_else(|| Error::input("penalties", "at least one", "none", "give one"))
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        self.check(penalties)?;
        let problem = Problem::new(batch, self.lambda)?;
        let mut start = problem.null_point();
        let mut heads: Vec<Box<dyn Head>> = Vec::with_capacity(penalties.len());
        for &penalty in penalties {
            // The scale of the gradient at zero weights decides when every penalty has converged.
            start = minimise(start, self.tolerance, self.max_rounds, |p| {
                problem.value_and_gradient(p, penalty)
            });
            heads.push(Box::new(problem.head(&start, penalty, self.lambda)));
        }
        Ok(heads)
    }
}

impl IsdaTrainer {
    fn check(&self, penalties: &[f64]) -> Result<()> {
        let sound = self.lambda >= 0.0 && self.lambda <= 100.0 && self.tolerance > 0.0;
        if sound && penalties.iter().all(|p| *p > 0.0 && p.is_finite()) {
            return Ok(());
        }
        Err(Error::input(
            "head isda",
            "lambda from 0 to 100, a tolerance above 0 and penalties above 0",
            format!("lambda {}, tolerance {}, {penalties:?}", self.lambda, self.tolerance),
            "lambda 0.5 and a tolerance of 1e-7 are usual",
        ))
    }
}

/// The objective on standardised rows; a point is the weights of every score, row after row, then
/// the biases.
struct Problem {
    classes: Vec<String>,
    /// Classes that have weight, by index.
    present: Vec<usize>,
    mean: Vec<f64>,
    scale: Vec<f64>,
    x: Array2<f64>,
    /// ω·target, N × present classes.
    targets: Array2<f64>,
    /// √(λ/n_y) times the rows of each present class less their mean, so that DᵀD = λΣ_y.
    deviations: Vec<Array2<f64>>,
}

impl Problem {
    fn new(batch: &TrainBatch, lambda: f64) -> Result<Self> {
        let weights: Array1<f64> = batch.weights().iter().map(|&w| f64::from(w)).collect();
        let all = as_array(batch.targets())?.mapv(f64::from) * weights.view().insert_axis(Axis(1));
        let mass = all.sum_axis(Axis(0));
        let present: Vec<usize> = (0..mass.len()).filter(|&c| mass[c] > 0.0).collect();
        if present.len() < 2 {
            return Err(Error::input(
                "rows to fit on",
                "rows of at least two classes",
                format!("{} with weight", present.len()),
                "label tiles of another class, or split so that training has both",
            ));
        }
        let mut x = as_array(batch.features())?.mapv(f64::from);
        let total = weights.sum();
        let mean = weights.dot(&x) / total;
        x -= &mean;
        let variance = weights.dot(&x.mapv(|v| v * v)) / total;
        let scale = variance.mapv(|v| if v > 0.0 { v.sqrt() } else { 1.0 });
        x /= &scale;
        let targets = all.select(Axis(1), &present);
        let deviations =
            targets.axis_iter(Axis(1)).map(|t| deviations(&x, &t.to_vec(), lambda)).collect();
        Ok(Self {
            classes: batch.classes().to_vec(),
            present,
            mean: mean.to_vec(),
            scale: scale.to_vec(),
            x,
            targets,
            deviations,
        })
    }

    /// Two classes have one score, that of the second against the first.
    fn n_scores(&self) -> usize {
        if self.present.len() == 2 { 1 } else { self.present.len() }
    }

    fn null_point(&self) -> Vec<f64> {
        vec![0.0; self.n_scores() * (self.x.ncols() + 1)]
    }

    /// One row of weights and one bias per present class; with one score, the first class has 0.
    fn unpack(&self, point: &[f64]) -> (Array2<f64>, Array1<f64>) {
        let (d, k, scores) = (self.x.ncols(), self.present.len(), self.n_scores());
        let skipped = k - scores;
        let (mut w, mut b) = (Array2::zeros((k, d)), Array1::zeros(k));
        for score in 0..scores {
            let row = &point[score * d..(score + 1) * d];
            w.row_mut(score + skipped).assign(&ndarray::ArrayView1::from(row));
            b[score + skipped] = point[scores * d + score];
        }
        (w, b)
    }

    fn value_and_gradient(&self, point: &[f64], penalty: f64) -> (f64, Vec<f64>) {
        let (w, b) = self.unpack(point);
        let k = self.present.len();
        let scores = by_row(&self.x, &w) + &b;
        let mut value = 0.5 * penalty * w.iter().map(|v| v * v).sum::<f64>();
        let mut gradient_w = &w * penalty;
        let mut residuals = Array2::<f64>::zeros(scores.raw_dim());
        for y in 0..k {
            // D(w_j − w_y)ᵀ for every j: its square length is the bound's quadratic term.
            let apart = &w - &w.row(y);
            let along = by_row(&self.deviations[y], &apart);
            let bonus: Array1<f64> =
                along.axis_iter(Axis(1)).map(|column| 0.5 * column.dot(&column)).collect();
            let mut mass = Array1::<f64>::zeros(k);
            for (i, row) in scores.axis_iter(Axis(0)).enumerate() {
                let weight = self.targets[(i, y)];
                if weight == 0.0 {
                    continue;
                }
                let logits = &row + &bonus;
                let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let exps = logits.mapv(|v| (v - largest).exp());
                let sum = exps.sum();
                value += weight * (sum.ln() + largest - row[y]);
                for j in 0..k {
                    let p = weight * exps[j] / sum;
                    mass[j] += p;
                    residuals[(i, j)] += p;
                }
                residuals[(i, y)] -= weight;
            }
            // The quadratic term pulls w_j and w_y together, by the probability mass it carries.
            let pull = over_rows(&(&along * &mass), &self.deviations[y]);
            gradient_w += &pull;
            let total = pull.sum_axis(Axis(0));
            let mut own = gradient_w.row_mut(y);
            own -= &total;
        }
        gradient_w += &over_rows(&residuals, &self.x);
        let gradient_b = residuals.sum_axis(Axis(0));
        let skipped = k - self.n_scores();
        let mut gradient: Vec<f64> = gradient_w.slice(s![skipped.., ..]).iter().copied().collect();
        gradient.extend(gradient_b.iter().skip(skipped));
        (value, gradient)
    }

    fn head(&self, point: &[f64], penalty: f64, lambda: f64) -> IsdaHead {
        let d = self.x.ncols();
        let (weights, bias) = point.split_at(self.n_scores() * d);
        let flat = |values: &[f64]| Tensor { shape: vec![values.len()], values: values.to_vec() };
        let outputs: Vec<f64> = self.present.iter().map(|&c| c as f64).collect();
        let record = HeadRecord {
            kind: "logistic".into(),
            classes: self.classes.clone(),
            tensors: BTreeMap::from([
                ("weights".into(), Tensor { shape: vec![bias.len(), d], values: weights.to_vec() }),
                ("bias".into(), flat(bias)),
                ("mean".into(), flat(&self.mean)),
                ("scale".into(), flat(&self.scale)),
                ("outputs".into(), flat(&outputs)),
            ]),
            parameters: BTreeMap::from([
                ("penalty".into(), penalty),
                ("isda_lambda".into(), lambda),
            ]),
        };
        let (w, b) = self.unpack(point);
        let direct = &w / &Array1::from(self.scale.clone());
        let bias = b - direct.dot(&Array1::from(self.mean.clone()));
        IsdaHead { record, present: self.present.clone(), direct, bias }
    }
}

/// x wᵀ, N × classes, in one pass over x: a general product would copy all of x into panels, which
/// takes several times as long where there are few classes.
fn by_row(x: &Array2<f64>, w: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), w.nrows()), |(i, class)| x.row(i).dot(&w.row(class)))
}

/// rᵀ x, classes × features, in one pass over x.
fn over_rows(r: &Array2<f64>, x: &Array2<f64>) -> Array2<f64> {
    let mut sums = Array2::zeros((r.ncols(), x.ncols()));
    for (factors, row) in r.rows().into_iter().zip(x.rows()) {
        for (&factor, mut sum) in factors.iter().zip(sums.rows_mut()) {
            sum.scaled_add(factor, &row);
        }
    }
    sums
}

/// √(λ/Σω) √ω_i (x_i − μ) of the rows that have weight ω in a class.
fn deviations(x: &Array2<f64>, weights: &[f64], lambda: f64) -> Array2<f64> {
    let rows: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > 0.0).collect();
    let own: Array1<f64> = rows.iter().map(|&i| weights[i]).collect();
    let total = own.sum();
    let mut members = x.select(Axis(0), &rows);
    let mean = own.dot(&members) / total;
    members -= &mean;
    let factors = own.mapv(|w| (w * lambda / total).sqrt());
    members * &factors.insert_axis(Axis(1))
}

struct IsdaHead {
    record: HeadRecord,
    present: Vec<usize>,
    direct: Array2<f64>,
    bias: Array1<f64>,
}

impl Head for IsdaHead {
    fn classes(&self) -> &[String] {
        &self.record.classes
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        if features.n_cols() != self.direct.ncols() {
            return Err(Error::input(
                "features",
                format!("rows of {} values", self.direct.ncols()),
                features.n_cols().to_string(),
                "predict on embeddings of the backbone that the head was fitted on",
            ));
        }
        let scores = as_array(features)?.mapv(f64::from).dot(&self.direct.t()) + &self.bias;
        let n_classes = self.record.classes.len();
        let mut values = vec![0.0; features.n_rows() * n_classes];
        for (row, out) in scores.axis_iter(Axis(0)).zip(values.chunks_exact_mut(n_classes)) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|v| (v - largest).exp()).sum();
            for (&class, score) in self.present.iter().zip(row) {
                out[class] = (score - largest).exp() / sum;
            }
        }
        Probabilities::new(n_classes, values)
    }

    fn record(&self) -> HeadRecord {
        self.record.clone()
    }
}

#[cfg(test)]
mod tests;
