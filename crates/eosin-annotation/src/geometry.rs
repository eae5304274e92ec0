// SPDX-License-Identifier: MIT OR Apache-2.0

//! Areas, borders and middles of shapes, in f64.
//!
//! Areas come from a sweep over the edges, top to bottom: between two neighbouring heights at which
//! an edge begins, ends or crosses another, the shape is trapezoids, whose areas are added. Nothing
//! is snapped to a grid and nothing cancels, so that the relative error is some roundings.
//! Containment asks on which side of each edge the point lies, by an exact predicate.

mod box_tree;
mod edge_rows;
mod scene;
mod sweep;

pub use box_tree::BoxTree;
pub(crate) use edge_rows::EdgeRows;
pub(crate) use scene::Scene;
pub use sweep::Trapezoid;

use eosin_core::{Outline, Rectangle, Result, Shape};
use robust::{Coord, orient2d};

/// The area of a shape in square pixels; 0 for points.
pub fn area(shape: &Shape) -> Result<f64> {
    match (shape, shape.bounds()) {
        (Shape::Box(rectangle), _) => Ok(rectangle.area()),
        (Shape::Outlines(_), Some(bounds)) => area_within(shape, bounds),
        _ => Ok(0.0),
    }
}

/// The area of a shape inside a rectangle; outlines that overlap count once.
pub fn area_within(shape: &Shape, rectangle: Rectangle) -> Result<f64> {
    let mut area = 0.0;
    let mut scene = Scene::of(shape, rectangle);
    scene.sweep(&mut |_, trapezoid| area += trapezoid.area())?;
    Ok(area)
}

/// The centre of a shape's area; of points, their mean; of what has no area, the middle of its
/// bounds. `None` where it has no point at all.
pub fn centre(shape: &Shape) -> Result<Option<[f64; 2]>> {
    let Some(bounds) = shape.bounds() else { return Ok(None) };
    if let Shape::Points(points) = shape {
        let n = points.len() as f64;
        let mean = |axis: usize| points.iter().map(|p| p[axis] / n).sum();
        return Ok(Some([mean(0), mean(1)]));
    }
    if let Shape::Box(rectangle) = shape {
        return Ok(Some(rectangle.centre()));
    }
    let (mut area, mut moment) = (0.0, [0.0, 0.0]);
    // Moments about a corner of its own: far from the slide's, they would lose digits.
    let origin = [bounds.left, bounds.top];
    Scene::of(shape, bounds).sweep(&mut |_, trapezoid| {
        area += trapezoid.area();
        let [x, y] = trapezoid.moments(origin);
        moment = [moment[0] + x, moment[1] + y];
    })?;
    if area <= 0.0 {
        return Ok(Some(bounds.centre()));
    }
    Ok(Some([origin[0] + moment[0] / area, origin[1] + moment[1] / area]))
}

/// Whether a shape holds a point.
///
/// Of a border, left and upper edges belong to the shape, right and lower ones do not, so that
/// neighbours which share an edge share no point. A hole's border is the other way round for the
/// same reason. Points hold nothing.
pub fn contains(shape: &Shape, point: [f64; 2]) -> bool {
    match shape {
        Shape::Outlines(outlines) => {
            outlines.iter().any(|outline| outline_contains(outline, point))
        }
        Shape::Box(r) => {
            (r.left..r.right).contains(&point[0]) && (r.top..r.bottom).contains(&point[1])
        }
        Shape::Points(_) => false,
    }
}

/// Whether an outline holds a point, by the rule of [`contains`].
pub fn outline_contains(outline: &Outline, point: [f64; 2]) -> bool {
    is_odd(&outline.outer, point) && !outline.holes.iter().any(|hole| is_odd(hole, point))
}

/// Whether a ray from the point to the right crosses the ring an odd number of times.
fn is_odd(ring: &[[f64; 2]], point: [f64; 2]) -> bool {
    edges(ring).filter(|&(a, b)| lies_right_of(a, b, point)).count() % 2 == 1
}

/// Whether an edge meets the height of a point, its upper end included, strictly to the right of it.
pub(crate) fn lies_right_of(a: [f64; 2], b: [f64; 2], point: [f64; 2]) -> bool {
    let (upper, lower) = if a[1] < b[1] { (a, b) } else { (b, a) };
    if !(upper[1]..lower[1]).contains(&point[1]) {
        return false;
    }
    let [left, right] = [upper[0].min(lower[0]), upper[0].max(lower[0])];
    if point[0] < left {
        return true;
    }
    let coord = |[x, y]: [f64; 2]| Coord { x, y };
    // With y downwards, a point left of the way down is to the left of the edge.
    point[0] < right && orient2d(coord(upper), coord(lower), coord(point)) > 0.0
}

/// The edges of a ring.
pub(crate) fn edges(ring: &[[f64; 2]]) -> impl Iterator<Item = ([f64; 2], [f64; 2])> + '_ {
    let next = ring.iter().skip(1).chain(ring.first());
    ring.iter().zip(next).map(|(a, b)| (*a, *b))
}
