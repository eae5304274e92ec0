// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use eosin_core::spreadsheet::guard;
use eosin_core::{Error, Prediction, PredictionWriter, Result, SlidePredictions};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use crate::place::require_sound;
use crate::{file_name, write_whole};

/// `SLIDE.csv`: a row per tile with its place, a probability per class, the call, the set of classes
/// and the attention, as far as the head gives them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileTable {}

impl PredictionWriter for TileTable {
    fn kind(&self) -> &'static str {
        "csv"
    }

    fn write(&self, slide: &SlidePredictions, folder: &Path) -> Result<Vec<PathBuf>> {
        require_sound(slide)?;
        let first = slide.tiles.first();
        let of_tiles = first.and_then(|tile| tile.prediction);
        let has_attention = first.is_some_and(|tile| tile.attention.is_some());
        let mut header = ["tile", "slide", "x", "y", "size_level0_px"].map(String::from).to_vec();
        if let Some(prediction) = of_tiles {
            header.extend(prediction_header(slide.classes, prediction.set.is_some()));
        }
        header.extend(has_attention.then(|| "attention".to_string()));
        let name = format!("{}.csv", file_name(slide.slide));
        let rows = slide.tiles.iter().map(|tile| {
            let meta = tile.meta;
            let numbers = [meta.x.to_string(), meta.y.to_string(), meta.size_level0_px.to_string()];
            let mut cells = vec![meta.tile_id.clone(), meta.slide.clone()];
            cells.extend(numbers);
            cells.extend(tile.prediction.iter().flat_map(|p| prediction_cells(p, slide.classes)));
            cells.extend(tile.attention.map(|attention| format!("{attention:.8}")));
            cells
        });
        Ok(vec![write_csv(folder, &name, &header, rows)?])
    }
}

/// Columns of a prediction: `prob_` of each class, `called`, and `set` where there are sets.
pub fn prediction_header(classes: &[String], has_sets: bool) -> Vec<String> {
    let named = classes.iter().map(|class| format!("prob_{class}"));
    named.chain(["called".to_string()]).chain(has_sets.then(|| "set".to_string())).collect()
}

/// The cells under [`prediction_header`]; a row about which the head is too unsure is called nothing.
pub fn prediction_cells(prediction: &Prediction, classes: &[String]) -> Vec<String> {
    let name = |class: u32| classes[class as usize].clone();
    let values = prediction.probabilities.iter().map(|p| format!("{p:.6}"));
    let called = prediction.called.map(name).unwrap_or_default();
    values.chain([called]).chain(prediction.set.map(|set| set_names(set, classes))).collect()
}

/// The names of a set, between bars.
pub fn set_names(set: &[u32], classes: &[String]) -> String {
    let names: Vec<&str> = set.iter().map(|&class| classes[class as usize].as_str()).collect();
    names.join("|")
}

/// Writes a CSV whole or not at all; a name that ends in `.gz` is packed. Text that a spreadsheet
/// would run is guarded.
pub fn write_csv(
    folder: &Path,
    name: impl AsRef<OsStr>,
    header: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<PathBuf> {
    let path = folder.join(name.as_ref());
    let io = |e| Error::io("write", &path, e);
    let is_packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    write_whole(folder, name, |out| {
        if !is_packed {
            return records(out, header, rows).map_err(io);
        }
        let mut packed = GzEncoder::new(out, Compression::default());
        records(&mut packed, header, rows).map_err(io)?;
        packed.finish().map(|_| ()).map_err(io)
    })
}

fn records(
    out: &mut dyn Write,
    header: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> std::io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(header.iter().map(|text| guard(text).into_owned()))?;
    for row in rows {
        csv.write_record(row.iter().map(|text| guard(text).into_owned()))?;
    }
    csv.flush()
}
