// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Rectangle, Result, Shape};

use crate::geometry::{BoxTree, EdgeRows, Scene, outline_contains};
use crate::rules::{LabelBy, LabelRules, Ranks};
use crate::set::AnnotationSet;

/// The classes of tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileLabels {
    /// The classes of the task, those first that go before others.
    pub classes: Vec<String>,
    /// The class of each tile, as its place in `classes`; `None` for tiles without one.
    pub labels: Vec<Option<u32>>,
}

/// A share reaches a threshold that it misses by this much, which is rounding.
const ROUNDING: f64 = 1e-9;

/// One outline or box of an annotation, ready for tiles.
struct Part<'a> {
    shape: PartShape<'a>,
    rank: u32,
    bounds: Rectangle,
}

enum PartShape<'a> {
    Box,
    Outline(&'a eosin_core::Outline, Option<EdgeRows>),
}

impl TileLabels {
    /// How many tiles each class has, in the order of the classes.
    pub fn counts(&self) -> Vec<(&str, usize)> {
        let n = |rank: usize| self.labels.iter().filter(|l| **l == Some(rank as u32)).count();
        self.classes.iter().enumerate().map(|(rank, class)| (class.as_str(), n(rank))).collect()
    }

    /// How many tiles have no class.
    pub fn n_without(&self) -> usize {
        self.labels.iter().filter(|label| label.is_none()).count()
    }
}

/// Labels tiles, given as rectangles in pixels of level 0, from the areas of annotations.
///
/// By share, a place that several annotations cover counts once, for the class that goes before the
/// others; what none covers counts for the class of the outside. The tile gets the class of the
/// largest share where that reaches the threshold, the first of equal ones. By centre, it is the
/// first class of those whose annotations hold the tile's centre
/// ([`contains`](crate::geometry::contains)), or that of the outside.
///
/// The result does not depend on the order of tiles or annotations.
pub fn label_tiles(
    set: &AnnotationSet,
    tiles: &[Rectangle],
    rules: &LabelRules,
) -> Result<TileLabels> {
    let ranks = rules.ranks(set)?;
    if !set.annotations().iter().any(|annotation| annotation.shape.is_area()) {
        return Err(Error::data(
            set.path(),
            "annotations that cover an area",
            format!("{} annotations, none of an area", set.annotations().len()),
            "tiles get classes from polygons and boxes; points are objects",
        ));
    }
    let parts = parts(set, &ranks);
    let bounds: Vec<Rectangle> = parts.iter().map(|part| part.bounds).collect();
    let (tree, mut near) = (BoxTree::new(&bounds), Vec::new());
    let mut labels = Vec::with_capacity(tiles.len());
    let mut scene = Scene::new(Rectangle::new(0.0, 0.0, 0.0, 0.0));
    for tile in tiles {
        let label = match rules.by {
            LabelBy::Centre => {
                let [x, y] = tile.centre();
                tree.find(Rectangle::new(x, y, 0.0, 0.0), &mut near);
                let holding = near.iter().map(|part| &parts[*part as usize]);
                let first =
                    holding.filter(|part| part.contains([x, y])).map(|part| part.rank).min();
                first.or(ranks.outside)
            }
            LabelBy::Share(least) => {
                tree.find(*tile, &mut near);
                scene.clear(*tile);
                for part in &near {
                    parts[*part as usize].put_into(&mut scene);
                }
                by_share(&mut scene, &ranks, least)?
            }
        };
        labels.push(label);
    }
    Ok(TileLabels { classes: ranks.classes, labels })
}

fn parts<'a>(set: &'a AnnotationSet, ranks: &Ranks) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    for (annotation, rank) in set.annotations().iter().zip(&ranks.of_annotations) {
        let Some(rank) = *rank else { continue };
        match &annotation.shape {
            Shape::Box(own) => parts.push(Part { shape: PartShape::Box, rank, bounds: *own }),
            Shape::Outlines(outlines) => {
                for outline in outlines {
                    let bounds = Rectangle::around(outline.outer.iter().copied());
                    let Some(bounds) = bounds else { continue };
                    let shape = PartShape::Outline(outline, EdgeRows::new(outline));
                    parts.push(Part { shape, rank, bounds });
                }
            }
            Shape::Points(_) => {}
        }
    }
    parts
}

/// The class of the largest share of the scene's rectangle, where it is at least `least`.
fn by_share(scene: &mut Scene, ranks: &Ranks, least: f64) -> Result<Option<u32>> {
    let whole = scene.rectangle().area();
    let mut areas = vec![0.0; ranks.classes.len()];
    scene.sweep(&mut |rank, trapezoid| areas[rank] += trapezoid.area())?;
    if let Some(outside) = ranks.outside {
        let covered: f64 = areas.iter().sum();
        areas[outside as usize] += (whole - covered).max(0.0);
    }
    let mut largest: Option<(u32, f64)> = None;
    for (rank, area) in (0_u32..).zip(areas) {
        // Equal but for rounding: the first stays.
        if largest.is_none_or(|(_, most)| area > most + whole * ROUNDING) {
            largest = Some((rank, area));
        }
    }
    Ok(largest.filter(|(_, area)| *area >= (least - ROUNDING) * whole).map(|(rank, _)| rank))
}

impl Part<'_> {
    fn put_into(&self, scene: &mut Scene) {
        match &self.shape {
            PartShape::Box => scene.add_box(self.bounds, self.rank),
            PartShape::Outline(outline, None) => scene.add(outline, self.rank),
            PartShape::Outline(outline, Some(rows)) => {
                let first = scene.add_rings(outline.holes.len(), self.rank);
                rows.put_into(outline, first, scene);
            }
        }
    }

    fn contains(&self, point: [f64; 2]) -> bool {
        match &self.shape {
            PartShape::Box => crate::geometry::contains(&Shape::Box(self.bounds), point),
            PartShape::Outline(outline, None) => outline_contains(outline, point),
            PartShape::Outline(outline, Some(rows)) => rows.contains(outline, point),
        }
    }
}
