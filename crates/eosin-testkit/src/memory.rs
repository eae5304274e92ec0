// SPDX-License-Identifier: MIT OR Apache-2.0

//! How much memory a piece of work takes at its largest, on its own thread.
//!
//! ```
//! use eosin_testkit::memory::{Counting, peak_of};
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//! let ((), peak) = peak_of(|| {
//!     drop(std::hint::black_box(vec![1u8; 3 << 20]));
//!     drop(std::hint::black_box(vec![1u8; 5 << 20]));
//! });
//! assert!((5 << 20..6 << 20).contains(&peak));
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Constants without destructors, so that counting itself allocates nothing.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Runs `work` and gives the bytes that it held at most beyond those held before, by allocations
/// on this thread alone. [`Counting`] must be the program's allocator.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before).max(0) as usize)
}

/// The system's allocator with a count.
pub struct Counting;

fn count(bytes: isize) {
    // A thread that ends may allocate after its counters are gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's duty.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's duty.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's duty.
        unsafe { System.dealloc(pointer, layout) }
    }
}
