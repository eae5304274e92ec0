// SPDX-License-Identifier: MIT OR Apache-2.0

//! GeoJSON as QuPath writes it: a collection or list of features, or one.

mod feature;
mod geometry;

use std::io::Read;

use eosin_core::{Annotation, AnnotationFormat, AnnotationRequest, LeftOutShapes, Result};

use super::json::{fault, read_json};
use super::{begins_with, has};
use crate::read::Found;
use feature::FeatureSeed;

/// GeoJSON, in pixels of level 0.
///
/// Polygons, multipolygons, points and multipoints are read, and collections of these; lines are
/// left out and counted. The class is `properties.classification.name`, in which a list of names is
/// joined as QuPath shows it; the kind of object is `properties.objectType` or, in files of QuPath
/// 0.2, the `id`. Measurements and outlines of nuclei inside of cells are passed over.
#[derive(Clone, Copy, Debug, Default)]
pub struct GeoJsonFormat;

impl AnnotationFormat for GeoJsonFormat {
    fn kind(&self) -> &'static str {
        "geojson"
    }

    fn recognises(&self, file_name: &str, start: &[u8]) -> bool {
        let words = ["\"FeatureCollection\"", "\"Feature\"", "\"geometry\"", "\"coordinates\""];
        begins_with(start, b"{[")
            && (file_name.to_ascii_lowercase().ends_with(".geojson")
                || words.iter().any(|word| has(start, word)))
    }

    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes> {
        let mut found = Found::new(request, visit);
        match read_json(file, &mut found, |found| FeatureSeed { found }) {
            Ok(()) => Ok(found.finish()),
            Err(error) => Err(fault(&mut found, "GeoJSON", error)),
        }
    }
}
