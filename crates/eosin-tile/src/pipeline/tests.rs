// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eosin_core::{Error, RgbImage, TileMeta};

use super::*;

/// Counts the tiles that are begun; those whose index is a multiple of 3 take longer.
struct Counting {
    metas: Vec<TileMeta>,
    begun: AtomicUsize,
}

impl Counting {
    fn new(n: usize) -> Self {
        let metas = (0..n).map(|i| TileMeta::named(format!("tile {i}"), 4)).collect();
        Self { metas, begun: AtomicUsize::new(0) }
    }
}

impl TileSource for Counting {
    fn kind(&self) -> &'static str {
        "counting"
    }

    fn reader_version(&self) -> &'static str {
        "1"
    }

    fn tiles(&self) -> &[TileMeta] {
        &self.metas
    }

    fn read(&self, index: usize) -> Result<Tile> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if index.is_multiple_of(3) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if index == 7 {
            return Err(Error::input("tile", "another", "7", "none"));
        }
        Ok(Tile {
            meta: self.metas[index].clone(),
            image: RgbImage::filled(4, 4, [index as u8; 3]),
        })
    }
}

fn options(threads: usize, in_flight: usize) -> PipelineOptions {
    PipelineOptions { threads, in_flight }
}

#[test]
fn tiles_come_in_order_on_any_number_of_threads() {
    let source = Counting::new(60);
    let indices: Vec<usize> = (5..60).rev().chain([5, 7, 9]).collect();
    for threads in [0, 1, 2, 8] {
        for in_flight in [0, 1, 3, 100] {
            let mut positions = Vec::new();
            for_each_tile(
                &source,
                &indices,
                options(threads, in_flight),
                |tile| Ok(tile.image.pixel(0, 0)[0]),
                |position, value| {
                    match value {
                        Ok(value) => assert_eq!(usize::from(value), indices[position]),
                        Err(_) => assert_eq!(indices[position], 7),
                    }
                    positions.push(position);
                    Ok(())
                },
            )
            .unwrap();
            assert!(positions.into_iter().eq(0..indices.len()), "{threads} {in_flight}");
        }
    }
}

#[test]
fn a_slow_consumer_holds_reading_back() {
    for (threads, in_flight) in [(2, 1), (2, 3), (4, 5), (8, 2)] {
        let source = Counting::new(40);
        let indices: Vec<usize> = (0..40).collect();
        let mut most = 0;
        for_each_tile(&source, &indices, options(threads, in_flight), Ok, |position, _| {
            // Long enough for every thread to begin whatever it may.
            std::thread::sleep(Duration::from_millis(2));
            most = most.max(source.begun.load(Ordering::SeqCst) - position);
            Ok(())
        })
        .unwrap();
        assert!(most <= in_flight, "{most} of {in_flight} tiles in flight");
        // It reads ahead as far as it may.
        assert_eq!(most, in_flight);
    }
}

#[test]
fn a_consumer_that_fails_ends_the_reading() {
    let source = Counting::new(1000);
    let indices: Vec<usize> = (0..1000).collect();
    let failed = for_each_tile(&source, &indices, options(4, 6), Ok, |position, _| {
        if position == 10 {
            return Err(Error::input("consumer", "more", "10", "none"));
        }
        Ok(())
    });
    assert!(failed.unwrap_err().to_string().contains("consumer"));
    assert!(source.begun.into_inner() <= 10 + 6);
}

#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn a_panic_in_the_work_is_passed_on_and_nobody_waits_for_it() {
    let source = Counting::new(100);
    let indices: Vec<usize> = (0..100).collect();
    let work = |tile: Tile| {
        assert!(tile.meta.tile_id != "tile 20", "tile 20");
        Ok(())
    };
    for_each_tile(&source, &indices, options(3, 4), work, |_, _| Ok(())).unwrap();
}
