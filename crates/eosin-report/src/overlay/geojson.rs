// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Write;

use eosin_core::{Error, Result, TileMeta};
use serde::Serialize;
use serde_json::{Map, Value};

/// A tile with its class probabilities.
#[derive(Clone, Copy, Debug)]
pub struct PredictedTile<'a> {
    /// Where it lies.
    pub meta: &'a TileMeta,
    /// A probability per class.
    pub probabilities: &'a [f64],
    /// The predicted class, an index.
    pub class: usize,
}

/// Streams predicted tiles as a GeoJSON feature collection that QuPath opens.
///
/// Coordinates are level-0 pixels. Every tile is a locked object of type `tile` with its class and
/// one measurement `prob_<class>` per class, as WSInfer writes them. One tile is held at a time.
///
/// ```
/// use eosin_report::overlay::GeoJsonWriter;
/// let mut file = Vec::new();
/// GeoJsonWriter::new(&mut file, &["none".into(), "tumour".into()])?.finish()?;
/// assert!(file.starts_with(b"{\"type\":\"FeatureCollection\""));
/// # Ok::<(), eosin_core::Error>(())
/// ```
#[derive(Debug)]
pub struct GeoJsonWriter<W: Write> {
    out: W,
    classes: Vec<String>,
    n_written: u64,
}

#[derive(Serialize)]
struct Feature<'a> {
    r#type: &'static str,
    geometry: Geometry,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Geometry {
    r#type: &'static str,
    coordinates: [[[i64; 2]; 5]; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    object_type: &'static str,
    name: &'a str,
    classification: Classification<'a>,
    is_locked: bool,
    measurements: Map<String, Value>,
}

#[derive(Serialize)]
struct Classification<'a> {
    name: &'a str,
    color: [u8; 3],
}

/// Colours that are told apart with any colour vision (Okabe and Ito).
const COLOURS: [[u8; 3]; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [240, 228, 66],
];

impl<W: Write> GeoJsonWriter<W> {
    /// Begins a collection with these classes.
    pub fn new(mut out: W, classes: &[String]) -> Result<Self> {
        out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[").map_err(refused)?;
        Ok(Self { out, classes: classes.to_vec(), n_written: 0 })
    }

    /// Adds a tile on a line of its own.
    pub fn write(&mut self, tile: PredictedTile) -> Result<()> {
        let sound = tile.probabilities.len() == self.classes.len()
            && tile.probabilities.iter().all(|p| p.is_finite());
        let (true, Some(class)) = (sound, self.classes.get(tile.class)) else {
            return Err(Error::input(
                format!("prediction of tile {}", tile.meta.tile_id),
                format!("{} finite probabilities and a class below", self.classes.len()),
                format!("{:?} and class {}", tile.probabilities, tile.class),
                "predict with the head that the classes belong to",
            ));
        };
        let (x, y, side) = (tile.meta.x, tile.meta.y, i64::from(tile.meta.size_level0_px));
        let ring = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]];
        let named = self.classes.iter().zip(tile.probabilities);
        let feature = Feature {
            r#type: "Feature",
            geometry: Geometry { r#type: "Polygon", coordinates: [ring] },
            properties: Properties {
                object_type: "tile",
                name: &tile.meta.tile_id,
                classification: Classification {
                    name: class,
                    color: COLOURS[tile.class % COLOURS.len()],
                },
                is_locked: true,
                measurements: named.map(|(c, p)| (format!("prob_{c}"), Value::from(*p))).collect(),
            },
        };
        let comma: &[u8] = if self.n_written == 0 { b"\n" } else { b",\n" };
        self.out.write_all(comma).map_err(refused)?;
        serde_json::to_writer(&mut self.out, &feature).map_err(|e| refused(e.into()))?;
        self.n_written += 1;
        Ok(())
    }

    /// Ends the collection, flushes it and tells how many tiles it has.
    pub fn finish(mut self) -> Result<u64> {
        self.out.write_all(b"\n]}\n").and_then(|()| self.out.flush()).map_err(refused)?;
        Ok(self.n_written)
    }
}

fn refused(error: std::io::Error) -> Error {
    Error::io("write", "the GeoJSON overlay", error)
}
