// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{Error, Result, TileUm};
use eosin_tile::TilingOptions;
use serde::Deserialize;

/// All parameters of the demo's data (`configs/demo/*.toml`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoConfig {
    /// Seed of the split and of everything that is drawn.
    pub seed: u64,
    /// Which tiles are cut.
    pub tiles: TilesConfig,
    /// How they are parted.
    pub split: SplitConfig,
    /// The target task.
    pub target: TargetConfig,
}

/// Which tiles are cut.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TilesConfig {
    /// Side in µm.
    pub tile_um: f64,
    /// Side in pixels.
    pub tile_px: u32,
    /// The share of a tile's side that the next tile repeats.
    pub overlap: f64,
    /// Share of a tile that must be tissue.
    pub min_tissue: f64,
}

/// How tiles are parted into groups and sides.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitConfig {
    /// Side of a block in µm; a block is a group.
    pub block_um: f64,
    /// Blocks that are kept, 0 for all.
    pub max_blocks: usize,
    /// Share of the tiles on the test side.
    pub test_share: f64,
}

/// The target task.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// Share of positives on each side.
    pub positive_share: f64,
    /// What is drawn on them.
    pub cluster: ClusterConfig,
}

/// A microcalcification: a cluster of irregular grains. Pairs are ranges.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Number of grains.
    pub n_grains: [u32; 2],
    /// Standard deviation of the grains around the centre in µm.
    pub spread_um: f64,
    /// Radius of a grain in µm.
    pub radius_um: [f64; 2],
    /// How far the outline leaves a circle, as a share of the radius.
    pub irregularity: f64,
    /// Optical density along the grain's colour.
    pub density: [f64; 2],
    /// Share of the tissue below that a grain covers.
    pub opacity: [f64; 2],
    /// Share of grains that are pale inside.
    pub glassy_share: f64,
    /// Change of brightness at the rim.
    pub rim: f64,
}

impl DemoConfig {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
        let config: Self = toml::from_str(&text).map_err(|error| {
            Error::data(
                path,
                "the keys of configs/demo/tiles.toml",
                error.to_string().trim_end().replace('\n', " "),
                "compare it with configs/demo/tiles.toml",
            )
        })?;
        config.validate()?;
        Ok(config)
    }

    /// The grid over the slide.
    pub fn tiling(&self) -> Result<TilingOptions> {
        Ok(TilingOptions {
            overlap: self.tiles.overlap,
            min_tissue: self.tiles.min_tissue,
            ..TilingOptions::new(TileUm::new(self.tiles.tile_um)?, self.tiles.tile_px)
        })
    }

    fn validate(&self) -> Result<()> {
        let c = &self.target.cluster;
        let shares = [
            ("split.test_share", self.split.test_share),
            ("target.positive_share", self.target.positive_share),
            ("target.cluster.irregularity", c.irregularity),
            ("target.cluster.opacity", c.opacity[0]),
            ("target.cluster.opacity", c.opacity[1]),
            ("target.cluster.glassy_share", c.glassy_share),
            ("target.cluster.rim", c.rim),
        ];
        for (key, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::input(key, "0 to 1", value.to_string(), "change the value"));
            }
        }
        let ranges = [
            ("target.cluster.n_grains", c.n_grains.map(f64::from)),
            ("target.cluster.radius_um", c.radius_um),
            ("target.cluster.density", c.density),
            ("target.cluster.opacity", c.opacity),
        ];
        for (key, [low, high]) in ranges {
            if !(low > 0.0 && high >= low && high.is_finite()) {
                return Err(Error::input(
                    key,
                    "a range [low, high] above 0",
                    format!("[{low}, {high}]"),
                    "write the smaller value first",
                ));
            }
        }
        if self.split.block_um.is_nan() || self.split.block_um <= self.tiles.tile_um {
            return Err(Error::input(
                "split.block_um",
                format!("above the tile's side, {}", self.tiles.tile_um),
                self.split.block_um.to_string(),
                "a block must hold tiles",
            ));
        }
        Ok(())
    }
}
