// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Outline;

use super::{Scene, edges, lies_right_of};

/// The edges of a large outline by rows of equal height, so that a tile looks at its rows alone.
#[derive(Clone, Debug)]
pub(crate) struct EdgeRows {
    top: f64,
    height: f64,
    n_rows: usize,
    /// Where the edges of each row begin in `edges`, and where the last row ends.
    starts: Vec<u32>,
    /// Number of the ring, 0 the outer one, and of the edge in it.
    edges: Vec<(u32, u32)>,
}

/// An outline of fewer edges is gone through as a whole.
const SMALL: usize = 64;

/// Edges of a row that are aimed at.
const PER_ROW: usize = 16;

/// An edge stands in at most so many rows, on average.
const MOST_COPIES: usize = 8;

impl EdgeRows {
    /// The rows of an outline; `None` where it is too small to need them.
    pub(crate) fn new(outline: &Outline) -> Option<Self> {
        let n_edges = outline.outer.len() + outline.holes.iter().map(Vec::len).sum::<usize>();
        if n_edges < SMALL {
            return None;
        }
        let heights = || rings(outline).flat_map(|ring| ring.iter().map(|corner| corner[1]));
        let top = heights().fold(f64::INFINITY, f64::min);
        let bottom = heights().fold(f64::NEG_INFINITY, f64::max);
        let mut rows = Self::empty(top, bottom, n_edges / PER_ROW)?;
        // Long upright edges stand in every row: fewer rows keep the copies few.
        loop {
            let mut copies = 0;
            for_each_edge(outline, |_, _, a, b| copies += rows.rows_of(a, b).count());
            if copies <= MOST_COPIES * n_edges || rows.n_rows == 1 {
                break;
            }
            rows = Self::empty(top, bottom, rows.n_rows / 2)?;
        }
        let mut by_row: Vec<Vec<(u32, u32)>> = vec![Vec::new(); rows.n_rows];
        for_each_edge(outline, |ring, edge, a, b| {
            for row in rows.rows_of(a, b) {
                by_row[row].push((ring, edge));
            }
        });
        for row in by_row {
            rows.edges.extend(row);
            rows.starts.push(rows.edges.len() as u32);
        }
        Some(rows)
    }

    fn empty(top: f64, bottom: f64, n_rows: usize) -> Option<Self> {
        let height = (bottom - top) / n_rows as f64;
        (height > 0.0).then(|| Self { top, height, n_rows, starts: vec![0], edges: Vec::new() })
    }

    /// The row of a height; heights above the first and below the last are counted to them.
    fn row_of(&self, y: f64) -> usize {
        (((y - self.top) / self.height).max(0.0) as usize).min(self.n_rows - 1)
    }

    /// Rows that an edge stands in: a hair more than it meets, so that none is missed by rounding.
    fn rows_of(&self, a: [f64; 2], b: [f64; 2]) -> std::ops::RangeInclusive<usize> {
        let hair = self.height * 1e-6;
        self.row_of(a[1].min(b[1]) - hair)..=self.row_of(a[1].max(b[1]) + hair)
    }

    /// Puts the edges at the heights of the scene's rectangle into it, with rings from `first` on.
    pub(crate) fn put_into(&self, outline: &Outline, first: u32, scene: &mut Scene) {
        let rectangle = scene.rectangle();
        for row in self.row_of(rectangle.top)..=self.row_of(rectangle.bottom) {
            let band = self.band(row);
            for &(ring, edge) in self.of_row(row) {
                let (a, b) = edge_of(outline, ring, edge);
                // Each row has its part of the edge, so that copies add up to the whole.
                scene.edge(first + ring, a, b, band);
            }
        }
    }

    /// Whether the outline holds a point.
    pub(crate) fn contains(&self, outline: &Outline, point: [f64; 2]) -> bool {
        let mut odd = vec![false; 1 + outline.holes.len()];
        for &(ring, edge) in self.of_row(self.row_of(point[1])) {
            let (a, b) = edge_of(outline, ring, edge);
            odd[ring as usize] ^= lies_right_of(a, b, point);
        }
        odd[0] && !odd[1..].contains(&true)
    }

    fn of_row(&self, row: usize) -> &[(u32, u32)] {
        &self.edges[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// The heights that belong to a row: without gap or overlap, the last without end.
    fn band(&self, row: usize) -> [f64; 2] {
        let at = |row: usize| self.top + row as f64 * self.height;
        let top = if row == 0 { f64::NEG_INFINITY } else { at(row) };
        let bottom = if row + 1 >= self.n_rows { f64::INFINITY } else { at(row + 1) };
        [top, bottom]
    }
}

/// The outer ring and the holes.
pub(super) fn rings(outline: &Outline) -> impl Iterator<Item = &Vec<[f64; 2]>> {
    std::iter::once(&outline.outer).chain(&outline.holes)
}

/// Calls with the numbers of ring and edge, and the edge's ends.
fn for_each_edge(outline: &Outline, mut each: impl FnMut(u32, u32, [f64; 2], [f64; 2])) {
    for (ring, corners) in (0_u32..).zip(rings(outline)) {
        for (edge, (a, b)) in (0_u32..).zip(edges(corners)) {
            each(ring, edge, a, b);
        }
    }
}

fn edge_of(outline: &Outline, ring: u32, edge: u32) -> ([f64; 2], [f64; 2]) {
    let ring = match (ring as usize).checked_sub(1) {
        None => &outline.outer,
        Some(hole) => &outline.holes[hole],
    };
    let (a, b) = (edge as usize, (edge as usize + 1) % ring.len());
    (ring[a], ring[b])
}
