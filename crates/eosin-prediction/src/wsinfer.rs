// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use eosin_core::{Error, PredictionWriter, Result, SlidePredictions};
use serde::Deserialize;

use crate::geojson::{Feature, FeatureWriter};
use crate::place::{require_places, require_sound};
use crate::table::write_csv;
use crate::{file_name, write_whole};

/// WSInfer's folders: `model-outputs-csv/SLIDE.csv` with the columns minx, miny, width, height and
/// `prob_` of each class, and `model-outputs-geojson/SLIDE.json` with the tiles for QuPath.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WsInfer {}

const TABLES: &str = "model-outputs-csv";
const SHAPES: &str = "model-outputs-geojson";

impl PredictionWriter for WsInfer {
    fn kind(&self) -> &'static str {
        "wsinfer"
    }

    fn write(&self, slide: &SlidePredictions, folder: &Path) -> Result<Vec<PathBuf>> {
        require_sound(slide)?;
        require_places(slide, "wsinfer")?;
        let predicted = slide.tiles.iter().filter_map(|tile| Some((tile, tile.prediction?)));
        if predicted.clone().count() < slide.tiles.len() {
            return Err(Error::input(
                format!("format wsinfer of slide {}", slide.slide),
                "probabilities of tiles",
                "a head that calls slides",
                "write --format csv,heatmap,geojson",
            ));
        }
        let name = file_name(slide.slide);
        let within = |inner: &str| -> Result<PathBuf> {
            let path = folder.join(inner);
            std::fs::create_dir_all(&path).map_err(|e| Error::io("make the folder", &path, e))?;
            Ok(path)
        };
        let mut header = ["minx", "miny", "width", "height"].map(String::from).to_vec();
        header.extend(slide.classes.iter().map(|class| format!("prob_{class}")));
        let rows = predicted.clone().map(|(tile, prediction)| {
            let side = tile.meta.size_level0_px.to_string();
            let mut cells = vec![tile.meta.x.to_string(), tile.meta.y.to_string()];
            cells.extend([side.clone(), side]);
            cells.extend(prediction.probabilities.iter().map(ToString::to_string));
            cells
        });
        let table = write_csv(&within(TABLES)?, format!("{name}.csv"), &header, rows)?;
        let shapes = write_whole(&within(SHAPES)?, format!("{name}.json"), |out| {
            let mut features = FeatureWriter::new(BufWriter::new(out.by_ref()))?;
            for (tile, prediction) in predicted {
                let named = slide.classes.iter().zip(prediction.probabilities);
                let measurements = named.map(|(c, p)| (format!("prob_{c}"), (*p).into())).collect();
                features.write(&Feature::tile_of(tile.meta, measurements))?;
            }
            features.finish().map(|_| ())
        })?;
        Ok(vec![table, shapes])
    }
}
