// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::{Mutex, PoisonError};

/// Buffers that go from one piece of work to the next, so that none is allocated after warm-up.
///
/// It holds at most as many as were in use at the same time.
#[derive(Debug)]
pub(super) struct Pool<T> {
    free: Mutex<Vec<T>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }
}

impl<T> Pool<T> {
    /// Runs `work` with a free buffer, or with a new one of `make`.
    pub(super) fn with<R>(&self, make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        // A panic elsewhere leaves a shorter list of buffers, which is as good as any.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = free.unwrap_or_else(make);
        let result = work(&mut buffer);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        result
    }
}
