// SPDX-License-Identifier: MIT OR Apache-2.0

//! Labelled embeddings whose difficulty is known, because it was put there.

use eosin_core::{LabelledSet, Matrix, Result, ViewBank};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Gaussian embeddings: x = effect · e(class) + group_sd · u(group) + ε, with ε ~ N(0, I).
///
/// Class k lies at `effect` along axis k, so two classes are `effect · √2` standard deviations
/// apart and the best possible AUROC of two balanced classes is Φ(effect) when `group_sd` is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    /// Patients, or whatever else splits must not tear.
    pub n_groups: usize,
    /// Rows of each group.
    pub rows_per_group: usize,
    /// Length of an embedding, at least the number of classes.
    pub dim: usize,
    /// Share of each class in every group, summing to 1; at least two.
    pub shares: Vec<f64>,
    /// Distance of each class mean from the origin in standard deviations; 0 is pure noise.
    pub effect: f64,
    /// Standard deviation of the patients' random effects.
    pub group_sd: f64,
    /// Views per row in the bank; 0 makes no bank.
    pub n_views: usize,
    /// Standard deviation of a view around its row.
    pub view_sd: f64,
    /// Seed of everything.
    pub seed: u64,
}

impl Default for Gaussian {
    fn default() -> Self {
        Self {
            n_groups: 12,
            rows_per_group: 10,
            dim: 8,
            shares: vec![0.5, 0.5],
            effect: 1.5,
            group_sd: 0.5,
            n_views: 0,
            view_sd: 0.3,
            seed: 0,
        }
    }
}

impl Gaussian {
    /// Draws the set; the same settings give the same bytes.
    ///
    /// Each class has its share of all rows, rounded, with the last class taking the rest, and
    /// the rows are shuffled over the groups.
    pub fn build(&self) -> Result<LabelledSet> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let n = self.n_groups * self.rows_per_group;
        let labels = self.labels(n, &mut rng);
        let effects: Vec<Vec<f32>> =
            (0..self.n_groups).map(|_| normals(self.dim, self.group_sd, &mut rng)).collect();

        let mut values = Vec::with_capacity(n * self.dim);
        let mut groups = Vec::with_capacity(n);
        for (row, &label) in labels.iter().enumerate() {
            // Groups take turns, so that a group's rows are not neighbours and code that takes
            // positions for row numbers shows.
            let group = row % self.n_groups;
            let mut x = normals(self.dim, 1.0, &mut rng);
            for (v, g) in x.iter_mut().zip(&effects[group]) {
                *v += g;
            }
            if let Some(v) = x.get_mut(label as usize) {
                *v += self.effect as f32;
            }
            values.extend_from_slice(&x);
            groups.push(format!("p{group:02}"));
        }

        let mut bank = Vec::with_capacity(n * self.n_views * self.dim);
        for row in values.chunks(self.dim.max(1)) {
            for _ in 0..self.n_views {
                let noise = normals(self.dim, self.view_sd, &mut rng);
                bank.extend(row.iter().zip(noise).map(|(v, e)| v + e));
            }
        }
        let classes = (0..self.shares.len()).map(|k| format!("class-{k}")).collect();
        let set = LabelledSet::new(Matrix::new(n, self.dim, values)?, classes, labels, &groups)?;
        if self.n_views == 0 {
            return Ok(set);
        }
        set.with_bank(ViewBank::new(self.n_views, Matrix::new(n * self.n_views, self.dim, bank)?)?)
    }

    fn labels(&self, n: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
        let mut labels = Vec::with_capacity(n);
        for (class, share) in self.shares.iter().enumerate() {
            let count = (share * n as f64).round() as usize;
            labels.extend(std::iter::repeat_n(class as u32, count));
        }
        labels.resize(n, self.shares.len().saturating_sub(1) as u32);
        labels.shuffle(rng);
        labels
    }
}

fn normals(n: usize, sd: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let draw = |_| {
        let z: f64 = StandardNormal.sample(rng);
        (z * sd) as f32
    };
    (0..n).map(draw).collect()
}
