// SPDX-License-Identifier: MIT OR Apache-2.0

//! Makes the demo's data: real tiles of a slide with labels that are made, not annotated.
//!
//! A slide has no labels, so two tasks are made on it. The proxy is the tercile of a tile's mean
//! haematoxylin density; the target is to find microcalcifications that are drawn on a few tiles.

mod config;
mod files;
mod grains;
mod plan;

pub use config::{ClusterConfig, DemoConfig, SplitConfig, TargetConfig, TilesConfig};
pub use files::{Summary, write};
pub use grains::draw_cluster;
pub use plan::{NEGATIVE, POSITIVE, Plan, PlannedTile, plan};
