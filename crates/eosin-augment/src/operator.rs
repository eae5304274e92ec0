// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{
    Draw, Error, FeatureTransform, FittedTransform, Matrix, Result, TrainBatch, TrainView, ViewBank,
};
use ndarray::{Array2, Axis, s};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::Cholesky;
use crate::neighbours::as_array;
use crate::options::{FittedOn, copy_sources, with_copies, within};
use crate::random::Streams;
use crate::view_bank::require_bank;

const KIND: &str = "view-operator";
/// One group in so many is held out to measure skill.
const HOLD_OUT: u32 = 4;

/// Kind `view-operator`: f(T x) ≈ f(x) + B_T(f(x) − μ) + b_T, fitted by ridge regression for each
/// view T of the bank, and applied to rows that may have no bank.
///
/// Skill is 1 − ‖f(Tx) − A f(x)‖² / ‖f(Tx) − f(x)‖² on a quarter of the training groups that the
/// measured operator was not fitted on; only views with positive skill are used, and an error
/// says so where there is none. The operators in use are then fitted on all training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewOperator {
    /// Penalty of the regression, in units of the features' mean variance times the rows.
    pub ridge: f64,
    /// New rows for each row, which share its weight; with 0 the row is replaced.
    pub copies: usize,
}

/// The change that one view makes: δ = (x − μ)B + b, B being D × D.
struct Operator {
    slope: Matrix,
    offset: Vec<f32>,
}

struct FittedOperators {
    fitted_on: FittedOn,
    copies: usize,
    mean: Vec<f32>,
    operators: Vec<Operator>,
}

impl Default for ViewOperator {
    fn default() -> Self {
        Self { ridge: 0.1, copies: 4 }
    }
}

impl ViewOperator {
    /// The held-out skill of each view's operator.
    pub fn skills(&self, train: &TrainView) -> Result<Vec<f64>> {
        let n_views = check_bank(train)?;
        let groups = train.groups();
        let mut names = groups.clone();
        names.sort_unstable();
        names.dedup();
        let is_held_out = |i: &usize| {
            names.partition_point(|&n| n < groups[*i]) as u32 % HOLD_OUT == HOLD_OUT - 1
        };
        let (held_out, fitted): (Vec<usize>, Vec<usize>) =
            (0..train.n_rows()).partition(is_held_out);
        if held_out.is_empty() || fitted.is_empty() {
            return Err(Error::input(
                "training rows for augment view-operator",
                format!("at least {HOLD_OUT} groups"),
                names.len().to_string(),
                "give tiles of more slides or patients",
            ));
        }
        let fit = Regression::new(train, &fitted, self.ridge)?;
        (0..n_views)
            .into_par_iter()
            .map(|view| {
                let operator = fit.operator(train, &fitted, view)?;
                let x = fit.centred(train, &held_out);
                let delta = deltas(train, &held_out, view);
                let mut predicted = x.dot(&as_array(&operator.slope)?.mapv(f64::from));
                for mut row in predicted.axis_iter_mut(Axis(0)) {
                    for (p, o) in row.iter_mut().zip(&operator.offset) {
                        *p += f64::from(*o);
                    }
                }
                let square = |m: &Array2<f64>| m.iter().map(|v| v * v).sum::<f64>();
                Ok(1.0 - square(&(&delta - &predicted)) / square(&delta).max(f64::MIN_POSITIVE))
            })
            .collect()
    }
}

impl FeatureTransform for ViewOperator {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        within(KIND, "ridge", self.ridge, 1e-9, 1e9)?;
        within(KIND, "copies", self.copies as f64, 0.0, 1000.0)?;
        let skills = self.skills(train)?;
        let skilled: Vec<usize> = (0..skills.len()).filter(|&v| skills[v] > 0.0).collect();
        if skilled.is_empty() {
            return Err(Error::input(
                "augment view-operator",
                "a view that an operator predicts better than no change does",
                format!("skills {skills:.3?}"),
                "use view-bank or delta, or more ridge",
            ));
        }
        let all: Vec<usize> = (0..train.n_rows()).collect();
        let fit = Regression::new(train, &all, self.ridge)?;
        let operators =
            skilled.par_iter().map(|&v| fit.operator(train, &all, v)).collect::<Result<_>>()?;
        Ok(Box::new(FittedOperators {
            fitted_on: FittedOn { kind: KIND, n_rows: train.n_rows(), dim: train.dim() },
            copies: self.copies,
            mean: fit.mean.iter().map(|&m| m as f32).collect(),
            operators,
        }))
    }
}

impl FittedTransform for FittedOperators {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        self.fitted_on.check(batch)?;
        let sources = copy_sources(batch.n_rows(), self.copies);
        let moved =
            Streams::new(draw, KIND).fill(sources.len(), self.fitted_on.dim, |row, rng, new| {
                let x = batch.features().row(sources[row]);
                let operator = &self.operators[rng.random_range(0..self.operators.len())];
                for ((value, x), o) in new.iter_mut().zip(x).zip(&operator.offset) {
                    *value = x + o;
                }
                for ((x, m), slope) in x.iter().zip(&self.mean).zip(operator.slope.rows()) {
                    let centred = x - m;
                    for (value, b) in new.iter_mut().zip(slope) {
                        *value += centred * b;
                    }
                }
            })?;
        with_copies(batch, self.copies, moved, None)
    }
}

/// The part of the regressions that all views share: the rows' mean and the factor of their Gram
/// matrix with the ridge on its diagonal.
struct Regression {
    mean: Vec<f64>,
    factor: Cholesky,
}

impl Regression {
    fn new(train: &TrainView, rows: &[usize], ridge: f64) -> Result<Self> {
        let x = as_f64(train, rows);
        let mean = x.sum_axis(Axis(0)) / rows.len() as f64;
        let x = x - &mean;
        let mut gram = x.t().dot(&x);
        let d = gram.nrows().max(1) as f64;
        let penalty = ridge * gram.diag().sum() / d;
        gram.diag_mut().mapv_inplace(|v| v + penalty.max(f64::MIN_POSITIVE));
        let factor = Cholesky::new("training rows for augment view-operator", &gram)?;
        Ok(Self { mean: mean.to_vec(), factor })
    }

    fn centred(&self, train: &TrainView, rows: &[usize]) -> Array2<f64> {
        let mut x = as_f64(train, rows);
        for mut row in x.axis_iter_mut(Axis(0)) {
            for (v, m) in row.iter_mut().zip(&self.mean) {
                *v -= m;
            }
        }
        x
    }

    fn operator(&self, train: &TrainView, rows: &[usize], view: usize) -> Result<Operator> {
        let x = self.centred(train, rows);
        let delta = deltas(train, rows, view);
        let offset = delta.sum_axis(Axis(0)) / rows.len() as f64;
        let cross = x.t().dot(&(&delta - &offset));
        let slope = self.factor.solve(&cross);
        let values = slope.iter().map(|&v| v as f32).collect();
        let slope = Matrix::new(cross.nrows(), cross.ncols(), values)?;
        let offset = offset.iter().map(|&v| v as f32).collect();
        Ok(Operator { slope, offset })
    }
}

fn check_bank(train: &TrainView) -> Result<usize> {
    require_bank(train)?;
    Ok(train.bank().map_or(1, ViewBank::n_views))
}

fn as_f64(train: &TrainView, rows: &[usize]) -> Array2<f64> {
    let mut x = Array2::zeros((rows.len(), train.dim()));
    for (mut to, &i) in x.axis_iter_mut(Axis(0)).zip(rows) {
        for (v, x) in to.iter_mut().zip(train.feature_row(i)) {
            *v = f64::from(*x);
        }
    }
    x
}

/// f(Tx) − f(x) of the given rows.
fn deltas(train: &TrainView, rows: &[usize], view: usize) -> Array2<f64> {
    let mut delta = Array2::zeros((rows.len(), train.dim()));
    for (at, &i) in rows.iter().enumerate() {
        let seen = train.bank_row(i, view).unwrap_or_default();
        let pairs = seen.iter().zip(train.feature_row(i));
        for (v, (t, x)) in delta.slice_mut(s![at, ..]).iter_mut().zip(pairs) {
            *v = f64::from(*t) - f64::from(*x);
        }
    }
    delta
}
