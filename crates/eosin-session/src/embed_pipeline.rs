// SPDX-License-Identifier: MIT OR Apache-2.0

//! The stages of embedding: reading, the engine and writing, with bounded queues between them.
//!
//! A stage ends when the one before it has, or when the one after it has gone, so each owns its
//! ends of the queues: whatever happens to one, the others end, and the first cause is returned.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use eosin_core::{
    Backbone, EmbeddingBatch, EmbeddingWriter, Error, Fingerprint, Progress, Result, Tile,
    TileBatch,
};
use rayon::prelude::*;

use crate::embed::Skipped;
use crate::embed_stats::StageTime;

/// Batches that wait decoded while the engine computes, and embedded ones that wait to be written.
const QUEUE: usize = 2;

/// One tile's images, ready for the backbone, or why there are none.
pub(crate) type Prepared = Result<Vec<Tile>, Skipped>;

/// What is to be embedded, and how.
///
/// Tiles are prepared, and the engine computes, on the same rayon pool: whichever has less to do
/// leaves its cores to the other.
pub(crate) struct EmbedPipeline<'a> {
    /// Numbers of tiles, batch by batch.
    pub(crate) batches: &'a [Vec<usize>],
    /// Makes the images of a tile.
    pub(crate) prepare: &'a (dyn Fn(usize) -> Prepared + Sync),
    pub(crate) backbone: &'a dyn Backbone,
    /// The set that the rows are of.
    pub(crate) set: &'a Fingerprint,
    /// Images of a forward pass.
    pub(crate) batch_size: usize,
    /// Rows after which work is committed, once their batch is whole.
    pub(crate) commit_rows: usize,
    pub(crate) progress: &'a dyn Progress,
}

/// What was embedded and committed.
pub(crate) struct Embedded {
    pub(crate) read: StageTime,
    pub(crate) engine: StageTime,
    pub(crate) write: StageTime,
    pub(crate) skipped: Vec<Skipped>,
}

/// Rows of one forward pass.
struct Pass {
    rows: EmbeddingBatch,
    /// Whether they are the last of their batch.
    ends_batch: bool,
}

impl EmbedPipeline<'_> {
    /// Embeds everything and commits it batch by batch.
    ///
    /// A stage that fails or panics ends the others, and what was committed until then stays.
    pub(crate) fn run(&self, writer: &mut dyn EmbeddingWriter) -> Result<Embedded> {
        let (to_engine, from_reader) = bounded(QUEUE);
        let (to_writer, from_engine) = bounded(QUEUE);
        let (read, forward, written) = thread::scope(|scope| {
            let reader = scope.spawn(move || self.read(to_engine));
            let writer = scope.spawn(move || write(from_engine, writer, self.commit_rows));
            let forward = caught(move || self.forward(from_reader, to_writer));
            (reader.join(), forward, writer.join())
        });
        // The writer's error is the cause where the engine found nobody to take its rows, and the
        // engine's where the reader did not.
        let write = written.map_err(|p| panicked("write embeddings of", &self.name(), p))??;
        let (engine, skipped) =
            forward.map_err(|text| stopped("compute embeddings of", &self.name(), text))??;
        let read = read.map_err(|p| panicked("read tiles for", &self.name(), p))?;
        Ok(Embedded { read, engine, write, skipped })
    }

    fn name(&self) -> String {
        self.backbone.info().name.clone()
    }

    /// Prepares batch after batch as long as the queue takes them.
    fn read(&self, queue: Sender<Vec<Prepared>>) -> StageTime {
        let mut time = StageTime::default();
        for batch in self.batches {
            let prepared =
                time.work(|| batch.par_iter().map(|&index| (self.prepare)(index)).collect());
            // The receiver is gone only after an error, which it reports itself.
            if time.wait(|| queue.send(prepared)).is_err() {
                break;
            }
        }
        time
    }

    /// Embeds what comes prepared; normalising is the first step of the engine.
    fn forward(
        &self,
        tiles: Receiver<Vec<Prepared>>,
        queue: Sender<Pass>,
    ) -> Result<(StageTime, Vec<Skipped>)> {
        let (mut time, mut skipped) = (StageTime::default(), Vec::new());
        while let Ok(prepared) = time.wait(|| tiles.recv()) {
            let (mut images, mut views) = (Vec::new(), Vec::new());
            for tile in prepared {
                match tile {
                    Ok(tiles) => {
                        views.extend(0..tiles.len() as u16);
                        images.extend(tiles);
                    }
                    Err(reason) => {
                        tracing::warn!(tile = reason.tile, reason = reason.reason, "tile skipped");
                        skipped.push(reason);
                    }
                }
            }
            let mut images = images.into_iter();
            let mut passes = views.chunks(self.batch_size.max(1)).peekable();
            while let Some(views) = passes.next() {
                let rows = time.work(|| self.pass(images.by_ref().take(views.len()), views))?;
                self.progress.advance(views.len() as u64);
                // The writer is gone only after an error, which it reports itself.
                let pass = Pass { rows, ends_batch: passes.peek().is_none() };
                if time.wait(|| queue.send(pass).is_err()) {
                    return Ok((time, skipped));
                }
            }
        }
        Ok((time, skipped))
    }

    /// One forward pass.
    fn pass(&self, images: impl Iterator<Item = Tile>, views: &[u16]) -> Result<EmbeddingBatch> {
        let mut batch = TileBatch::new(self.backbone.info().input_px);
        for tile in images {
            batch.push(tile)?;
        }
        let embeddings = self.backbone.embed(&batch)?;
        EmbeddingBatch::new(self.set.clone(), batch.metas().to_vec(), views.to_vec(), embeddings)
    }
}

/// Appends what comes embedded and commits it every `commit_rows` rows and at the end.
///
/// Only whole batches are appended: commits never tear one, nor a tile's views, also where the
/// engine ends in the midst of one.
fn write(
    passes: Receiver<Pass>,
    writer: &mut dyn EmbeddingWriter,
    commit_rows: usize,
) -> Result<StageTime> {
    let (mut time, mut uncommitted) = (StageTime::default(), 0);
    let mut batch = Vec::new();
    while let Ok(Pass { rows, ends_batch }) = time.wait(|| passes.recv()) {
        batch.push(rows);
        if !ends_batch {
            continue;
        }
        time.work(|| {
            for rows in batch.drain(..) {
                uncommitted += rows.embeddings.n_rows();
                writer.append(rows)?;
            }
            if uncommitted >= commit_rows {
                writer.commit()?;
                uncommitted = 0;
            }
            Ok(())
        })?;
    }
    if uncommitted > 0 {
        time.work(|| writer.commit())?;
    }
    Ok(time)
}

/// Does `work`; what it says when it panics is the error.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // Whoever calls this gives up, or never looks again at, what a panic may have left half done.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(panic.as_ref()))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason given".into())
}

#[expect(clippy::needless_pass_by_value, reason = "a join's error is a box")]
fn panicked(action: &'static str, name: &str, panic: Box<dyn Any + Send>) -> Error {
    stopped(action, name, panic_text(panic.as_ref()))
}

fn stopped(action: &'static str, name: &str, text: String) -> Error {
    Error::Environment {
        action,
        path: name.into(),
        source: std::io::Error::other(format!("a thread panicked: {text}")),
        hint: "this is a fault of the program: report it with the message above; committed work \
               is kept"
            .into(),
    }
}

#[cfg(test)]
mod tests;
