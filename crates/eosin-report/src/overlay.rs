// SPDX-License-Identifier: MIT OR Apache-2.0

//! Predictions laid over a slide: tiles for QuPath, and a heat map on a thumbnail.

mod geojson;
mod heat;

pub use geojson::{GeoJsonWriter, PredictedTile};
pub use heat::{HeatMap, HeatOptions, encode_png};
