// SPDX-License-Identifier: MIT OR Apache-2.0

//! Patients of unequal size and prevalence, as real ones are, on which it is known what is true.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// How patients and the embeddings of their tiles are drawn.
///
/// A patient has a log-normal number of tiles and a prevalence of its own. An embedding is the
/// class's place, the patient's shift and noise; each arm has its own, of its own effect.
#[derive(Clone, Debug, PartialEq)]
pub struct UnequalPatients {
    /// Patients.
    pub n_patients: usize,
    /// The median number of a patient's tiles.
    pub median_tiles: f64,
    /// The standard deviation of the logarithm of that number.
    pub size_spread: f64,
    /// The median prevalence, and the standard deviation of its log odds between patients.
    pub prevalence: (f64, f64),
    /// For each arm, how far its classes are apart in standard deviations of the noise.
    pub effects: Vec<f64>,
    /// The standard deviation of a patient's shift, in each dimension.
    pub shift: f64,
    /// Dimensions of an arm's embeddings.
    pub dim: usize,
}

/// What was drawn, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnPatients {
    /// Class of each row, 0 or 1.
    pub labels: Vec<u32>,
    /// Patient of each row.
    pub groups: Vec<u32>,
    /// The embeddings of each arm, `dim` values per row.
    pub features: Vec<Vec<f32>>,
}

impl Default for UnequalPatients {
    fn default() -> Self {
        Self {
            n_patients: 25,
            median_tiles: 20.0,
            size_spread: 1.0,
            prevalence: (0.3, 1.0),
            effects: vec![1.5],
            shift: 0.5,
            dim: 8,
        }
    }
}

impl UnequalPatients {
    /// Draws all patients; the seed decides.
    pub fn draw(&self, seed: u64) -> DrawnPatients {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drawn = DrawnPatients {
            labels: Vec::new(),
            groups: Vec::new(),
            features: vec![Vec::new(); self.effects.len()],
        };
        let (median, spread) = self.prevalence;
        let median_odds = (median / (1.0 - median)).ln();
        for patient in 0..self.n_patients as u32 {
            let size = self.median_tiles * (self.size_spread * normal(&mut rng)).exp();
            let odds = (median_odds + spread * normal(&mut rng)).exp();
            let prevalence = odds / (1.0 + odds);
            let shifts: Vec<f64> =
                (0..self.effects.len() * self.dim).map(|_| self.shift * normal(&mut rng)).collect();
            for _ in 0..(size.round() as usize).clamp(3, 2000) {
                let label = u32::from(rng.random::<f64>() < prevalence);
                drawn.labels.push(label);
                drawn.groups.push(patient);
                for (arm, (values, effect)) in
                    drawn.features.iter_mut().zip(&self.effects).enumerate()
                {
                    for d in 0..self.dim {
                        // The effect is along the first axis.
                        let place = if d == 0 { effect * f64::from(label) } else { 0.0 };
                        let value = place + shifts[arm * self.dim + d] + normal(&mut rng);
                        values.push(value as f32);
                    }
                }
            }
        }
        drawn
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    rng.sample(StandardNormal)
}
