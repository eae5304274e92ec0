// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use crate::rectangle::Rectangle;

/// A piece of the boundary of the union, with the union at its right hand.
pub struct Edge {
    pub from: [i64; 2],
    pub to: [i64; 2],
    pub component: usize,
}

pub struct Swept {
    pub edges: Vec<Edge>,
    /// Connected parts, numbered from the top.
    pub n_components: usize,
    /// The part of each rectangle.
    pub of_rectangle: Vec<usize>,
}

/// What a row of the sweep covers from `start` to `end`; `node` is its number.
#[derive(Clone, Copy)]
struct Span {
    start: i64,
    end: i64,
    node: usize,
}

/// Goes from row to row, joins what touches, and gathers the boundary.
pub fn sweep(rectangles: &[Rectangle]) -> Swept {
    let mut ys: Vec<i64> = rectangles.iter().flat_map(|s| [s.top, s.bottom]).collect();
    ys.sort_unstable();
    ys.dedup();
    let mut begins: Vec<usize> = (0..rectangles.len()).collect();
    begins.sort_by_key(|&i| rectangles[i].top);
    let mut ends: Vec<usize> = (0..rectangles.len()).collect();
    ends.sort_by_key(|&i| rectangles[i].bottom);
    let (mut next_begin, mut next_end) = (0, 0);
    // How many rectangles more, or fewer, cover what is right of an x.
    let mut changes: BTreeMap<i64, i64> = BTreeMap::new();
    let mut joined = Joined::default();
    let mut above: Vec<Span> = Vec::new();
    let mut edges: Vec<Edge> = Vec::new();
    let mut of_rectangle = vec![0; rectangles.len()];
    for (at, &y) in ys.iter().enumerate() {
        while let Some(&i) = ends.get(next_end).filter(|&&i| rectangles[i].bottom == y) {
            change(&mut changes, &rectangles[i], -1);
            next_end += 1;
        }
        let first_begin = next_begin;
        while let Some(&i) = begins.get(next_begin).filter(|&&i| rectangles[i].top == y) {
            change(&mut changes, &rectangles[i], 1);
            next_begin += 1;
        }
        let spans = spans(&changes, &mut joined);
        join_touching(&above, &spans, &mut joined);
        horizontal_edges(y, &above, &spans, &mut edges);
        for span in &spans {
            // Spans are there only where a rectangle goes on, so that another row follows.
            let below = ys[at + 1];
            let (left, right) = (span.start, span.end);
            edges.push(Edge { from: [left, below], to: [left, y], component: span.node });
            edges.push(Edge { from: [right, y], to: [right, below], component: span.node });
        }
        for &i in &begins[first_begin..next_begin] {
            let found = spans.partition_point(|span| span.start <= rectangles[i].left);
            of_rectangle[i] = spans[found - 1].node;
        }
        above = spans;
    }
    let (n_components, component_of) = joined.numbered();
    for edge in &mut edges {
        edge.component = component_of[edge.component];
    }
    for node in &mut of_rectangle {
        *node = component_of[*node];
    }
    Swept { edges, n_components, of_rectangle }
}

fn change(changes: &mut BTreeMap<i64, i64>, rectangle: &Rectangle, by: i64) {
    for (x, by) in [(rectangle.left, by), (rectangle.right, -by)] {
        let change = changes.entry(x).or_default();
        *change += by;
        if *change == 0 {
            changes.remove(&x);
        }
    }
}

/// What is covered, from left to right; spans do not touch each other.
fn spans(changes: &BTreeMap<i64, i64>, joined: &mut Joined) -> Vec<Span> {
    let (mut spans, mut n_covering, mut start) = (Vec::new(), 0, 0);
    for (&x, &change) in changes {
        if n_covering == 0 {
            start = x;
        }
        n_covering += change;
        if n_covering == 0 {
            spans.push(Span { start, end: x, node: joined.add() });
        }
    }
    spans
}

/// Joins spans of neighbouring rows that share more than a corner.
fn join_touching(above: &[Span], below: &[Span], joined: &mut Joined) {
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (above.get(i), below.get(j)) {
        if a.start.max(b.start) < a.end.min(b.end) {
            joined.join(a.node, b.node);
        }
        if a.end <= b.end {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// Where exactly one of two rows covers, an edge of the union lies between them.
fn horizontal_edges(y: i64, above: &[Span], below: &[Span], edges: &mut Vec<Edge>) {
    let mut xs: Vec<i64> =
        above.iter().chain(below).flat_map(|span| [span.start, span.end]).collect();
    xs.sort_unstable();
    xs.dedup();
    let (mut i, mut j) = (0, 0);
    for pair in xs.windows(2) {
        let (left, right) = (pair[0], pair[1]);
        let a = covering(above, &mut i, left);
        let b = covering(below, &mut j, left);
        match (a, b) {
            (None, Some(node)) => {
                edges.push(Edge { from: [left, y], to: [right, y], component: node });
            }
            (Some(node), None) => {
                edges.push(Edge { from: [right, y], to: [left, y], component: node });
            }
            _ => {}
        }
    }
}

/// The span that covers what is right of `x`; `at` only moves on.
fn covering(spans: &[Span], at: &mut usize, x: i64) -> Option<usize> {
    while spans.get(*at).is_some_and(|span| span.end <= x) {
        *at += 1;
    }
    spans.get(*at).filter(|span| span.start <= x).map(|span| span.node)
}

/// Numbers that are joined into sets.
#[derive(Default)]
struct Joined {
    parents: Vec<usize>,
}

impl Joined {
    fn add(&mut self) -> usize {
        self.parents.push(self.parents.len());
        self.parents.len() - 1
    }

    fn root(&mut self, mut node: usize) -> usize {
        while self.parents[node] != node {
            self.parents[node] = self.parents[self.parents[node]];
            node = self.parents[node];
        }
        node
    }

    /// The smaller number stays, so that parts are numbered from the top.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }

    fn numbered(mut self) -> (usize, Vec<usize>) {
        let mut numbers = vec![0; self.parents.len()];
        let mut n = 0;
        for node in 0..self.parents.len() {
            let root = self.root(node);
            if root == node {
                numbers[node] = n;
                n += 1;
            } else {
                numbers[node] = numbers[root];
            }
        }
        (n, numbers)
    }
}
