// SPDX-License-Identifier: MIT OR Apache-2.0

//! Linear discriminant analysis with a shrunken covariance.

use std::collections::BTreeMap;

use eosin_core::{Error, Head, HeadTrainer, Result, TrainBatch};
use faer::Mat;
use serde::{Deserialize, Serialize};

use crate::linear::{LinearFit, LinearHead};
use crate::logistic::Design;
use crate::rows::TrainingRows;
use crate::spectrum::{Spectrum, product};
use crate::standardize::Standardizer;

/// Gaussian classes with one covariance Σ, shrunk to (1 − α)Σ + α·tr(Σ)/d·I; the penalty is α.
///
/// Σ is the mean of the classes' covariances, weighted by class share, on standardised features,
/// as scikit-learn's `lsqr` and `eigen` solvers have it. All α are served by one
/// eigendecomposition. Soft targets count as fractions of rows. At α = 0, directions in which no
/// class varies have no say, as in a pseudo-inverse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdaTrainer {
    /// The shrinkages that tuning searches, from 0 to 1.
    pub shrinkages: Vec<f64>,
}

impl Default for LdaTrainer {
    fn default() -> Self {
        Self { shrinkages: vec![1.0, 0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01] }
    }
}

impl HeadTrainer for LdaTrainer {
    fn kind(&self) -> &'static str {
        "lda"
    }

    fn penalties(&self) -> Vec<f64> {
        self.shrinkages.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        Ok(self.fit_path(batch, &[penalty])?.remove(0))
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        if let Some(bad) = penalties.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(Error::input(
                "shrinkage",
                "a number from 0 to 1",
                bad.to_string(),
                "0.1 is a usual choice",
            ));
        }
        let rows = TrainingRows::check(batch)?;
        let standard = Standardizer::fit(batch.features(), batch.weights());
        let moments = Moments::new(batch, &rows, &standard)?;
        let head = |&alpha: &f64| -> Box<dyn Head> {
            let d = standard.mean.len();
            let directions = moments.solve(alpha);
            let mut weights = Vec::with_capacity(d * rows.present.len());
            let mut bias = Vec::with_capacity(rows.present.len());
            for (k, share) in moments.shares.iter().enumerate() {
                let along: f64 = (0..d).map(|i| directions[(i, k)] * moments.means[(i, k)]).sum();
                weights.extend((0..d).map(|i| directions[(i, k)]));
                bias.push(share.ln() - 0.5 * along);
            }
            if rows.present.len() == 2 {
                let (first, second) = weights.split_at(d);
                weights = second.iter().zip(first).map(|(b, a)| b - a).collect();
                bias = vec![bias[1] - bias[0]];
            }
            let parameters = BTreeMap::from([("shrinkage".to_string(), alpha)]);
            let fit = LinearFit { outputs: rows.present.clone(), weights, bias, parameters };
            Box::new(LinearHead::new(self.kind(), batch.classes(), standard.clone(), fit))
        };
        Ok(penalties.iter().map(head).collect())
    }
}

/// Class shares and means, and the covariance within classes, of standardised features.
struct Moments {
    shares: Vec<f64>,
    /// A column per class.
    means: Mat<f64>,
    /// Of the covariance within classes.
    spectrum: Spectrum,
}

impl Moments {
    fn new(batch: &TrainBatch, rows: &TrainingRows, standard: &Standardizer) -> Result<Self> {
        let (n, d) = (batch.n_rows(), standard.mean.len());
        let values = standard.apply(batch.features());
        let total: f64 = rows.class_weights.iter().sum();
        let weight = |i: usize, k: usize| {
            f64::from(batch.weights()[i]) * f64::from(batch.targets().row(i)[rows.present[k]])
        };
        let n_classes = rows.present.len();
        let mut means = Mat::<f64>::zeros(d, n_classes);
        for k in 0..n_classes {
            for i in (0..n).filter(|&i| weight(i, k) > 0.0) {
                let share = weight(i, k) / rows.class_weights[k];
                for (j, &x) in values[i * d..(i + 1) * d].iter().enumerate() {
                    means[(j, k)] += share * f64::from(x);
                }
            }
        }
        // A soft row is a row of each of its classes.
        let parts = (0..n).flat_map(|i| (0..n_classes).map(move |k| (i, k)));
        let parts: Vec<(usize, usize)> = parts.filter(|&(i, k)| weight(i, k) > 0.0).collect();
        let centred = parts
            .iter()
            .flat_map(|&(i, k)| (0..d).map(move |j| (i, j, k)))
            .map(|(i, j, k)| (f64::from(values[i * d + j]) - means[(j, k)]) as f32)
            .collect();
        let weights: Vec<f32> = parts.iter().map(|&(i, k)| (weight(i, k) / total) as f32).collect();
        let spectrum = Spectrum::of(&Design::from_values(parts.len(), d, centred), &weights)?;
        let shares = rows.class_weights.iter().map(|w| w / total).collect();
        Ok(Self { shares, means, spectrum })
    }

    /// The inverse of the shrunken covariance times every class mean.
    fn solve(&self, alpha: f64) -> Mat<f64> {
        let (d, r) = (self.means.nrows(), self.spectrum.values.len());
        let mean_variance = self.spectrum.values.iter().sum::<f64>() / d as f64;
        let outside = alpha * mean_variance;
        let inverse = |v: f64| if v > 0.0 { 1.0 / v } else { 0.0 };
        let vectors = self.spectrum.vectors.as_ref();
        let along = product(vectors.transpose(), self.means.as_ref());
        let scaled = Mat::from_fn(r, along.ncols(), |j, k| {
            let shrunk = (1.0 - alpha) * self.spectrum.values[j] + outside;
            along[(j, k)] * (inverse(shrunk) - inverse(outside))
        });
        // Directions in which no row varies have the variance of the shrinkage alone.
        let inside = product(vectors, scaled.as_ref());
        Mat::from_fn(d, along.ncols(), |i, k| {
            inside[(i, k)] + inverse(outside) * self.means[(i, k)]
        })
    }
}
