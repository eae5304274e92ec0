// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::{Read, Write};
use std::path::Path;

use eosin_core::{Error, Result};
use serde_json::{Value, json};

use super::{Polygon, Region};
use crate::regular_file;

/// A GeoJSON file with more bytes than this is taken for something else.
const MAX_BYTES: u64 = 256 << 20;

/// Features within features beyond which a file is taken for damaged.
const MAX_DEPTH: usize = 8;

/// Reads the polygons of a GeoJSON file: geometries, features or collections of these, or a plain
/// list of features, as QuPath exports them. A file without a polygon is an error.
pub fn read_region(path: impl AsRef<Path>) -> Result<Region> {
    let path = path.as_ref();
    let (mut file, metadata) = regular_file::open_named("read", path)?;
    let fault = |expected: &str, found: String| {
        Error::data(path, expected, found, "export annotations as GeoJSON, in level-0 pixels")
    };
    if metadata.len() > MAX_BYTES {
        let expected = format!("at most {} MiB of GeoJSON", MAX_BYTES >> 20);
        return Err(fault(&expected, format!("{} MiB", metadata.len() >> 20)));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| Error::io("read", path, e))?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|e| fault("GeoJSON", e.to_string()))?;
    let mut polygons = Vec::new();
    collect(&value, &mut polygons, 0)
        .map_err(|found| fault("polygons with corners [x, y]", found))?;
    if polygons.is_empty() {
        return Err(fault("at least one Polygon or MultiPolygon", "none".into()));
    }
    Ok(Region::new(polygons))
}

/// Writes polygons as annotations of class Tissue, one feature a line.
pub fn write_contours(mut out: impl Write, polygons: &[Polygon]) -> std::io::Result<()> {
    out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
    for (i, polygon) in polygons.iter().enumerate() {
        let rings: Vec<Vec<[f64; 2]>> =
            std::iter::once(&polygon.outer).chain(&polygon.holes).map(|r| closed(r)).collect();
        let feature = json!({
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": rings},
            "properties": {
                "objectType": "annotation",
                "classification": {"name": "Tissue", "color": [0, 158, 115]},
            },
        });
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut out, &feature)?;
    }
    out.write_all(b"\n]}\n")?;
    out.flush()
}

/// GeoJSON repeats the first corner at the end of a ring.
fn closed(ring: &[[f64; 2]]) -> Vec<[f64; 2]> {
    ring.iter().chain(ring.first()).copied().collect()
}

fn collect(value: &Value, polygons: &mut Vec<Polygon>, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("collections nested deeper than {MAX_DEPTH}"));
    }
    let each = |list: &Value, polygons: &mut Vec<Polygon>| match list {
        Value::Array(items) => items.iter().try_for_each(|v| collect(v, polygons, depth + 1)),
        Value::Null => Ok(()),
        other => Err(format!("{} where a list should be", short(other))),
    };
    if value.is_array() {
        return each(value, polygons);
    }
    match value["type"].as_str() {
        Some("FeatureCollection") => each(&value["features"], polygons),
        Some("GeometryCollection") => each(&value["geometries"], polygons),
        Some("Feature") if value["geometry"].is_null() => Ok(()),
        Some("Feature") => collect(&value["geometry"], polygons, depth + 1),
        Some("Polygon") => {
            polygons.push(polygon(&value["coordinates"])?);
            Ok(())
        }
        Some("MultiPolygon") => {
            let parts = value["coordinates"].as_array().ok_or("a MultiPolygon without a list")?;
            parts.iter().try_for_each(|part| {
                polygons.push(polygon(part)?);
                Ok(())
            })
        }
        // Points and lines cover nothing.
        Some("Point" | "MultiPoint" | "LineString" | "MultiLineString") => Ok(()),
        Some(other) => Err(format!("an object of type {other}")),
        None => Err(format!("{} without a type", short(value))),
    }
}

fn polygon(rings: &Value) -> Result<Polygon, String> {
    let rings = rings.as_array().filter(|r| !r.is_empty()).ok_or("a polygon without rings")?;
    let mut rings = rings.iter().map(ring).collect::<Result<Vec<_>, _>>()?;
    let holes = rings.split_off(1);
    Ok(Polygon { outer: rings.swap_remove(0), holes })
}

fn ring(corners: &Value) -> Result<Vec<[f64; 2]>, String> {
    let corners = corners.as_array().ok_or("a ring that is no list")?;
    let mut ring = corners
        .iter()
        .map(|corner| match (corner[0].as_f64(), corner[1].as_f64()) {
            (Some(x), Some(y)) => Ok([x, y]),
            _ => Err(format!("the corner {}", short(corner))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if ring.len() > 1 && ring.first() == ring.last() {
        ring.pop();
    }
    if ring.len() < 3 { Err(format!("a ring of {} corners", ring.len())) } else { Ok(ring) }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}
