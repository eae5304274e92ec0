// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long the stages of embedding worked and waited.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Where the time of one embedding went.
///
/// A pipeline whose engine waits little is as fast as its engine; every stage's work and waiting
/// add up to about `seconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EmbedStats {
    /// Wall clock from the plan to the last commit.
    pub seconds: f64,
    /// Rows that were embedded.
    pub n_rows: usize,
    /// Reading and decoding, summed over the threads that shared it.
    pub decode_core_seconds: f64,
    /// Resampling and views, summed over the threads that shared it.
    pub resample_core_seconds: f64,
    /// Reading, decoding and resampling; it waits for room before the engine.
    pub read: StageTime,
    /// Normalising and the forward pass; it waits for tiles, and for room before the writer.
    pub engine: StageTime,
    /// Appending and committing; it waits for rows.
    pub write: StageTime,
    /// Floating-point operations of a row, where the backbone's are counted.
    pub flops_per_row: Option<f64>,
}

/// A stage's seconds of wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTime {
    /// At work.
    pub work: f64,
    /// Waiting for another stage.
    pub waiting: f64,
}

/// Seconds that several threads add up.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl EmbedStats {
    /// Rows embedded and committed per second.
    pub fn rows_per_second(&self) -> f64 {
        self.n_rows as f64 / self.seconds.max(1e-9)
    }

    /// Floating-point operations per second over the whole time, in units of 10⁹.
    pub fn gflops(&self) -> Option<f64> {
        self.flops_per_row.map(|flops| flops * self.rows_per_second() / 1e9)
    }
}

impl StageTime {
    pub(crate) fn work<T>(&mut self, work: impl FnOnce() -> T) -> T {
        add(&mut self.work, work)
    }

    pub(crate) fn wait<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        add(&mut self.waiting, wait)
    }
}

fn add<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    *seconds += started.elapsed().as_secs_f64();
    result
}

impl Clock {
    pub(crate) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.0.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        result
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1e9
    }
}
