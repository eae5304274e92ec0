// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod aggregate;
mod canvas;
mod colour;
mod file_name;
mod geojson;
mod heat_map;
mod layer;
mod legend;
mod place;
mod rectangle;
mod region;
mod register;
mod scale_bar;
mod table;
mod text;
mod whole_file;
mod wsinfer;

pub use aggregate::Aggregates;
pub use colour::Colours;
pub use file_name::file_name;
pub use geojson::GeoJson;
pub use heat_map::{HeatMap, png};
pub use region::{MergedTiles, Ring, merge_tiles};
pub use register::register;
pub use table::{TileTable, prediction_cells, prediction_header, write_csv};
pub use whole_file::write_whole;
pub use wsinfer::WsInfer;
