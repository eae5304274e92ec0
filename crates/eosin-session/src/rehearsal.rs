// SPDX-License-Identifier: MIT OR Apache-2.0

//! A dry run is the run itself, on embeddings that cost nothing.
//!
//! A list of checks beside the run would forget some of what the run asks for. So the run's own
//! code runs: every backbone is loaded, every tile is opened, and then small vectors of noise
//! stand for the embeddings, in a store and a folder that are gone afterwards. What fails here
//! would fail in the run, and what is left out here would be left out there.

use std::sync::atomic::{AtomicBool, Ordering};

use eosin_core::{
    Backbone, BackboneInfo, EmbeddingStore, Error, Matrix, NoProgress, Result, RgbImage, Tile,
    TileBatch, TileMeta, TileSource,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::config::LoadedRun;
use crate::embed::Skipped;
use crate::session::Session;
use crate::writable::require_writable;

/// Side of the images that stand for tiles.
const PX: u32 = 8;
/// Length of the vectors that stand for embeddings: enough that no two are alike by chance.
const DIM: u32 = 32;
/// Tiles that are decoded, evenly over the source; of the others the file is opened.
const DECODED: usize = 4096;

/// Runs `job` on a copy of the session that leaves nothing behind, and tells what it would tell.
///
/// Beside what the job itself asks for, its folder must be one that can be written in, and the
/// store in it one that can be read.
pub fn rehearse<T>(session: &Session, job: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
    require_writable(&session.out)?;
    session.store().sets()?;
    let folder = tempfile::tempdir().map_err(|e| Error::io("write in", std::env::temp_dir(), e))?;
    job(&session.rehearsal(folder.path(), &NoProgress)?)
}

/// Reads up to `most` tiles of a source, evenly over it, and names those that cannot be read.
///
/// A file that could not be opened when the source was made has no digest: it is always among them.
pub fn unreadable(source: &dyn TileSource, most: usize) -> Vec<Skipped> {
    let tiles = source.tiles();
    let stride = tiles.len().div_ceil(most).max(1);
    let read = |index: usize| {
        let meta = &tiles[index];
        if !index.is_multiple_of(stride) && !meta.source_digest.is_empty() {
            return None;
        }
        let error = source.read(index).err()?;
        Some(Skipped { tile: meta.tile_id.clone(), reason: error.to_string() })
    };
    (0..tiles.len()).into_par_iter().filter_map(read).collect()
}

/// The same run with fewer rounds: they only make its numbers steadier.
pub(crate) fn shortened(mut config: LoadedRun) -> LoadedRun {
    let run = &mut config.run;
    run.selection.repeats = 1;
    run.training.repeats = 1;
    run.evaluation.replicates = run.evaluation.replicates.min(100);
    config
}

/// A source whose tiles are opened, and then stand for noise.
pub(crate) struct RehearsalSource {
    source: Box<dyn TileSource>,
    /// Tiles that were opened and are sound.
    opened: Vec<AtomicBool>,
}

impl RehearsalSource {
    pub(crate) fn new(source: Box<dyn TileSource>) -> Self {
        let opened = source.tiles().iter().map(|_| AtomicBool::new(false)).collect();
        Self { source, opened }
    }

    /// Whether a tile is decoded: all of a small source, and some of a large one. A file without a
    /// digest could not be opened when the source was made, and reading it says why.
    fn is_decoded(&self, index: usize) -> bool {
        let stride = self.opened.len().div_ceil(DECODED).max(1);
        index.is_multiple_of(stride) || self.source.tiles()[index].source_digest.is_empty()
    }
}

impl TileSource for RehearsalSource {
    fn kind(&self) -> &'static str {
        self.source.kind()
    }

    fn reader_version(&self) -> &str {
        self.source.reader_version()
    }

    fn tiles(&self) -> &[TileMeta] {
        self.source.tiles()
    }

    fn read(&self, index: usize) -> Result<Tile> {
        let Some((meta, opened)) = self.source.tiles().get(index).zip(self.opened.get(index))
        else {
            return self.source.read(index);
        };
        if self.is_decoded(index) && !opened.load(Ordering::Relaxed) {
            self.source.read(index)?;
            opened.store(true, Ordering::Relaxed);
        }
        let mut data = vec![0; (PX * PX * 3) as usize];
        noise(meta.tile_id.as_bytes()).fill(&mut data[..]);
        Ok(Tile { meta: meta.clone(), image: RgbImage::new(PX, PX, data)? })
    }
}

/// A backbone that could be loaded, and whose embeddings are noise.
pub(crate) struct RehearsalBackbone {
    info: BackboneInfo,
}

impl RehearsalBackbone {
    pub(crate) fn of(backbone: &dyn Backbone) -> Self {
        Self { info: BackboneInfo { input_px: PX, dim: DIM, ..backbone.info().clone() } }
    }
}

impl Backbone for RehearsalBackbone {
    fn info(&self) -> &BackboneInfo {
        &self.info
    }

    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        let n_bytes = (PX * PX * 3) as usize;
        let rows = batch.metas().iter().zip(batch.pixels().chunks(n_bytes));
        let row = |(meta, pixels): (&TileMeta, &[u8])| -> Vec<f32> {
            // Views of a tile differ in their pixels, tiles of one image in their names.
            let mut random = noise(&[meta.tile_id.as_bytes(), pixels].concat());
            (0..DIM).map(|_| random.random_range(-1.0..1.0)).collect()
        };
        Matrix::from_rows(&rows.map(row).collect::<Vec<_>>())
    }
}

fn noise(seed: &[u8]) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(*blake3::hash(seed).as_bytes())
}
