// SPDX-License-Identifier: MIT OR Apache-2.0

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use eosin_core::{Error, Result, RgbImage, Tile, TileMeta, TileSource};
use eosin_testkit::conformance::{contract, embedding_batch};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    SameIds,
    ShiftedMeta,
    Cursor,
    ThreadLocal,
    TissueAboveOne,
    NoDigest,
    Unreadable,
}

pub struct Source {
    fault: Fault,
    metas: Vec<TileMeta>,
    reads: AtomicUsize,
}

thread_local! {
    static READS: Cell<u8> = const { Cell::new(0) };
}

impl Source {
    pub fn new(fault: Fault) -> Self {
        let mut metas = embedding_batch(&contract("any"), 0, 6).metas;
        match fault {
            Fault::SameIds => metas[4].tile_id = "slide-0:224:0:224".into(),
            Fault::TissueAboveOne => metas[3].tissue_fraction = 1.5,
            Fault::NoDigest => metas[3].source_digest.clear(),
            _ => {}
        }
        Self { fault, metas, reads: AtomicUsize::new(0) }
    }
}

impl TileSource for Source {
    fn kind(&self) -> &'static str {
        "test"
    }
    fn reader_version(&self) -> &'static str {
        "1"
    }
    fn tiles(&self) -> &[TileMeta] {
        &self.metas
    }
    fn read(&self, index: usize) -> Result<Tile> {
        let at = self.reads.fetch_add(1, Ordering::SeqCst);
        let mut colour = index as u8;
        let mut meta = self.metas[index].clone();
        match self.fault {
            Fault::Cursor => colour = at as u8,
            // A decoder that is set up by the first tile that its thread reads.
            Fault::ThreadLocal => READS.with(|first| {
                if first.get() == 0 {
                    first.set(index as u8 + 1);
                }
                colour = first.get();
            }),
            Fault::ShiftedMeta => meta = self.metas[(index + 1) % 6].clone(),
            Fault::Unreadable if index == 2 => {
                return Err(Error::data("t.png", "an image", "noise", "replace it"));
            }
            _ => {}
        }
        Ok(Tile { meta, image: RgbImage::filled(8, 8, [colour; 3]) })
    }
}
