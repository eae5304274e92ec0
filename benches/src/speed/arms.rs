// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Result, ensure};
use eosin::crates::backbone::LoadOptions;
use eosin::crates::core::{Backbone, Matrix, NoProgress, TileSource};
use eosin::crates::head::{FitJob, LogisticTrainer};
use eosin::crates::store::{ParquetStore, TileKey};
use eosin::{EmbedOptions, Geometry};
use eosin_backbone_burn::{FineTuneOptions, FineTuneSet, fine_tune};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Work;
use super::linear::LinearHead;

/// How near to its best a trial must come.
const NEAR: f64 = 0.01;
/// Tiles per forward pass of a frozen backbone.
const BATCH: usize = 32;

/// Seconds since a trial began, and validation F1, after each pass.
pub struct Curve(Vec<(f64, f64)>);

/// When a trial first came near the best of its budget.
pub struct Reached {
    pub seconds: f64,
    pub best: f64,
}

/// All settings of a head on cached embeddings.
pub struct FrozenArm {
    /// Of the whole search, each trial until it came near its best.
    pub seconds: f64,
    /// Best F1 of each setting.
    pub scores: Vec<f64>,
}

/// What extraction left, and what it took.
pub struct Cache {
    pub features: Matrix,
    pub extraction: f64,
    pub reading: f64,
}

impl Curve {
    pub fn points(&self) -> &[(f64, f64)] {
        &self.0
    }

    pub fn reached(&self) -> Reached {
        let best = self.0.iter().map(|(_, f1)| *f1).fold(0.0, f64::max);
        let seconds = self
            .0
            .iter()
            .find(|(_, f1)| *f1 >= best - NEAR)
            .map_or(f64::NAN, |(seconds, _)| *seconds);
        Reached { seconds, best }
    }
}

/// Decodes, turns and trains on every tile in every pass; loading the weights is in the time.
pub fn fine_tuned(work: &Work, load: &LoadOptions, rate: f64) -> Result<Curve> {
    let tiles = work.tiles;
    let read = |i: usize| tiles.read(i);
    let set = FineTuneSet {
        read: &read,
        labels: &tiles.labels,
        n_classes: tiles.classes.len(),
        train: &tiles.split.train,
        validation: &tiles.split.held_out,
    };
    let options = FineTuneOptions {
        epochs: work.epochs,
        batch: work.batch,
        learning_rate: rate,
        seed: work.seed,
        ..FineTuneOptions::default()
    };
    let started = Instant::now();
    let mut points = Vec::new();
    let mut fault = None;
    fine_tune(work.card, load, &set, &options, &mut |epoch| match tiles
        .f1(&epoch.probabilities.argmax())
    {
        Ok(f1) => {
            points.push((started.elapsed().as_secs_f64(), f1));
            ControlFlow::Continue(())
        }
        Err(error) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
    })?;
    fault.map_or(Ok(Curve(points)), Err)
}

/// Decodes and embeds every tile in every pass, then takes the steps of a linear head.
pub fn uncached(work: &Work, backbone: &dyn Backbone, rate: f64) -> Result<Curve> {
    let embed = |rows: &[usize]| -> Result<Matrix> {
        let mut found = Matrix::new(0, backbone.info().dim as usize, Vec::new())?;
        for rows in rows.chunks(BATCH) {
            found.append(&backbone.embed(&work.tiles.batch(rows)?)?)?;
        }
        Ok(found)
    };
    sgd(work, backbone.info().dim as usize, rate, embed)
}

/// Embeds all tiles into a store and reads them back, row i being tile i.
pub fn cache(work: &Work, backbone: &dyn Backbone) -> Result<Cache> {
    let source = &work.tiles.source;
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let store = ParquetStore::open(folder.path())?;
    let options = EmbedOptions { batch_size: BATCH, views: None, only: None, replace: false };
    let geometry = Geometry::as_given();
    let outcome = eosin::embed(source, &geometry, backbone, &store, &options, &NoProgress)?;
    let extraction = started.elapsed().as_secs_f64();
    ensure!(outcome.skipped.is_empty(), "tiles that cannot be read: {:?}", outcome.skipped);
    let started = Instant::now();
    let features = ParquetStore::open(folder.path())?.read_embeddings(&outcome.fingerprint)?;
    let reading = started.elapsed().as_secs_f64();
    let ids: Vec<TileKey> = source.tiles().iter().map(TileKey::of).collect();
    let in_order = store.read_tiles(&outcome.fingerprint, &ids)?.embeddings;
    ensure!(features == in_order, "the store gave the tiles in another order");
    Ok(Cache { features, extraction, reading })
}

/// The same steps as `uncached`, on cached embeddings, once per step size.
pub fn sgd_head(work: &Work, features: &Matrix, rates: &[f64]) -> Result<FrozenArm> {
    let mut arm = FrozenArm { seconds: 0.0, scores: Vec::new() };
    for &rate in rates {
        let curve = sgd(work, features.n_cols(), rate, |rows| Ok(features.select(rows)))?;
        let reached = curve.reached();
        arm.seconds += reached.seconds;
        arm.scores.push(reached.best);
    }
    Ok(arm)
}

/// Exact logistic heads at all penalties at once; each is at its best when it is fitted.
pub fn exact_heads(work: &Work, features: &Matrix, penalties: &[f64]) -> Result<FrozenArm> {
    let tiles = work.tiles;
    let started = Instant::now();
    let n_classes = tiles.classes.len();
    let (train, held_out) = (&tiles.split.train, &tiles.split.held_out);
    let class_weights = tiles.class_weights();
    let mut targets = Matrix::new(train.len(), n_classes, vec![0.0; train.len() * n_classes])?;
    for (row, &i) in train.iter().enumerate() {
        targets.row_mut(row)[tiles.labels[i] as usize] = 1.0;
    }
    let weights: Vec<f32> =
        train.iter().map(|&i| class_weights[tiles.labels[i] as usize]).collect();
    let job = FitJob { classes: &tiles.classes, targets: &targets, weights: &weights, penalties };
    let heads = LogisticTrainer::default().fit_many(&features.select(train), &[job])?;
    let unseen = features.select(held_out);
    let scores = heads
        .iter()
        .flatten()
        .map(|head| tiles.f1(&head.predict(&unseen)?.argmax()))
        .collect::<Result<_>>()?;
    Ok(FrozenArm { seconds: started.elapsed().as_secs_f64(), scores })
}

/// A linear head by minibatches of embeddings, wherever they come from.
fn sgd(
    work: &Work,
    dim: usize,
    rate: f64,
    embed: impl Fn(&[usize]) -> Result<Matrix>,
) -> Result<Curve> {
    let tiles = work.tiles;
    let started = Instant::now();
    let class_weights = tiles.class_weights();
    let mut head = LinearHead::new(dim, tiles.classes.len(), rate);
    let mut points = Vec::new();
    for epoch in 1..=work.epochs {
        let mut rng = ChaCha8Rng::seed_from_u64(work.seed);
        rng.set_stream(epoch as u64);
        let mut order = tiles.split.train.clone();
        order.shuffle(&mut rng);
        for batch in order.chunks(work.batch) {
            let labels: Vec<u32> = batch.iter().map(|&i| tiles.labels[i]).collect();
            head.step(&embed(batch)?, &labels, &class_weights);
        }
        let f1 = tiles.f1(&head.predict(&embed(&tiles.split.held_out)?))?;
        points.push((started.elapsed().as_secs_f64(), f1));
    }
    Ok(Curve(points))
}

#[cfg(test)]
mod tests {
    use super::Curve;

    #[test]
    fn a_trial_counts_until_it_is_near_its_best() {
        let reached = Curve(vec![(1.0, 0.5), (2.0, 0.695), (3.0, 0.6), (4.0, 0.7)]).reached();
        assert!((reached.seconds - 2.0).abs() < 1e-9 && (reached.best - 0.7).abs() < 1e-9);
    }
}
