// SPDX-License-Identifier: MIT OR Apache-2.0

//! Polygons on a slide, and GeoJSON, in which viewers such as QuPath keep them.
//!
//! Coordinates are level-0 pixels, y downwards.

mod contour;
mod geojson;

pub use contour::contours;
pub use geojson::{read_region, write_contours};

/// A polygon: a ring of corners with rings cut out of it. The last corner joins the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    /// The outline.
    pub outer: Vec<[f64; 2]>,
    /// What is cut out.
    pub holes: Vec<Vec<[f64; 2]>>,
}

/// Polygons that together are a region of interest.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Region {
    parts: Vec<(Polygon, Bounds)>,
}

/// Left, top, right and bottom.
type Bounds = [f64; 4];

impl Polygon {
    /// The area in square pixels.
    pub fn area(&self) -> f64 {
        let holes: f64 = self.holes.iter().map(|hole| ring_area(hole)).sum();
        ring_area(&self.outer) - holes
    }

    fn bounds(&self) -> Bounds {
        let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        self.outer
            .iter()
            .fold(start, |[x0, y0, x1, y1], &[x, y]| [x0.min(x), y0.min(y), x1.max(x), y1.max(y)])
    }
}

impl Region {
    /// Takes polygons; where they overlap, the place counts as often as it is covered.
    pub fn new(polygons: Vec<Polygon>) -> Self {
        let parts = polygons.into_iter().map(|p| {
            let bounds = p.bounds();
            (p, bounds)
        });
        Self { parts: parts.collect() }
    }

    /// The polygons.
    pub fn polygons(&self) -> impl ExactSizeIterator<Item = &Polygon> {
        self.parts.iter().map(|(polygon, _)| polygon)
    }

    /// The share of a rectangle that the region covers, at most 1.
    pub fn fraction(&self, x: f64, y: f64, width: f64, height: f64) -> f64 {
        let rectangle = [x, y, x + width, y + height];
        let meets = |[x0, y0, x1, y1]: Bounds| {
            x0 < rectangle[2] && x1 > rectangle[0] && y0 < rectangle[3] && y1 > rectangle[1]
        };
        let covered: f64 = self
            .parts
            .iter()
            .filter(|(_, bounds)| meets(*bounds))
            .map(|(polygon, _)| clipped_area(polygon, rectangle))
            .sum();
        (covered / (width * height)).clamp(0.0, 1.0)
    }
}

fn clipped_area(polygon: &Polygon, rectangle: Bounds) -> f64 {
    let holes: f64 = polygon.holes.iter().map(|hole| ring_area(&clip(hole, rectangle))).sum();
    ring_area(&clip(&polygon.outer, rectangle)) - holes
}

/// The ring's part inside a rectangle (Sutherland and Hodgman 1974). A ring that is not convex may
/// come back with edges that run along the rectangle and back, which add nothing to its area.
fn clip(ring: &[[f64; 2]], [x0, y0, x1, y1]: Bounds) -> Vec<[f64; 2]> {
    let mut out = ring.to_vec();
    for (axis, limit, sign) in [(0, x0, 1.0), (0, x1, -1.0), (1, y0, 1.0), (1, y1, -1.0)] {
        let inside = |p: [f64; 2]| (p[axis] - limit) * sign >= 0.0;
        let Some(&last) = out.last() else { break };
        let mut previous = last;
        let mut kept = Vec::with_capacity(out.len() + 4);
        for &point in &out {
            if inside(previous) != inside(point) {
                let share = (limit - previous[axis]) / (point[axis] - previous[axis]);
                let other = 1 - axis;
                let mut crossing = [limit; 2];
                crossing[other] = previous[other] + share * (point[other] - previous[other]);
                kept.push(crossing);
            }
            if inside(point) {
                kept.push(point);
            }
            previous = point;
        }
        out = kept;
    }
    out
}

/// The area of a ring, whichever way it runs.
fn ring_area(ring: &[[f64; 2]]) -> f64 {
    let Some(&last) = ring.last() else { return 0.0 };
    let mut previous = last;
    let mut twice = 0.0;
    for &point in ring {
        twice += previous[0] * point[1] - point[0] * previous[1];
        previous = point;
    }
    twice.abs() / 2.0
}

#[cfg(test)]
mod tests;
