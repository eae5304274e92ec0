// SPDX-License-Identifier: MIT OR Apache-2.0

//! Work of other crates on texts and files of users, kept from ending the program.

use std::thread::{Builder, scope};

use polars::prelude::{PolarsError, PolarsResult};

/// Stack of the thread: enough for the deepest text that is accepted. Memory is taken as it is used.
const STACK_BYTES: usize = 256 << 20;

/// Name of the thread: of panics in threads of this name the command prints nothing, since what is
/// made of them is an error with its hint.
const NAME: &str = "guarded";

/// Works on a thread of its own; `None` where it panicked, or there was no thread.
pub(crate) fn guarded<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    scope(|scope| {
        let thread = Builder::new().name(NAME.into()).stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// Lets polars work, whose planner recurses over the text, and panics on what the features that
/// are compiled in do not cover.
pub(crate) fn by_polars<T: Send>(work: impl FnOnce() -> PolarsResult<T> + Send) -> PolarsResult<T> {
    guarded(work).unwrap_or_else(|| {
        let what = "this needs a part of polars that is not compiled in; write it more simply";
        Err(PolarsError::InvalidOperation(what.into()))
    })
}
