// SPDX-License-Identifier: MIT OR Apache-2.0

//! Small implementations of every trait, each sound or with one fault.

pub mod annotation;
pub mod augment;
pub mod backbone;
pub mod head;
pub mod proxy;
pub mod store;
pub mod tile;
pub mod writer;

use std::sync::atomic::{AtomicU32, Ordering};

/// Another number at every call: stands for a clock.
pub fn clock() -> u32 {
    static TICKS: AtomicU32 = AtomicU32::new(0);
    TICKS.fetch_add(1, Ordering::SeqCst)
}
