// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{PredictionWriterKind, Registry};

use crate::{GeoJson, HeatMap, TileTable, WsInfer};

/// Adds the formats `csv`, `heatmap`, `geojson` and `wsinfer`.
pub fn register(registry: &mut Registry) {
    let writers = &mut registry.writers;
    writers.register("csv", PredictionWriterKind::of::<TileTable>("csv"));
    writers.register("heatmap", PredictionWriterKind::new(HeatMap::of_options));
    writers.register("geojson", PredictionWriterKind::new(GeoJson::of_options));
    writers.register("wsinfer", PredictionWriterKind::of::<WsInfer>("wsinfer"));
}
