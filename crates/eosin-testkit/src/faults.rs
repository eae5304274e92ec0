// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sources, backbones and stores that fail or panic when it is their turn, and the time within
//! which whoever uses them must end.
//!
//! ```
//! use eosin_core::{Backbone, TileBatch, TileSource};
//! use eosin_testkit::faults::{Fault, Faulty, GreyBackbone, GreySource};
//! let source = Faulty::new(GreySource::new(3), 1, Fault::Error);
//! assert!(source.read(0).is_ok());
//! assert!(source.read(1).unwrap_err().to_string().contains("made to fail"));
//! let backbone = Faulty::new(GreyBackbone::new(), 0, Fault::Value(f32::NAN));
//! let mut batch = TileBatch::new(8);
//! batch.push(source.read(0).unwrap()).unwrap();
//! assert!(backbone.embed(&batch).unwrap().row(0)[0].is_nan());
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use eosin_core::{
    Backbone, BackboneInfo, Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Error,
    Fingerprint, Licence, Matrix, Result, RgbImage, SetSummary, Tile, TileBatch, TileMeta,
    TileSource, Use,
};
use rayon::prelude::*;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// An error is returned.
    Error,
    /// The calling thread panics.
    Panic,
    /// A thread of the rayon pool panics, in a parallel loop of the caller.
    PanicInPool,
    /// A backbone returns this value in its first row; for others as [`Fault::Error`].
    Value(f32),
}

/// Something that works as what it wraps, but for one call.
///
/// A source fails at reading tile `at`; a backbone at its batch number `at`, from 0; a store's
/// writers at their append number `at`, or at their commit number `at` after
/// [`Faulty::at_commits`].
#[derive(Debug)]
pub struct Faulty<T> {
    inner: T,
    at: usize,
    fault: Fault,
    commits: bool,
    calls: AtomicUsize,
}

impl Fault {
    /// Goes wrong.
    ///
    /// # Panics
    ///
    /// Where the fault is a panic.
    pub fn strike<T>(self, what: &str) -> Result<T> {
        let text = format!("{what} was made to fail");
        match self {
            Self::Panic => panic!("{text}"),
            Self::PanicInPool => {
                (0..4).into_par_iter().for_each(|i| assert!(i != 2, "{text}"));
                unreachable!("the loop panics")
            }
            Self::Error | Self::Value(_) => {
                Err(Error::data(what, "success", text, "none, it is a test"))
            }
        }
    }
}

impl<T> Faulty<T> {
    /// `inner` with a fault at its call number `at`.
    pub fn new(inner: T, at: usize, fault: Fault) -> Self {
        Self { inner, at, fault, commits: false, calls: AtomicUsize::new(0) }
    }

    /// The same store, whose writers fail when they commit instead of when they append.
    pub fn at_commits(self) -> Self {
        Self { commits: true, ..self }
    }
}

impl<T: TileSource> TileSource for Faulty<T> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn reader_version(&self) -> &str {
        self.inner.reader_version()
    }

    fn tiles(&self) -> &[TileMeta] {
        self.inner.tiles()
    }

    fn read(&self, index: usize) -> Result<Tile> {
        if index == self.at {
            return self.fault.strike(&format!("reading tile {index}"));
        }
        self.inner.read(index)
    }
}

impl<T: Backbone> Backbone for Faulty<T> {
    fn info(&self) -> &BackboneInfo {
        self.inner.info()
    }

    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        let is_now = self.calls.fetch_add(1, Ordering::Relaxed) == self.at;
        match self.fault {
            Fault::Value(value) if is_now => {
                let mut rows = self.inner.embed(batch)?;
                rows.row_mut(0)[0] = value;
                Ok(rows)
            }
            fault if is_now => fault.strike(&format!("embedding batch {}", self.at)),
            _ => self.inner.embed(batch),
        }
    }
}

impl<T: EmbeddingStore> EmbeddingStore for Faulty<T> {
    fn sets(&self) -> Result<Vec<SetSummary>> {
        self.inner.sets()
    }

    fn scan(
        &self,
        set: &Fingerprint,
        visit: &mut dyn FnMut(EmbeddingBatch) -> Result<()>,
    ) -> Result<()> {
        self.inner.scan(set, visit)
    }

    fn writer(&self, contract: &Contract) -> Result<Box<dyn EmbeddingWriter>> {
        Ok(Box::new(FaultyWriter {
            inner: self.inner.writer(contract)?,
            at: self.at,
            fault: self.fault,
            commits: self.commits,
            calls: 0,
        }))
    }
}

struct FaultyWriter {
    inner: Box<dyn EmbeddingWriter>,
    at: usize,
    fault: Fault,
    commits: bool,
    calls: usize,
}

impl FaultyWriter {
    fn call(&mut self, is_commit: bool, what: &str) -> Result<()> {
        if is_commit != self.commits {
            return Ok(());
        }
        self.calls += 1;
        if self.calls == self.at + 1 { self.fault.strike(what) } else { Ok(()) }
    }
}

impl EmbeddingWriter for FaultyWriter {
    fn append(&mut self, batch: EmbeddingBatch) -> Result<()> {
        self.call(false, "appending")?;
        self.inner.append(batch)
    }

    fn commit(&mut self) -> Result<u64> {
        self.call(true, "committing")?;
        self.inner.commit()
    }
}

/// Tiles of 8 × 8 pixels, each of a grey of its own.
#[derive(Clone, Debug)]
pub struct GreySource(Vec<TileMeta>);

impl GreySource {
    /// `n_tiles` tiles, named `tile 0000` and so on.
    pub fn new(n_tiles: usize) -> Self {
        let meta = |i: usize| TileMeta {
            source_digest: format!("grey {i}"),
            ..TileMeta::named(format!("tile {i:04}"), 8)
        };
        Self((0..n_tiles).map(meta).collect())
    }
}

impl TileSource for GreySource {
    fn kind(&self) -> &'static str {
        "grey"
    }

    fn reader_version(&self) -> &'static str {
        "1"
    }

    fn tiles(&self) -> &[TileMeta] {
        &self.0
    }

    fn read(&self, index: usize) -> Result<Tile> {
        let image = RgbImage::filled(8, 8, [(index % 256) as u8; 3]);
        Ok(Tile { meta: self.0[index].clone(), image })
    }
}

/// A backbone of two dimensions: a tile's first value of red, and 1.
#[derive(Clone, Debug)]
pub struct GreyBackbone(BackboneInfo);

impl GreyBackbone {
    /// The backbone.
    pub fn new() -> Self {
        Self(BackboneInfo {
            name: "grey".into(),
            family: "synthetic".into(),
            architecture: BTreeMap::new(),
            weights_sha256: "none".into(),
            parameters: 0,
            input_px: 8,
            mean: [0.0; 3],
            std: [1.0; 3],
            resampling: "bicubic".into(),
            pooling: "none".into(),
            dim: 2,
            precision: "f32".into(),
            licence: Licence { name: "MIT".into(), allows: Use::Commercial },
            training_sources: Vec::new(),
            engine: "none".into(),
        })
    }
}

impl Default for GreyBackbone {
    fn default() -> Self {
        Self::new()
    }
}

impl Backbone for GreyBackbone {
    fn info(&self) -> &BackboneInfo {
        &self.0
    }

    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        let tile = (batch.px() * batch.px() * 3) as usize;
        let rows = batch.pixels().chunks(tile).flat_map(|pixels| [f32::from(pixels[0]), 1.0]);
        Matrix::new(batch.n_tiles(), 2, rows.collect())
    }
}

/// Does `work` on a thread of its own; a hang is then a failure and not a wait.
///
/// # Panics
///
/// Where `work` does not end within `limit`, or panics.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = channel();
    let worker = std::thread::spawn(move || {
        let result = work();
        // Nobody waits any more only after the limit.
        let _ = done.send(());
        result
    });
    assert!(
        wait.recv_timeout(limit) != Err(RecvTimeoutError::Timeout),
        "it has not ended within {limit:?}"
    );
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
