// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashSet;

use eosin_core::{Error, Result, SlidePredictions};

/// Refuses tiles of which nobody said where they lie: all would be drawn on one place.
pub fn require_places(slide: &SlidePredictions, format: &str) -> Result<()> {
    let mut seen = HashSet::new();
    let place = |meta: &eosin_core::TileMeta| (meta.x, meta.y, meta.size_level0_px);
    match slide.tiles.iter().find(|tile| !seen.insert(place(tile.meta))) {
        None => Ok(()),
        Some(tile) => Err(Error::input(
            format!("format {format} of slide {}", slide.slide),
            "tiles whose places on the slide are known, each once",
            format!("`{}` in the same place as another", tile.meta.tile_id),
            "predict on the slide itself, give the manifest columns x and y, or write --format csv",
        )),
    }
}

/// Refuses probabilities and classes that do not belong together.
pub fn require_sound(slide: &SlidePredictions) -> Result<()> {
    let n = slide.classes.len();
    for tile in &slide.tiles {
        let Some(prediction) = tile.prediction else { continue };
        let known = |class: &u32| (*class as usize) < n;
        let sound = prediction.probabilities.len() == n
            && prediction.probabilities.iter().all(|p| p.is_finite())
            && prediction.called.iter().all(known)
            && prediction.set.is_none_or(|set| set.iter().all(known));
        if !sound {
            return Err(Error::input(
                format!("prediction of tile {}", tile.meta.tile_id),
                format!("{n} finite probabilities and classes below {n}"),
                format!("{prediction:?}"),
                "predict with the head that the classes belong to",
            ));
        }
    }
    Ok(())
}
