// SPDX-License-Identifier: MIT OR Apache-2.0

//! Two tiles of tissue from the clone's own slide, on which the goldens of networks were made.

use eosin_core::{RgbImage, Tile, TileBatch, TileMeta};

/// Written by `tests/golden/backbone/tissue.py`.
const FILES: [&[u8]; 2] =
    [include_bytes!("../assets/tissue/0.png"), include_bytes!("../assets/tissue/1.png")];

/// The middle `px` × `px` pixels of both tiles, at most 448.
///
/// # Panics
/// Where `px` is larger.
pub fn batch(px: u32) -> TileBatch {
    let mut batch = TileBatch::new(px);
    for (number, file) in FILES.iter().enumerate() {
        let tissue = image::load_from_memory(file).expect("a committed PNG file").to_rgb8();
        let start = (tissue.width().checked_sub(px).expect("a tile of at most 448 px")) / 2;
        let middle = image::imageops::crop_imm(&tissue, start, start, px, px).to_image();
        let image = RgbImage::new(px, px, middle.into_raw()).expect("three bytes a pixel");
        let tile = Tile { meta: TileMeta::named(format!("tissue {number}"), px), image };
        batch.push(tile).expect("a tile of the batch's size");
    }
    batch
}
