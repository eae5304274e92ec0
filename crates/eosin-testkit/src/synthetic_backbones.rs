// SPDX-License-Identifier: MIT OR Apache-2.0

//! Backbones of which it is known which is best, because it was put there.

use eosin_core::{
    BackboneInfo, Contract, EmbeddingBatch, EmbeddingStore, Licence, Matrix, Result, TileMeta, Use,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// One backbone of the generator.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticBackbone {
    /// Its name.
    pub name: String,
    /// Distance of the two classes in standard deviations of a tile; what it is good for.
    pub effect: f64,
    /// Distance of centres in standard deviations of a tile; what it should not see.
    pub centre: f64,
    /// Number of parameters that it claims to have; 0 makes it a control.
    pub parameters: u64,
}

/// Embeddings of the same tiles under several backbones, with patients and centres as random
/// effects.
///
/// Tile i of patient p in centre c, of class y ∈ {−½, ½}, has under backbone b the embedding
///
/// x = effect_b · (y + tile_sd · tᵢ) · e₁ + centre_b · v_c · e₂ + patient_sd · u_bp + ε,
///
/// with tᵢ, v_c, u_bp and ε standard normal: tᵢ is what makes a tile hard for every backbone alike
/// and v_c is ±½ for two centres and spread evenly for more; u_bp is drawn anew for every backbone
/// in all dimensions. Two backbones of the same effect differ by chance alone.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticBackbones {
    /// The backbones.
    pub backbones: Vec<SyntheticBackbone>,
    /// Number of patients.
    pub n_patients: usize,
    /// Tiles of each patient.
    pub tiles_per_patient: usize,
    /// Number of centres; patients take turns.
    pub n_centres: usize,
    /// Length of an embedding, at least 2.
    pub dim: usize,
    /// Standard deviation of the patients' random effects.
    pub patient_sd: f64,
    /// What makes a tile hard for all, as a share of the effect.
    pub tile_sd: f64,
    /// Share of the positive class in the first centre; that in the last is 1 minus this, so that
    /// anything but ½ confounds class and centre.
    pub share: f64,
    /// Seed of everything.
    pub seed: u64,
}

/// The tiles of a draw with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticTiles {
    /// What is known of each tile.
    pub metas: Vec<TileMeta>,
    /// 0 or 1.
    pub labels: Vec<u32>,
}

impl Default for SyntheticBackbones {
    fn default() -> Self {
        Self {
            backbones: Vec::new(),
            n_patients: 20,
            tiles_per_patient: 6,
            n_centres: 2,
            dim: 8,
            patient_sd: 0.4,
            tile_sd: 0.3,
            share: 0.5,
            seed: 0,
        }
    }
}

impl SyntheticBackbones {
    /// Backbones `a`, `b`, … of these effects that differ in nothing else but that each has a
    /// million parameters more than the one before.
    pub fn of_effects(effects: &[f64], seed: u64) -> Self {
        let backbone = |(i, &effect): (usize, &f64)| SyntheticBackbone {
            name: char::from(b'a' + i as u8).to_string(),
            effect,
            centre: 0.0,
            parameters: (i as u64 + 1) * 1_000_000,
        };
        let backbones = effects.iter().enumerate().map(backbone).collect();
        Self { backbones, seed, ..Self::default() }
    }

    /// The tiles, the same for every backbone.
    pub fn tiles(&self) -> SyntheticTiles {
        let mut rng = self.stream(0);
        let (mut metas, mut labels) = (Vec::new(), Vec::new());
        for patient in 0..self.n_patients {
            let centre = patient % self.n_centres.max(1);
            let along = centre as f64 / (self.n_centres.max(2) - 1) as f64;
            let share = self.share + (1.0 - 2.0 * self.share) * along;
            for tile in 0..self.tiles_per_patient {
                labels.push(u32::from(rng.random::<f64>() < share));
                metas.push(TileMeta {
                    tile_id: format!("p{patient:03}/{tile:03}"),
                    slide: format!("slide {patient:03}"),
                    group: format!("patient {patient:03}"),
                    centre: Some(format!("centre {centre}")),
                    scanner: None,
                    x: (tile * 256) as i64,
                    y: 0,
                    size_level0_px: 256,
                    requested_mpp: None,
                    effective_mpp: None,
                    tissue_fraction: 1.0,
                    source: String::new(),
                    source_digest: format!("{}", self.seed),
                });
            }
        }
        SyntheticTiles { metas, labels }
    }

    /// The embeddings of one backbone, in the order of the tiles.
    pub fn embeddings(&self, backbone: usize, tiles: &SyntheticTiles) -> Result<Matrix> {
        let b = &self.backbones[backbone];
        // What makes tiles hard is drawn from a stream that all backbones share.
        let mut shared = self.stream(1);
        let hardness: Vec<f64> = tiles.labels.iter().map(|_| normal(&mut shared)).collect();
        let mut rng = self.stream(2 + backbone as u64);
        let effects: Vec<Vec<f64>> = (0..self.n_patients)
            .map(|_| (0..self.dim).map(|_| self.patient_sd * normal(&mut rng)).collect())
            .collect();
        let mut values = Vec::with_capacity(tiles.labels.len() * self.dim);
        for (i, (&label, hard)) in tiles.labels.iter().zip(&hardness).enumerate() {
            let patient = i / self.tiles_per_patient.max(1);
            let centre = patient % self.n_centres.max(1);
            let place = centre as f64 / (self.n_centres.max(2) - 1) as f64 - 0.5;
            let class = f64::from(label) - 0.5;
            for (k, effect) in effects[patient].iter().enumerate() {
                let signal = match k {
                    0 => b.effect * (class + self.tile_sd * hard),
                    1 => b.centre * place,
                    _ => 0.0,
                };
                values.push((signal + effect + normal(&mut rng)) as f32);
            }
        }
        Matrix::new(tiles.labels.len(), self.dim, values)
    }

    /// Puts every backbone's embeddings into a store; returned are tiles and, for each backbone,
    /// what is known of it with its contract.
    pub fn fill(
        &self,
        store: &dyn EmbeddingStore,
    ) -> Result<(SyntheticTiles, Vec<(BackboneInfo, Contract)>)> {
        let tiles = self.tiles();
        let mut infos = Vec::new();
        for index in 0..self.backbones.len() {
            let info = self.info(index);
            let contract = contract(&info);
            let embeddings = self.embeddings(index, &tiles)?;
            let (metas, views) = (tiles.metas.clone(), vec![0; tiles.metas.len()]);
            let batch = EmbeddingBatch::new(contract.fingerprint(), metas, views, embeddings)?;
            let mut writer = store.writer(&contract)?;
            writer.append(batch)?;
            writer.commit()?;
            infos.push((info, contract));
        }
        Ok((tiles, infos))
    }

    fn info(&self, index: usize) -> BackboneInfo {
        let b = &self.backbones[index];
        BackboneInfo {
            name: b.name.clone(),
            family: "synthetic".into(),
            architecture: std::collections::BTreeMap::new(),
            weights_sha256: format!("synthetic {} {:?} {}", self.seed, b, self.dim),
            parameters: b.parameters,
            input_px: 256,
            mean: [0.0; 3],
            std: [1.0; 3],
            resampling: "bicubic".into(),
            pooling: "none".into(),
            dim: self.dim as u32,
            precision: "f32".into(),
            licence: Licence { name: "MIT".into(), allows: Use::Commercial },
            training_sources: Vec::new(),
            engine: "none".into(),
        }
    }

    fn stream(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    rng.sample(StandardNormal)
}

fn contract(info: &BackboneInfo) -> Contract {
    Contract {
        version: Contract::VERSION,
        backbone: info.name.clone(),
        weights_sha256: info.weights_sha256.clone(),
        architecture: info.architecture.clone(),
        input_px: info.input_px,
        mean: info.mean,
        std: info.std,
        resampling: info.resampling.clone(),
        pooling: info.pooling.clone(),
        dim: info.dim,
        precision: info.precision.clone(),
        tile_um: None,
        tile_px: 256,
        mpp_policy: "none".into(),
        reader: "synthetic 1".into(),
        view: "identity".into(),
    }
}
