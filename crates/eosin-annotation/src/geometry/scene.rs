// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Outline, Rectangle, Shape};

use super::edge_rows::rings;
use super::edges;

/// The edges of shapes inside one rectangle, ready to be swept.
///
/// What lies right of the rectangle is dropped. What lies left of it is moved onto its left border,
/// where it says what is inside from there on.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    rectangle: Rectangle,
    pub(super) pieces: Vec<Piece>,
    /// Heights at which a ring's inside begins or ends on the left border.
    left: Vec<(u32, f64)>,
    pub(super) rings: Vec<RingOwner>,
    /// The rank of each outline's class, the first before the others.
    pub(super) outlines: Vec<u32>,
}

/// A piece of an edge, from its upper to its lower end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) top: [f64; 2],
    pub(super) bottom: [f64; 2],
    pub(super) ring: u32,
}

/// Whose ring it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RingOwner {
    pub(super) outline: u32,
    /// The outline's outer ring, which is itself unless it is a hole.
    pub(super) outer: u32,
    pub(super) is_hole: bool,
}

impl Scene {
    /// A scene without shapes.
    pub(crate) fn new(rectangle: Rectangle) -> Self {
        let (pieces, left) = (Vec::new(), Vec::new());
        Self { rectangle, pieces, left, rings: Vec::new(), outlines: Vec::new() }
    }

    /// A scene of one shape, of rank 0.
    pub(crate) fn of(shape: &Shape, rectangle: Rectangle) -> Self {
        let mut scene = Self::new(rectangle);
        match shape {
            Shape::Outlines(outlines) => {
                for outline in outlines {
                    scene.add(outline, 0);
                }
            }
            Shape::Box(own) => scene.add_box(*own, 0),
            Shape::Points(_) => {}
        }
        scene
    }

    /// The rectangle.
    pub(crate) fn rectangle(&self) -> Rectangle {
        self.rectangle
    }

    /// Takes all shapes out and another rectangle, keeping the memory.
    pub(crate) fn clear(&mut self, rectangle: Rectangle) {
        self.rectangle = rectangle;
        self.pieces.clear();
        self.left.clear();
        self.rings.clear();
        self.outlines.clear();
    }

    /// Adds an outline whose class has this rank.
    pub(crate) fn add(&mut self, outline: &Outline, rank: u32) {
        let first = self.add_rings(outline.holes.len(), rank);
        for (ring, corners) in (first..).zip(rings(outline)) {
            for (a, b) in edges(corners) {
                self.edge(ring, a, b, [f64::NEG_INFINITY, f64::INFINITY]);
            }
        }
    }

    /// Adds a rectangle whose class has this rank.
    pub(crate) fn add_box(&mut self, own: Rectangle, rank: u32) {
        let ring = self.add_rings(0, rank);
        for (a, b) in edges(&own.corners()) {
            self.edge(ring, a, b, [f64::NEG_INFINITY, f64::INFINITY]);
        }
    }

    /// Adds an outline without its edges; the number of its outer ring, which its holes' follow.
    pub(crate) fn add_rings(&mut self, n_holes: usize, rank: u32) -> u32 {
        let (outline, first) = (self.outlines.len() as u32, self.rings.len() as u32);
        self.outlines.push(rank);
        let owner = RingOwner { outline, outer: first, is_hole: false };
        self.rings.push(owner);
        self.rings.extend(std::iter::repeat_n(RingOwner { is_hole: true, ..owner }, n_holes));
        first
    }

    /// Adds the part of an edge that lies in the rectangle and in a band of heights.
    pub(crate) fn edge(&mut self, ring: u32, a: [f64; 2], b: [f64; 2], band: [f64; 2]) {
        let Rectangle { left, top, right, bottom } = self.rectangle;
        let is_down = a[1] < b[1];
        let (upper, lower) = if is_down { (a, b) } else { (b, a) };
        let (y0, y1) = (upper[1].max(top).max(band[0]), lower[1].min(bottom).min(band[1]));
        // Level edges have no height; what they bound is told by their neighbours.
        if y0 >= y1 || upper[0].min(lower[0]) >= right {
            return;
        }
        let (x0, x1) = (x_at(upper, lower, y0), x_at(upper, lower, y1));
        if x0.min(x1) >= right {
            return;
        }
        if x0.max(x1) <= left {
            self.pass_left(ring, y0, y1, is_down);
            return;
        }
        let (mut from, mut to) = ([x0, y0], [x1, y1]);
        let slope = (lower[1] - upper[1]) / (lower[0] - upper[0]);
        let y_at = |x: f64| (upper[1] + (x - upper[0]) * slope).clamp(y0, y1);
        if x0 < left {
            from = [left, y_at(left)];
            self.pass_left(ring, y0, from[1], is_down);
        } else if x0 > right {
            from = [right, y_at(right)];
        }
        if x1 < left {
            to = [left, y_at(left)];
            self.pass_left(ring, to[1], y1, is_down);
        } else if x1 > right {
            to = [right, y_at(right)];
        }
        if from[1] < to[1] {
            self.pieces.push(Piece { top: from, bottom: to, ring });
        }
    }

    /// Notes that a ring passes left of the rectangle between two heights. Edges that follow each other
    /// meet in a height, at which nothing changes: most heights are gone before they are sorted.
    fn pass_left(&mut self, ring: u32, y0: f64, y1: f64, is_down: bool) {
        let heights = if is_down { [y0, y1] } else { [y1, y0] };
        for change in heights.map(|y| (ring, y)) {
            if self.left.last() == Some(&change) {
                self.left.pop();
            } else {
                self.left.push(change);
            }
        }
    }

    /// Makes pieces on the left border of what lies left of it.
    pub(super) fn close_left(&mut self) {
        let x = self.rectangle.left;
        self.left.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        // Where one edge ends and the next begins, nothing changes.
        let mut kept: Vec<(u32, f64)> = Vec::new();
        for &change in &self.left {
            if kept.last() == Some(&change) {
                kept.pop();
            } else {
                kept.push(change);
            }
        }
        let (whole, _) = kept.as_chunks::<2>();
        let pieces = whole.iter().map(|&[(ring, y0), (_, y1)]| Piece {
            top: [x, y0],
            bottom: [x, y1],
            ring,
        });
        self.pieces.extend(pieces);
        self.left.clear();
    }
}

/// Where the way from `upper` down to `lower` is at a height; its ends exactly.
pub(super) fn x_at(upper: [f64; 2], lower: [f64; 2], y: f64) -> f64 {
    if y <= upper[1] {
        upper[0]
    } else if y >= lower[1] {
        lower[0]
    } else {
        upper[0] + (lower[0] - upper[0]) * ((y - upper[1]) / (lower[1] - upper[1]))
    }
}
