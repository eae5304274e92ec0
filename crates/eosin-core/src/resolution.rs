// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Micrometres per pixel, finite and above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Mpp(f64);

/// The side of a square tile in micrometres, finite and above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct TileUm(f64);

impl Mpp {
    /// Takes a resolution in µm per pixel; values outside 0.01 to 100 are taken for a wrong unit.
    pub fn new(value: f64) -> Result<Self> {
        if (0.01..=100.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(Error::input(
                "mpp",
                "micrometres per pixel from 0.01 to 100",
                value.to_string(),
                "a 40x scan has about 0.25, a 20x scan about 0.5",
            ))
        }
    }

    /// The value in µm per pixel.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TileUm {
    /// Takes a tile side in µm, above zero and at most 100,000.
    pub fn new(value: f64) -> Result<Self> {
        if value > 0.0 && value <= 100_000.0 {
            Ok(Self(value))
        } else {
            Err(Error::input(
                "tile_um",
                "micrometres above 0, at most 100000",
                value.to_string(),
                "224 px at 0.5 mpp are 112 µm",
            ))
        }
    }

    /// The value in µm.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The resolution at which this side has `tile_px` pixels.
    pub fn mpp(self, tile_px: u32) -> Result<Mpp> {
        Mpp::new(self.0 / f64::from(tile_px))
    }
}

impl TryFrom<f64> for Mpp {
    type Error = Error;
    fn try_from(value: f64) -> Result<Self> {
        Self::new(value)
    }
}

impl From<Mpp> for f64 {
    fn from(mpp: Mpp) -> Self {
        mpp.0
    }
}

impl TryFrom<f64> for TileUm {
    type Error = Error;
    fn try_from(value: f64) -> Result<Self> {
        Self::new(value)
    }
}

impl From<TileUm> for f64 {
    fn from(tile: TileUm) -> Self {
        tile.0
    }
}
