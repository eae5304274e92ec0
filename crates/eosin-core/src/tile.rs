// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use crate::{Error, Mpp, Result};

/// Where a tile comes from and what is known of it; one row of the store without its embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TileMeta {
    /// Unique within a source: the path relative to the manifest, or `slide:x:y:size`.
    pub tile_id: String,
    /// The slide, or the tile's own name where no slide is known.
    pub slide: String,
    /// The patient or other unit that splits must not tear; the slide where unknown.
    pub group: String,
    /// The hospital that made the slide.
    pub centre: Option<String>,
    /// The scanner that digitised it.
    pub scanner: Option<String>,
    /// Left edge in level-0 pixels.
    pub x: i64,
    /// Top edge in level-0 pixels.
    pub y: i64,
    /// Side in level-0 pixels.
    pub size_level0_px: u32,
    /// The resolution that was asked for.
    pub requested_mpp: Option<Mpp>,
    /// The resolution that the pixels have.
    pub effective_mpp: Option<Mpp>,
    /// The share of the tile that is tissue, 0 to 1; 1 where it was not measured.
    pub tissue_fraction: f32,
    /// The file that the tile is read from, as an absolute path; empty where it is not known.
    #[serde(default)]
    pub source: String,
    /// What that file holds, told by a digest: with the tile's id it is the tile's identity, so
    /// that files of one name are never taken for one. Empty where the file cannot be read.
    pub source_digest: String,
}

/// An 8-bit RGB image, rows from the top, three bytes a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

/// A tile's pixels with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// What is known of the tile.
    pub meta: TileMeta,
    /// Its pixels at the source's resolution.
    pub image: RgbImage,
}

/// Square tiles of one size in one buffer: N × px × px × 3 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct TileBatch {
    px: u32,
    metas: Vec<TileMeta>,
    pixels: Vec<u8>,
}

/// A planned sequence of tiles that can be read in any order, best in its own.
///
/// The caller reads indices below `tiles().len()`, from any number of threads.
/// The implementer plans cheaply (no pixel is decoded for it), keeps the order of `tiles` the
/// order in which reading is fastest, and returns the same pixels for the same index always.
///
/// ```
/// use eosin_core::{Result, RgbImage, Tile, TileMeta, TileSource};
/// struct Blank(Vec<TileMeta>);
/// impl TileSource for Blank {
///     fn kind(&self) -> &'static str { "blank" }
///     fn reader_version(&self) -> &'static str { "1" }
///     fn tiles(&self) -> &[TileMeta] { &self.0 }
///     fn read(&self, index: usize) -> Result<Tile> {
///         Ok(Tile { meta: self.0[index].clone(), image: RgbImage::filled(8, 8, [255; 3]) })
///     }
/// }
/// ```
pub trait TileSource: Send + Sync {
    /// The reader's kind, part of the contract.
    fn kind(&self) -> &'static str;
    /// The version of the reader's pixels: it changes when the same file would read differently.
    fn reader_version(&self) -> &str;
    /// What the source holds, in its best reading order.
    fn tiles(&self) -> &[TileMeta];
    /// Decodes tile `index`.
    fn read(&self, index: usize) -> Result<Tile>;
}

impl TileMeta {
    /// A tile of which nothing is known but its name and side: it is its own slide and group.
    pub fn named(tile_id: impl Into<String>, size_level0_px: u32) -> Self {
        let tile_id = tile_id.into();
        Self {
            slide: tile_id.clone(),
            group: tile_id.clone(),
            tile_id,
            centre: None,
            scanner: None,
            x: 0,
            y: 0,
            size_level0_px,
            requested_mpp: None,
            effective_mpp: None,
            tissue_fraction: 1.0,
            source: String::new(),
            source_digest: String::new(),
        }
    }
}

impl RgbImage {
    /// Takes `width` × `height` × 3 bytes.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Self> {
        let expected = width as usize * height as usize * 3;
        if data.len() == expected && expected > 0 {
            Ok(Self { width, height, data })
        } else {
            Err(Error::input(
                "image",
                format!("{expected} bytes for {width} × {height} RGB, above zero"),
                data.len().to_string(),
                "pass three bytes per pixel",
            ))
        }
    }

    /// An image of one colour; sides of zero are taken as one.
    pub fn filled(width: u32, height: u32, colour: [u8; 3]) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let data = colour.repeat(width as usize * height as usize);
        Self { width, height, data }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes, row by row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes, to write to.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The pixel at column `x` of row `y`.
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        [self.data[at], self.data[at + 1], self.data[at + 2]]
    }

    /// Every pixel in reading order.
    pub fn pixels(&self) -> impl ExactSizeIterator<Item = [u8; 3]> + '_ {
        self.data.chunks_exact(3).map(|p| [p[0], p[1], p[2]])
    }
}

impl TileBatch {
    /// An empty batch of tiles of side `px`.
    pub fn new(px: u32) -> Self {
        Self { px, metas: Vec::new(), pixels: Vec::new() }
    }

    /// Adds a tile, which must have the batch's size.
    pub fn push(&mut self, tile: Tile) -> Result<()> {
        if (tile.image.width, tile.image.height) != (self.px, self.px) {
            return Err(Error::input(
                format!("tile {}", tile.meta.tile_id),
                format!("{0} × {0} px", self.px),
                format!("{} × {} px", tile.image.width, tile.image.height),
                "resample the tile to the backbone's input size first",
            ));
        }
        self.metas.push(tile.meta);
        self.pixels.extend_from_slice(&tile.image.data);
        Ok(())
    }

    /// Number of tiles.
    pub fn n_tiles(&self) -> usize {
        self.metas.len()
    }

    /// Side of every tile in pixels.
    pub fn px(&self) -> u32 {
        self.px
    }

    /// What is known of each tile.
    pub fn metas(&self) -> &[TileMeta] {
        &self.metas
    }

    /// All pixels, N × px × px × 3 bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
