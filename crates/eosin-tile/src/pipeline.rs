// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tiles read by several threads and handed on in order, a bounded number at a time.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use eosin_core::{Result, Tile, TileSource};

/// How many tiles are worked on at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipelineOptions {
    /// Threads that read; 0 takes all cores, 1 the calling thread.
    pub threads: usize,
    /// Tiles at most that are begun and not yet consumed; 0 takes four for each thread. Memory is
    /// bounded by it and by the source's cache.
    pub in_flight: usize,
}

/// Reads the tiles `indices` and does `work` on them, and calls `consume` with each position in
/// `indices` and what came of it, in the order of `indices` and on the calling thread.
///
/// The order does not depend on the number of threads. Where `consume` is slow, reading waits for
/// it; where it fails, reading stops and its error is returned. A source reads fastest in the order
/// of its tiles: each stored piece is then decoded once.
///
/// ```no_run
/// use eosin_core::{TileSource, TileUm};
/// use eosin_tile::{PipelineOptions, SlideSource, TilingOptions, for_each_tile};
///
/// let options = TilingOptions::new(TileUm::new(112.0)?, 224);
/// let source = SlideSource::open("CMU-1-Small-Region.svs", &options)?;
/// let all: Vec<usize> = (0..source.tiles().len()).collect();
/// for_each_tile(&source, &all, PipelineOptions::default(), Ok, |_, tile| {
///     println!("{}", tile?.meta.tile_id);
///     Ok(())
/// })?;
/// # Ok::<(), eosin_core::Error>(())
/// ```
pub fn for_each_tile<T: Send>(
    source: &dyn TileSource,
    indices: &[usize],
    options: PipelineOptions,
    work: impl Fn(Tile) -> Result<T> + Sync,
    mut consume: impl FnMut(usize, Result<T>) -> Result<()>,
) -> Result<()> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = if options.threads == 0 { cores() } else { options.threads };
    let produce = |position: usize| source.read(indices[position]).and_then(&work);
    if threads == 1 || indices.len() < 2 {
        return (0..indices.len()).try_for_each(|position| consume(position, produce(position)));
    }
    let in_flight = if options.in_flight == 0 { 4 * threads } else { options.in_flight };
    let queue = Queue::new(indices.len(), in_flight);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(in_flight) {
            scope.spawn(|| {
                let _stop = StopOnPanic(&queue);
                while let Some(position) = queue.begin() {
                    queue.finish(position, produce(position));
                }
            });
        }
        let _stop = StopOnPanic(&queue);
        let mut consumed = Ok(());
        while let Some((position, result)) = queue.next() {
            consumed = consume(position, result);
            if consumed.is_err() {
                break;
            }
        }
        queue.stop();
        consumed
    })
}

/// What is begun and not yet consumed, in order.
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    len: usize,
    in_flight: usize,
}

struct State<T> {
    /// Results from position `taken` on, `None` while they are made.
    window: VecDeque<Option<Result<T>>>,
    /// Positions that the consumer was given.
    taken: usize,
    /// Whether the consumer still works on the last one.
    consuming: bool,
    stopped: bool,
}

impl<T> Queue<T> {
    fn new(len: usize, in_flight: usize) -> Self {
        let state = State { window: VecDeque::new(), taken: 0, consuming: false, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), len, in_flight }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next position to work on, once there is room for it.
    fn begin(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            let position = state.taken + state.window.len();
            if state.stopped || position == self.len {
                return None;
            }
            if state.window.len() + usize::from(state.consuming) < self.in_flight {
                state.window.push_back(None);
                return Some(position);
            }
            state = self.wait(state);
        }
    }

    fn finish(&self, position: usize, result: Result<T>) {
        let mut state = self.lock();
        let at = position - state.taken;
        if let Some(slot) = state.window.get_mut(at) {
            *slot = Some(result);
        }
        self.changed.notify_all();
    }

    /// The next result in order; asking for it says that the one before is consumed.
    fn next(&self) -> Option<(usize, Result<T>)> {
        let mut state = self.lock();
        state.consuming = false;
        self.changed.notify_all();
        loop {
            if state.stopped || state.taken == self.len {
                return None;
            }
            if let Some(result) = state.window.front_mut().and_then(Option::take) {
                state.window.pop_front();
                state.taken += 1;
                state.consuming = true;
                return Some((state.taken - 1, result));
            }
            state = self.wait(state);
        }
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// A thread that panics must not leave the others waiting.
struct StopOnPanic<'a, T>(&'a Queue<T>);

impl<T> Drop for StopOnPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

#[cfg(test)]
mod tests;
