// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eosin_core::{
    PredictedTile, Prediction, PredictionWriter, RgbImage, SlidePredictions, SlideThumbnail,
    TileMeta,
};

use super::must;

/// Names that would leave the folder, run in a spreadsheet, or be markup.
const NAMES: [&str; 7] = ["slide", "../x", "/x", "a/../../b", "=cmd", "<script>", ""];

/// Checks a writer of predictions on a slide of four tiles under ordinary and hostile names, in
/// folders that it makes in `folder`, which is there and empty.
///
/// # Panics
///
/// When a duty of [`PredictionWriter`] is broken.
pub fn prediction_writer(writer: &dyn PredictionWriter, folder: &Path) {
    assert!(!writer.kind().is_empty(), "kind: expected a name, found an empty string");
    for (i, name) in NAMES.into_iter().enumerate() {
        let above = folder.join(i.to_string());
        let once = written(writer, name, &above.join("once"));
        let again = written(writer, name, &above.join("again"));
        assert!(
            once == again,
            "determinism: expected the same bytes for the same predictions, found others"
        );
        let entries = files(&above);
        assert!(
            entries.len() == once.len() + again.len(),
            "the folder alone: expected files in it, found {:?} for slide {name:?}",
            entries.keys()
        );
    }
}

/// Writes a slide and gives what its files hold by their names.
fn written(writer: &dyn PredictionWriter, name: &str, out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    if let Err(error) = std::fs::create_dir_all(out) {
        panic!("the suite's own folder {}: {error}", out.display());
    }
    let metas: Vec<TileMeta> = (0..4)
        .map(|i| TileMeta { x: 100 * i, ..TileMeta::named(format!("{name}:{i}"), 100) })
        .collect();
    let rows = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.5, 0.5]];
    let called = [Some(0), Some(1), Some(1), None];
    let tile = |i: usize| PredictedTile {
        meta: &metas[i],
        prediction: Some(Prediction { probabilities: &rows[i], called: called[i], set: None }),
        attention: None,
    };
    let thumbnail =
        SlideThumbnail { image: RgbImage::filled(200, 50, [220, 170, 200]), downsample: 2.0 };
    let classes = ["none".to_string(), "=\"<b>".to_string()];
    let slide = SlidePredictions {
        slide: name,
        patient: name,
        path: Path::new("slide.svs"),
        size: Some((400, 100)),
        mpp: None,
        thumbnail: writer.thumbnail_px().map(|_| &thumbnail),
        classes: &classes,
        tiles: (0..4).map(tile).collect(),
        call: None,
    };
    let named = must("write", writer.write(&slide, out));
    let found = files(out);
    for path in &named {
        let is_within = path.strip_prefix(out).is_ok_and(|name| found.contains_key(name));
        assert!(is_within, "files: expected {} in the folder, which it is not", path.display());
    }
    assert!(
        found.len() == named.len(),
        "files: expected those that were named and no part of others, found {:?}",
        found.keys()
    );
    found
}

/// What files below a folder hold, by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                found.insert(name, std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}
