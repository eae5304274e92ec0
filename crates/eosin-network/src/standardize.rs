// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, HeadRecord, Result, Tensor};

/// Mean and standard deviation of every feature, so that one learning rate suits every backbone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standardizer {
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Standardizer {
    /// Weighted moments of the rows; a feature that does not vary gets scale 1.
    pub fn fit<'a>(rows: impl Iterator<Item = (&'a [f32], f64)> + Clone, dim: usize) -> Self {
        let mut total = 0.0;
        let mut mean = vec![0.0; dim];
        for (row, weight) in rows.clone() {
            total += weight;
            for (sum, &x) in mean.iter_mut().zip(row) {
                *sum += weight * f64::from(x);
            }
        }
        for sum in &mut mean {
            *sum /= total;
        }
        let mut scale = vec![0.0; dim];
        for (row, weight) in rows {
            for ((sum, m), &x) in scale.iter_mut().zip(&mean).zip(row) {
                *sum += weight * (f64::from(x) - m).powi(2);
            }
        }
        for (s, m) in scale.iter_mut().zip(&mean) {
            *s = (*s / total).sqrt();
            // What rounding leaves of equal values is no variation.
            let varies = *s > 1e-6 * m.abs() && *s > 0.0;
            if !varies {
                *s = 1.0;
            }
        }
        Self { mean, scale }
    }

    /// (x − mean) / scale, one value at a time.
    pub fn apply<'a>(&'a self, row: &'a [f32]) -> impl Iterator<Item = f64> + 'a {
        row.iter().zip(&self.mean).zip(&self.scale).map(|((&x, m), s)| (f64::from(x) - m) / s)
    }

    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Its arrays for a record.
    pub fn tensors(&self) -> [(String, Tensor); 2] {
        [("mean", &self.mean), ("scale", &self.scale)].map(|(name, values)| {
            (name.to_string(), Tensor { shape: vec![values.len()], values: values.clone() })
        })
    }

    pub fn from_record(record: &HeadRecord) -> Result<Self> {
        let of = |name: &str| record.tensors.get(name).map_or(Vec::new(), |t| t.values.clone());
        let (mean, scale) = (of("mean"), of("scale"));
        let sound = mean.len() == scale.len()
            && !mean.is_empty()
            && mean.iter().all(|m| m.is_finite())
            && scale.iter().all(|s| s.is_finite() && *s > 0.0);
        if sound {
            return Ok(Self { mean, scale });
        }
        Err(Error::input(
            format!("head of kind {}", record.kind),
            "a mean and a scale of each feature",
            format!("{} and {} values", mean.len(), scale.len()),
            "the head is damaged; train it again",
        ))
    }
}

/// Refuses features of another width than the network was fitted on; no rows at all are fine.
pub(crate) fn check_width(n_rows: usize, found: usize, expected: usize) -> Result<()> {
    if n_rows == 0 || found == expected {
        return Ok(());
    }
    Err(Error::input(
        "features",
        format!("{expected} values per row, as the head was fitted on"),
        found.to_string(),
        "use the backbone that the head was trained with",
    ))
}
