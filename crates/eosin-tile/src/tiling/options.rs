// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use eosin_core::{Error, Mpp, Result, TileUm};
use serde::{Deserialize, Serialize};

use crate::resample::{Arithmetic, Filter};
use crate::slide::DEFAULT_CACHE_BYTES;
use crate::stain::StainNormalization;
use crate::tissue::TissueOptions;

/// Which tiles are cut from a slide. The grid itself has no default: its resolution is what the
/// backbone was trained at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TilingOptions {
    /// Side of a tile in µm.
    pub tile_um: TileUm,
    /// Side of a tile in pixels; together with `tile_um` it is the requested resolution.
    pub tile_px: u32,
    /// The share of a tile's side that the next tile repeats, from 0 to below 1.
    #[serde(default)]
    pub overlap: f64,
    /// Tiles with less tissue are left out. At 0 all are kept and no mask is made.
    #[serde(default)]
    pub min_tissue: f64,
    /// How tissue is found.
    #[serde(default)]
    pub tissue: TissueOptions,
    /// Resolution of level 0, for slides that do not say it; it goes before what they say.
    #[serde(default)]
    pub mpp: Option<Mpp>,
    /// A CSV with the columns `slide` and `mpp`; it goes before what slides say, and `mpp` before it.
    #[serde(default)]
    pub mpp_csv: Option<PathBuf>,
    /// The region of interest as GeoJSON in level-0 pixels: one file for every slide, or a folder
    /// with `<slide>.geojson` for each. A slide without a file there is cut whole.
    #[serde(default)]
    pub roi: Option<PathBuf>,
    /// Tiles of which the region covers less are left out.
    #[serde(default = "default_min_roi")]
    pub min_roi: f64,
    /// Which reader opens the slide: `auto` takes the built-in one and, for files that it does not
    /// read, the first plugin that does; `built-in`, or a plugin's name, takes that one.
    #[serde(default = "default_reader")]
    pub reader: String,
    /// How the slide's stain is brought to a reference; it is fitted to some of the slide's tiles
    /// when the first tile is read.
    #[serde(default)]
    pub stain: StainNormalization,
    /// Filter from level to tile.
    #[serde(default)]
    pub filter: Filter,
    /// Whose arithmetic computes the filter: `pillow`, bit for bit, or `fast`.
    #[serde(default)]
    pub resampling: Arithmetic,
    /// Whether the slide's ICC profile is applied, so that tiles are sRGB. Tiles of a slide that
    /// holds none are taken for sRGB as they are.
    #[serde(default)]
    pub icc: bool,
    /// A level whose resolution is within this share of the requested one is cut without
    /// resampling, and the tile's effective resolution is the level's. At 0 every tile is exact.
    #[serde(default)]
    pub mpp_tolerance: f64,
    /// How many times finer than level 0 the requested resolution may be.
    #[serde(default = "default_upsampling")]
    pub max_upsampling: f64,
    /// Whether every byte of a slide's files is read to tell whether they are the same as before.
    /// Without it, length, time of the last change and both ends of each are compared, so that a
    /// change in the middle that keeps length and time is not noticed. Rows that were made with
    /// either are known again only with the same.
    #[serde(default)]
    pub verify: bool,
    /// Memory for decoded pieces, in MiB.
    #[serde(default = "default_cache_mib")]
    pub cache_mib: u32,
}

/// Sides of a tile in pixels.
const TILE_PX: std::ops::RangeInclusive<u32> = 1..=4096;

impl TilingOptions {
    /// Tiles of `tile_um` a side at `tile_px`, side by side, with bilinear resampling.
    pub fn new(tile_um: TileUm, tile_px: u32) -> Self {
        Self {
            tile_um,
            tile_px,
            overlap: 0.0,
            min_tissue: 0.0,
            tissue: TissueOptions::default(),
            mpp: None,
            mpp_csv: None,
            roi: None,
            min_roi: default_min_roi(),
            reader: default_reader(),
            stain: StainNormalization::None,
            filter: Filter::Bilinear,
            resampling: Arithmetic::Pillow,
            icc: false,
            mpp_tolerance: 0.0,
            max_upsampling: default_upsampling(),
            verify: false,
            cache_mib: default_cache_mib(),
        }
    }

    /// The requested resolution.
    pub fn requested_mpp(&self) -> Result<Mpp> {
        self.tile_um.mpp(self.tile_px)
    }

    /// How the resolution is met and what else is done to the pixels, for the contract.
    pub fn mpp_policy(&self) -> String {
        let exact = match self.resampling {
            Arithmetic::Pillow => format!("exact {}", self.filter),
            Arithmetic::Fast => format!("exact fast {}", self.filter),
        };
        let mut policy = if self.mpp_tolerance > 0.0 {
            format!("native within {} else {exact}", self.mpp_tolerance)
        } else {
            exact
        };
        if self.icc {
            policy.push_str(", icc to srgb");
        }
        if self.stain != StainNormalization::None {
            policy = format!("{policy}, stain {}", self.stain.name());
        }
        policy
    }

    pub(super) fn validate(&self) -> Result<()> {
        let fault = |key: &str, expected: &str, found: String| {
            Err(Error::input(format!("tiling {key}"), expected, found, "change the value"))
        };
        if !TILE_PX.contains(&self.tile_px) {
            return fault("tile_px", "1 to 4096", self.tile_px.to_string());
        }
        if !(0.0..=0.95).contains(&self.overlap) {
            return fault("overlap", "0 to 0.95 of a tile's side", self.overlap.to_string());
        }
        if !(0.0..=1.0).contains(&self.min_tissue) {
            return fault("min_tissue", "0 to 1", self.min_tissue.to_string());
        }
        if !(0.0..=1.0).contains(&self.min_roi) {
            return fault("min_roi", "0 to 1", self.min_roi.to_string());
        }
        if !(0.0..=0.5).contains(&self.mpp_tolerance) {
            return fault("mpp-tolerance", "0 to 0.5", self.mpp_tolerance.to_string());
        }
        self.resampling.check(self.filter)?;
        if !(1.0..=16.0).contains(&self.max_upsampling) {
            return fault("max-upsampling", "1 to 16", self.max_upsampling.to_string());
        }
        Ok(())
    }
}

fn default_upsampling() -> f64 {
    1.5
}

fn default_cache_mib() -> u32 {
    (DEFAULT_CACHE_BYTES >> 20) as u32
}

fn default_min_roi() -> f64 {
    0.5
}

fn default_reader() -> String {
    "auto".into()
}
