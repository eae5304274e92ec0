// SPDX-License-Identifier: MIT OR Apache-2.0

/// Hears how far long work has come; libraries report, the command line draws.
pub trait Progress: Sync {
    /// A stage of `total` steps begins; it ends when the next begins or `finish` is called.
    fn start(&self, stage: &str, total: u64);
    /// `steps` more steps are done.
    fn advance(&self, steps: u64);
    /// The stage is over.
    fn finish(&self);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _steps: u64) {}
    fn finish(&self) {}
}
