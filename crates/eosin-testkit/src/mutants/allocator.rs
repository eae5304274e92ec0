// SPDX-License-Identifier: MIT OR Apache-2.0

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

static HELD: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);
static LIMIT: AtomicIsize = AtomicIsize::new(isize::MAX);

/// The system's allocator with a count over all threads, which refuses what passes a limit. Rust
/// ends a program whose allocation is refused, unless the program asks whether there is room.
pub struct Limited;

/// Runs `work` and gives the bytes that all threads held at most beyond those held before; above
/// `limit` bytes allocations fail. [`Limited`] must be the program's allocator.
pub fn peak_of_process<T>(limit: usize, work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    LIMIT.store(before.saturating_add_unsigned(limit), Ordering::Relaxed);
    let result = work();
    LIMIT.store(isize::MAX, Ordering::Relaxed);
    (result, (PEAK.load(Ordering::Relaxed) - before).max(0) as usize)
}

/// Counts `bytes` more, or leaves the count where it is if that would pass the limit.
fn take(bytes: isize) -> bool {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
    if bytes > 0 && held > LIMIT.load(Ordering::Relaxed) {
        HELD.fetch_sub(bytes, Ordering::Relaxed);
        return false;
    }
    PEAK.fetch_max(held, Ordering::Relaxed);
    true
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call is passed on to the system's allocator unchanged, or answered by null.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's duty.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's duty.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        take(-(layout.size() as isize));
        // SAFETY: the caller's duty.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !take(new_size as isize - layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's duty.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
