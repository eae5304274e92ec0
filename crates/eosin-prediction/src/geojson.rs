// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::{
    Error, Options, PredictedTile, PredictionWriter, Result, SlidePredictions, TileMeta,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::colour::{CLASSES, UNCALLED};
use crate::place::{require_places, require_sound};
use crate::region::{MergedTiles, Ring, merge_grid};
use crate::table::set_names;
use crate::{file_name, write_whole};

/// `SLIDE.geojson.gz` for QuPath, in level-0 pixels: tiles as detections with their class and a
/// measurement per class, and where `merge` is set, regions as annotations.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeoJson {
    /// Tiles with at least this probability of a class, 0 to 1, become regions that QuPath can edit:
    /// of two classes those of the second, of more those of each.
    #[serde(default)]
    pub merge: Option<f64>,
}

impl GeoJson {
    /// Reads and checks options.
    pub fn of_options(options: &Options) -> Result<Arc<dyn PredictionWriter>> {
        let own: Self = options.read("format geojson")?;
        if own.merge.is_some_and(|merge| !(0.0..=1.0).contains(&merge)) {
            return Err(Error::input(
                "merge of format geojson",
                "a probability, 0 to 1",
                format!("{:?}", own.merge.unwrap_or_default()),
                "for example --merge 0.5",
            ));
        }
        Ok(Arc::new(own))
    }
}

impl PredictionWriter for GeoJson {
    fn kind(&self) -> &'static str {
        "geojson"
    }

    fn write(&self, slide: &SlidePredictions, folder: &Path) -> Result<Vec<PathBuf>> {
        require_sound(slide)?;
        require_places(slide, "geojson")?;
        let name = format!("{}.geojson.gz", file_name(slide.slide));
        let path = write_whole(folder, &name, |out| {
            let packed = GzEncoder::new(out.by_ref(), Compression::default());
            let mut features = FeatureWriter::new(BufWriter::new(packed))?;
            if let Some(merge) = self.merge {
                for (class, region) in merged(slide, merge) {
                    features.write(&Feature::region(&region, class, slide))?;
                }
            }
            for tile in &slide.tiles {
                features.write(&Feature::tile(tile, slide.classes))?;
            }
            let packed = features.finish()?;
            let packed = packed.into_inner().map_err(|e| refused(e.into_error()))?;
            packed.finish().map(|_| ()).map_err(refused)
        })?;
        Ok(vec![path])
    }
}

/// Regions with their classes.
fn merged(slide: &SlidePredictions, merge: f64) -> Vec<(usize, MergedTiles)> {
    let n = slide.classes.len();
    let first = usize::from(n == 2);
    let of_class = |class: usize| {
        let value = move |tile: &PredictedTile| tile.prediction.map(|p| p.probabilities[class]);
        let tiles = slide.tiles.iter().filter_map(|tile| Some((tile.meta, value(tile)?)));
        merge_grid(tiles.filter(|(_, p)| *p >= merge))
            .into_iter()
            .map(move |region| (class, region))
    };
    (first..n).flat_map(of_class).collect()
}

/// An object of QuPath.
#[derive(Serialize)]
pub struct Feature<'a> {
    r#type: &'static str,
    geometry: Shape,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Shape {
    r#type: &'static str,
    coordinates: Vec<Ring>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    object_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification: Option<Classification<'a>>,
    is_locked: bool,
    measurements: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
}

#[derive(Serialize)]
struct Classification<'a> {
    name: &'a str,
    color: [u8; 3],
}

impl<'a> Feature<'a> {
    /// A square that is neither named nor classified.
    pub fn tile_of(meta: &TileMeta, measurements: Map<String, Value>) -> Self {
        let mut feature = Self::new("tile", vec![square(meta)], measurements);
        feature.properties.is_locked = true;
        feature
    }

    fn tile(tile: &PredictedTile<'a>, classes: &'a [String]) -> Self {
        let mut measurements = Map::new();
        let mut metadata = Map::new();
        let mut classification = None;
        if let Some(prediction) = tile.prediction {
            let named = classes.iter().zip(prediction.probabilities);
            measurements.extend(named.map(|(c, p)| (format!("prob_{c}"), Value::from(*p))));
            classification = Some(match prediction.called {
                Some(class) => Classification::of(class as usize, classes),
                None => Classification { name: "uncalled", color: UNCALLED },
            });
            if let Some(set) = prediction.set {
                measurements.insert("set size".into(), set.len().into());
                metadata.insert("set".into(), set_names(set, classes).into());
            }
        }
        if let Some(attention) = tile.attention {
            measurements.insert("attention".into(), attention.into());
        }
        let mut feature = Self::new("detection", vec![square(tile.meta)], measurements);
        let properties = &mut feature.properties;
        (properties.name, properties.classification) =
            (Some(tile.meta.tile_id.as_str()), classification);
        (properties.is_locked, properties.metadata) = (true, metadata);
        feature
    }

    fn region(region: &MergedTiles, class: usize, slide: &SlidePredictions<'a>) -> Self {
        let mut measurements = Map::new();
        measurements.insert("area px^2".into(), region.area_px.into());
        if let Some(mpp) = slide.mpp {
            measurements
                .insert("area µm^2".into(), (region.area_px * mpp.get() * mpp.get()).into());
        }
        measurements.insert("tiles".into(), region.n_tiles.into());
        let mean = format!("mean prob_{}", slide.classes[class]);
        measurements.insert(mean, region.mean.into());
        let closed = region.rings.iter().map(closed).collect();
        let mut feature = Self::new("annotation", closed, measurements);
        feature.properties.classification = Some(Classification::of(class, slide.classes));
        feature
    }

    fn new(
        object_type: &'static str,
        coordinates: Vec<Ring>,
        measurements: Map<String, Value>,
    ) -> Self {
        let properties = Properties {
            object_type,
            name: None,
            classification: None,
            is_locked: false,
            measurements,
            metadata: Map::new(),
        };
        let geometry = Shape { r#type: "Polygon", coordinates };
        Self { r#type: "Feature", geometry, properties }
    }
}

impl<'a> Classification<'a> {
    fn of(class: usize, classes: &'a [String]) -> Self {
        Self { name: &classes[class], color: CLASSES[class % CLASSES.len()] }
    }
}

fn square(meta: &TileMeta) -> Ring {
    let side = i64::from(meta.size_level0_px);
    let (x, y) = (meta.x, meta.y);
    let (right, bottom) = (x.saturating_add(side), y.saturating_add(side));
    vec![[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]
}

/// GeoJSON repeats the first corner.
fn closed(ring: &Ring) -> Ring {
    ring.iter().chain(ring.first()).copied().collect()
}

/// Streams a feature collection, an object a line; one is held at a time.
pub struct FeatureWriter<W: Write> {
    out: W,
    is_first: bool,
}

impl<W: Write> FeatureWriter<W> {
    /// Begins a collection.
    pub fn new(mut out: W) -> Result<Self> {
        out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[").map_err(refused)?;
        Ok(Self { out, is_first: true })
    }

    /// Adds an object.
    pub fn write(&mut self, feature: &Feature) -> Result<()> {
        let between: &[u8] = if self.is_first { b"\n" } else { b",\n" };
        self.is_first = false;
        self.out.write_all(between).map_err(refused)?;
        serde_json::to_writer(&mut self.out, feature).map_err(|e| refused(e.into()))
    }

    /// Ends the collection and gives back what it was written to, flushed.
    pub fn finish(mut self) -> Result<W> {
        self.out.write_all(b"\n]}\n").and_then(|()| self.out.flush()).map_err(refused)?;
        Ok(self.out)
    }
}

fn refused(error: std::io::Error) -> Error {
    Error::io("write", "the GeoJSON", error)
}
