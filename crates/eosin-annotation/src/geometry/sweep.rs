// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};

use super::Scene;
use super::scene::x_at;

/// A part of a shape between two heights, whose sides are straight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trapezoid {
    /// The upper height.
    pub top: f64,
    /// The lower height.
    pub bottom: f64,
    /// x of the left side at both heights.
    pub left: [f64; 2],
    /// x of the right side at both heights.
    pub right: [f64; 2],
}

/// Steps that a sweep may take for each edge: outlines that are drawn take as many as edges are at one
/// height, some dozens. So the time is in proportion to the file whatever is in it.
const STEPS_OF_AN_EDGE: u64 = 1024;

/// Steps that a sweep may take besides.
const STEPS: u64 = 1 << 20;

/// Where a piece is at both heights of a band.
#[derive(Clone, Copy, Debug)]
struct Line {
    at: f64,
    to: f64,
    piece: u32,
}

/// What is inside, walking from left to right.
struct Inside<'a> {
    scene: &'a Scene,
    /// Whether a ring was entered.
    odd: Vec<bool>,
    /// Of an outline: how many of its holes were entered.
    n_holes: Vec<u32>,
    /// Of a rank: in how many outlines one is.
    n_outlines: Vec<u32>,
    /// The first rank that one is in.
    first: Option<usize>,
}

impl Trapezoid {
    /// Its area.
    pub fn area(&self) -> f64 {
        let widths = (self.right[0] - self.left[0]) + (self.right[1] - self.left[1]);
        (self.bottom - self.top) * widths.max(0.0) / 2.0
    }

    /// ∫ x and ∫ y over it, from `origin`.
    pub fn moments(&self, origin: [f64; 2]) -> [f64; 2] {
        let height = self.bottom - self.top;
        // The mean of the square of a quantity that runs from a to b.
        let square = |[a, b]: [f64; 2]| {
            let (a, b) = (a - origin[0], b - origin[0]);
            (a * a + a * b + b * b) / 3.0
        };
        let [upper, lower] = [self.right[0] - self.left[0], self.right[1] - self.left[1]];
        let [y0, y1] = [self.top - origin[1], self.bottom - origin[1]];
        let x = height * (square(self.right) - square(self.left)) / 2.0;
        let y = height * (upper * (2.0 * y0 + y1) + lower * (y0 + 2.0 * y1)) / 6.0;
        [x, y]
    }
}

impl Scene {
    /// Calls `emit` with every part of the rectangle that lies in a shape, and with the first rank
    /// of those in which it lies. Parts do not overlap.
    pub(crate) fn sweep(&mut self, emit: &mut dyn FnMut(usize, &Trapezoid)) -> Result<()> {
        self.close_left();
        self.pieces.sort_by(|a, b| a.top[1].total_cmp(&b.top[1]));
        let mut heights: Vec<f64> =
            self.pieces.iter().flat_map(|piece| [piece.top[1], piece.bottom[1]]).collect();
        heights.sort_by(f64::total_cmp);
        heights.dedup();
        let most = STEPS + STEPS_OF_AN_EDGE * self.pieces.len() as u64;
        let mut inside = Inside::new(self);
        let (mut active, mut lines, mut next, mut steps) = (Vec::new(), Vec::new(), 0, 0_u64);
        for pair in heights.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            active.retain(|&piece: &u32| self.pieces[piece as usize].bottom[1] > a);
            while self.pieces.get(next).is_some_and(|piece| piece.top[1] <= a) {
                active.push(next as u32);
                next += 1;
            }
            lines.clear();
            lines.extend(active.iter().map(|&piece| self.line(piece, a, b)));
            lines.sort_by(|p, q| p.at.total_cmp(&q.at).then(p.to.total_cmp(&q.to)));
            // In this order the next band is nearly sorted.
            active.clear();
            active.extend(lines.iter().map(|line| line.piece));
            steps += lines.len() as u64;
            if lines.is_sorted_by(|p, q| p.to <= q.to) {
                inside.walk(a, b, &lines, emit);
            } else {
                let cuts = crossings(a, b, &lines, &mut steps, most);
                for pair in cuts.map_err(|()| self.too_intricate())?.windows(2) {
                    let [a, b] = [pair[0], pair[1]];
                    let mut between: Vec<Line> =
                        active.iter().map(|&piece| self.line(piece, a, b)).collect();
                    between.sort_by(|p, q| (p.at + p.to).total_cmp(&(q.at + q.to)));
                    steps += between.len() as u64;
                    if steps > most {
                        return Err(self.too_intricate());
                    }
                    inside.walk(a, b, &between, emit);
                }
            }
            if steps > most {
                return Err(self.too_intricate());
            }
        }
        Ok(())
    }

    fn line(&self, piece: u32, a: f64, b: f64) -> Line {
        let own = &self.pieces[piece as usize];
        Line { at: x_at(own.top, own.bottom, a), to: x_at(own.top, own.bottom, b), piece }
    }

    fn too_intricate(&self) -> Error {
        Error::unsupported(
            format!(
                "the area of outlines of {} edges that cross each other too often",
                self.pieces.len()
            ),
            &[],
            "simplify the outlines in the program that drew them",
        )
    }
}

/// The heights of a band and those between at which lines cross.
fn crossings(a: f64, b: f64, lines: &[Line], steps: &mut u64, most: u64) -> Result<Vec<f64>, ()> {
    let (mut cuts, mut sorted) = (vec![a, b], lines.to_vec());
    for i in 1..sorted.len() {
        let mut j = i;
        // Each exchange of neighbours is a crossing between the two heights.
        while j > 0 && sorted[j - 1].to > sorted[j].to {
            let (left, right) = (sorted[j - 1], sorted[j]);
            let [before, after] = [right.at - left.at, left.to - right.to];
            let cut = a + (b - a) * (before / (before + after));
            if cut > a && cut < b {
                cuts.push(cut);
            }
            sorted.swap(j - 1, j);
            j -= 1;
            *steps += 1;
        }
        if *steps > most {
            return Err(());
        }
    }
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    Ok(cuts)
}

impl<'a> Inside<'a> {
    fn new(scene: &'a Scene) -> Self {
        let n_ranks = scene.outlines.iter().max().map_or(0, |rank| *rank as usize + 1);
        Self {
            scene,
            odd: vec![false; scene.rings.len()],
            n_holes: vec![0; scene.outlines.len()],
            n_outlines: vec![0; n_ranks],
            first: None,
        }
    }

    /// Goes from line to line and emits what lies between.
    fn walk(
        &mut self,
        top: f64,
        bottom: f64,
        lines: &[Line],
        emit: &mut dyn FnMut(usize, &Trapezoid),
    ) {
        let right = self.scene.rectangle().right;
        let mut since = [0.0; 2];
        for line in lines {
            let before = self.first;
            self.cross(line.piece);
            if self.first == before {
                continue;
            }
            if let Some(rank) = before {
                let right = [line.at, line.to];
                emit(rank, &Trapezoid { top, bottom, left: since, right });
            }
            since = [line.at, line.to];
        }
        // What is not left again reaches the right border.
        if let Some(rank) = self.first {
            emit(rank, &Trapezoid { top, bottom, left: since, right: [right; 2] });
        }
        for line in lines {
            self.cross(line.piece);
        }
    }

    /// Enters or leaves a ring.
    fn cross(&mut self, piece: u32) {
        let ring = self.scene.pieces[piece as usize].ring as usize;
        let owner = self.scene.rings[ring];
        let outline = owner.outline as usize;
        let outer = owner.outer as usize;
        let was = self.odd[outer] && self.n_holes[outline] == 0;
        self.odd[ring] ^= true;
        if owner.is_hole {
            if self.odd[ring] {
                self.n_holes[outline] += 1;
            } else {
                self.n_holes[outline] -= 1;
            }
        }
        let is = self.odd[outer] && self.n_holes[outline] == 0;
        if was == is {
            return;
        }
        let rank = self.scene.outlines[outline] as usize;
        if is {
            self.n_outlines[rank] += 1;
            self.first = Some(self.first.map_or(rank, |first| first.min(rank)));
        } else {
            self.n_outlines[rank] -= 1;
            if self.n_outlines[rank] == 0 && self.first == Some(rank) {
                self.first = self.n_outlines.iter().position(|n| *n > 0);
            }
        }
    }
}
