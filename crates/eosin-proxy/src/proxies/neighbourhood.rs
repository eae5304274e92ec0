// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Fold, ProxyScores, ProxyTask, Result, TileMeta, TrainView, numbered};
use rayon::prelude::*;

use crate::dense::{map_products, normalise_rows};
use crate::probe::nearest;

/// Proxy `spatial-neighbourhood`: of the `k` tiles of the same slide that are nearest by cosine,
/// the share that lies within `radius` tile sides; tissue changes slowly, so neighbours in place
/// should be neighbours in embedding.
///
/// It reads places, no labels, and fits nothing. Stain gradients also vary slowly, which is why a
/// colour control can do well here: compare with it.
#[derive(Clone, Debug)]
pub struct SpatialNeighbourhood {
    places: Vec<Place>,
    k: usize,
    radius: f64,
}

#[derive(Clone, Debug)]
struct Place {
    slide: u32,
    x: f64,
    y: f64,
}

impl SpatialNeighbourhood {
    /// `metas[i]` tells where row i of the set lies. 5 neighbours and a radius of 2 are usual.
    pub fn new(metas: &[TileMeta], k: usize, radius: f64) -> Result<Self> {
        if k == 0 || !(radius > 0.0 && radius.is_finite()) {
            return Err(Error::input(
                "proxy spatial-neighbourhood, options k and radius",
                "above 0",
                format!("{k} and {radius}"),
                "5 neighbours and a radius of 2 tile sides are usual",
            ));
        }
        let (slides, _) = numbered(metas.iter().map(|m| m.slide.as_str()));
        let places = metas
            .iter()
            .zip(slides)
            .map(|(m, slide)| {
                let side = f64::from(m.size_level0_px.max(1));
                Place { slide, x: m.x as f64 / side, y: m.y as f64 / side }
            })
            .collect();
        Ok(Self { places, k, radius })
    }

    fn near(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.places[a], &self.places[b]);
        (a.x - b.x).hypot(a.y - b.y) <= self.radius
    }
}

impl ProxyTask for SpatialNeighbourhood {
    fn kind(&self) -> &'static str {
        "spatial-neighbourhood"
    }

    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        if let Some(row) = train.rows().iter().find(|&&r| r >= self.places.len()) {
            return Err(Error::input(
                "places of the tiles",
                format!("one for row {row}"),
                self.places.len().to_string(),
                "give the tiles' metas in the order of the set's rows",
            ));
        }
        let score = |fold: &Fold| {
            let (_, held_out) = train.split(fold)?;
            let rows = held_out.rows();
            let mut features = held_out.features();
            normalise_rows(&mut features);
            let shares = map_products(&features, &features, |i, similarities| {
                let same_slide =
                    |j: usize| j != i && self.places[rows[j]].slide == self.places[rows[i]].slide;
                // A tile without a neighbour in place cannot be judged.
                if !(0..rows.len()).any(|j| same_slide(j) && self.near(rows[i], rows[j])) {
                    return None;
                }
                let found = nearest(similarities, self.k, same_slide);
                let hits = found.iter().filter(|&&j| self.near(rows[i], rows[j])).count();
                Some(hits as f64 / found.len() as f64)
            })?;
            let judged: Vec<f64> = shares.into_iter().flatten().collect();
            if judged.is_empty() {
                return Err(Error::input(
                    "held-out tiles of spatial-neighbourhood",
                    "tiles of one slide within the radius of each other",
                    "none",
                    "score tiles that were cut from slides, with a larger radius",
                ));
            }
            Ok(judged.iter().sum::<f64>() / judged.len() as f64)
        };
        let folds = folds.par_iter().map(score).collect::<Result<_>>()?;
        let metric = "share of neighbours".into();
        Ok(ProxyScores { probe: self.kind().into(), metric, folds })
    }
}
