// SPDX-License-Identifier: MIT OR Apache-2.0

//! How much memory a piece of work takes at its largest, on its own thread.

use eosin_testkit::memory::Counting;
pub use eosin_testkit::memory::peak_of;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_peak_is_what_was_held_at_once() {
    let ((), peak) = peak_of(|| {
        drop(std::hint::black_box(vec![1u8; 3 << 20]));
        drop(std::hint::black_box(vec![1u8; 5 << 20]));
    });
    assert!((5 << 20..6 << 20).contains(&peak), "{peak}");
}
