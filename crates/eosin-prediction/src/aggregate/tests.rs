// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{PredictedTile, Prediction, SlidePredictions, TileMeta};

use super::Aggregates;

#[test]
fn shares_and_largest_probabilities_of_slides_and_patients() {
    let classes = ["none".to_string(), "=tumour".to_string()];
    let metas: Vec<TileMeta> = (0..4).map(|i| TileMeta::named(format!("{i}"), 10)).collect();
    let rows = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.5, 0.5]];
    let called = [Some(0), Some(1), Some(1), None];
    let tiles: Vec<PredictedTile> = metas
        .iter()
        .zip(&rows)
        .zip(called)
        .map(|((meta, row), called)| PredictedTile {
            meta,
            prediction: Some(Prediction { probabilities: row, called, set: None }),
            attention: None,
        })
        .collect();
    let mut aggregates = Aggregates::new(2);
    for (name, of) in [("a", 0..4), ("b", 1..2)] {
        let predictions = SlidePredictions {
            slide: name,
            patient: "p",
            path: Path::new(""),
            size: None,
            mpp: None,
            thumbnail: None,
            classes: &classes,
            tiles: tiles[of].to_vec(),
            call: None,
        };
        aggregates.add(&predictions).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    aggregates.write(folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let columns = "tiles_uncalled,share_called_none,share_called_=tumour,top2_mean_none,\
                   top2_mean_=tumour";
    assert_eq!(
        read("slides.csv"),
        format!(
            "slide,patient,tiles,{columns}\n\
             a,p,4,1,0.250000,0.500000,0.700000,0.700000\n\
             b,p,1,0,0.000000,1.000000,0.200000,0.800000\n"
        )
    );
    assert_eq!(
        read("patients.csv"),
        format!(
            "patient,slides,tiles,{columns}\n\
             p,2,5,1,0.200000,0.600000,0.700000,0.800000\n"
        )
    );
}
