// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{FeatureTransform, Result, TrainBatch, TrainView};
use ndarray::{Array1, Array2, Axis};

use crate::linalg::Cholesky;
use crate::neighbours::as_array;
use crate::noise::deviations;
use crate::view_bank::training_views;
use crate::{BankMode, FeatureDropout, GaussianNoise, ViewBankTransform};

/// Weighted sums over rows: all that a head with a quadratic loss (ridge, LDA) needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondMoments {
    /// Σ w.
    pub weight: f64,
    /// Σ w x, of length D.
    pub sum: Array1<f64>,
    /// Σ w x xᵀ, D × D.
    pub gram: Array2<f64>,
    /// Σ w x yᵀ, D × classes, y being the targets.
    pub cross: Array2<f64>,
    /// Σ w y, of length classes.
    pub targets: Array1<f64>,
}

/// Augmentations whose expectation over all draws is known in closed form.
///
/// A head with a quadratic loss that is fitted on these moments is fitted on infinitely many draws
/// at once (Bishop 1995, Dao et al. 2019).
pub trait ExpectedMoments: FeatureTransform {
    /// The mean of [`SecondMoments::of`] over all draws of the transform, fitted on `train` and
    /// applied to its rows.
    fn expected_moments(&self, train: &TrainView) -> Result<SecondMoments>;
}

impl SecondMoments {
    /// The moments of a batch's rows.
    pub fn of(batch: &TrainBatch) -> Result<Self> {
        let x = as_array(batch.features())?.mapv(f64::from);
        let y = as_array(batch.targets())?.mapv(f64::from);
        let w: Array1<f64> = batch.weights().iter().map(|&w| f64::from(w)).collect();
        let weighted = &x * &w.view().insert_axis(Axis(1));
        Ok(Self {
            weight: w.sum(),
            sum: weighted.sum_axis(Axis(0)),
            gram: x.t().dot(&weighted),
            cross: weighted.t().dot(&y),
            targets: w.dot(&y),
        })
    }

    /// Ridge regression on the targets with a free intercept: W (D × classes) and b minimise
    /// Σ w ‖xW + b − y‖² + λ‖W‖².
    pub fn ridge(&self, penalty: f64) -> Result<(Array2<f64>, Array1<f64>)> {
        let mean_x = &self.sum / self.weight;
        let mean_y = &self.targets / self.weight;
        let column = |v: &Array1<f64>| v.clone().insert_axis(Axis(1));
        let row = |v: &Array1<f64>| v.clone().insert_axis(Axis(0));
        let mut system = &self.gram - &column(&self.sum).dot(&row(&mean_x));
        system.diag_mut().mapv_inplace(|v| v + penalty);
        let right = &self.cross - &column(&self.sum).dot(&row(&mean_y));
        let weights = Cholesky::new("second moments", &system)?.solve(&right);
        let intercept = mean_y - mean_x.dot(&weights);
        Ok((weights, intercept))
    }
}

impl ExpectedMoments for GaussianNoise {
    /// The rows' own moments, and on the Gram matrix's diagonal Σw·γ²σ_d² for the share of weight
    /// that noisy rows have: Tikhonov's penalty.
    fn expected_moments(&self, train: &TrainView) -> Result<SecondMoments> {
        self.fit(train)?;
        let mut moments = SecondMoments::of(&TrainBatch::from_view(train))?;
        let noisy = if self.copies == 0 { 1.0 } else { share(self.copies) };
        let scale = moments.weight * noisy * f64::from(self.gamma).powi(2);
        for (v, sd) in moments.gram.diag_mut().iter_mut().zip(deviations(train)) {
            *v += scale * sd * sd;
        }
        Ok(moments)
    }
}

impl ExpectedMoments for FeatureDropout {
    /// The rows' own moments, and on the Gram matrix's diagonal p/(1 − p)·Σ w x_d² for the share of
    /// weight that masked rows have.
    fn expected_moments(&self, train: &TrainView) -> Result<SecondMoments> {
        self.fit(train)?;
        let mut moments = SecondMoments::of(&TrainBatch::from_view(train))?;
        let masked = if self.copies == 0 { 1.0 } else { share(self.copies) };
        let p = f64::from(self.p);
        moments.gram.diag_mut().mapv_inplace(|v| v * (1.0 + masked * p / (1.0 - p)));
        Ok(moments)
    }
}

impl ExpectedMoments for ViewBankTransform {
    /// The mean over a row and its views, whatever number of them is drawn.
    fn expected_moments(&self, train: &TrainView) -> Result<SecondMoments> {
        self.fit(train)?;
        let batch = TrainBatch::from_view(train);
        let n_views = training_views(train)?.n_rows() / train.n_rows().max(1);
        // Drawing n of V + 1 alike has the same expectation as using all with equal weight.
        let all = Self { mode: BankMode::All, n: n_views };
        let draw = eosin_core::Draw { seed: 0, fold: 0, epoch: 0 };
        SecondMoments::of(&all.fit(train)?.apply(&batch, draw)?)
    }
}

/// The share of a row's weight that its copies have.
fn share(copies: usize) -> f64 {
    copies as f64 / (copies as f64 + 1.0)
}
