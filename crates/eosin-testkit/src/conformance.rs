// SPDX-License-Identifier: MIT OR Apache-2.0

//! One suite per trait of `eosin-core`: what every implementation must do, whoever wrote it.
//!
//! A suite panics with the duty that was broken, what was expected and what was found, so it is
//! called from a test of the implementing crate.

mod annotation;
mod augment;
mod backbone;
mod head;
mod proxy;
mod store;
mod tile;
mod writer;

pub use annotation::annotation_format;
pub use augment::feature_transform;
pub use backbone::backbone;
pub use head::head_trainer;
pub use proxy::proxy_task;
pub use store::{contract, embedding_batch, embedding_store};
pub use tile::tile_source;
pub use writer::prediction_writer;

use eosin_core::{Error, Fold, LabelledSet};

/// A fold that holds out the groups whose number leaves `held_out` when divided by `n`.
pub(crate) fn group_fold(set: &LabelledSet, n: u32, held_out: u32) -> Fold {
    let (held_out, train) = (0..set.n_rows()).partition(|&row| set.groups()[row] % n == held_out);
    Fold { train, held_out }
}

/// Unwraps what a sound implementation must be able to do.
pub(crate) fn must<T>(duty: &str, result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{duty}: expected success, found the error \"{error}\""),
    }
}

/// Runs `check` on a thread of its own; a panic there keeps its message.
pub(crate) fn on_another_thread<T: Send>(check: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(check).join() {
        Ok(found) => found,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
