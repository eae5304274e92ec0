// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashMap;

use super::Ring;
use super::sweep::Edge;

/// Edges put together to closed outlines, each with its component. No outline touches itself.
pub fn rings(edges: &[Edge]) -> Vec<(usize, Ring)> {
    // One edge leaves a corner, or two where two parts of the union meet in it alone.
    let mut leaving: HashMap<[i64; 2], [Option<usize>; 2]> = HashMap::new();
    for (i, edge) in edges.iter().enumerate() {
        let both = leaving.entry(edge.from).or_default();
        let free = usize::from(both[0].is_some());
        both[free] = Some(i);
    }
    let mut is_used = vec![false; edges.len()];
    let mut rings = Vec::new();
    for first in 0..edges.len() {
        if is_used[first] {
            continue;
        }
        let mut walk: Ring = Vec::new();
        let mut place: HashMap<[i64; 2], usize> = HashMap::new();
        let mut at = first;
        while !is_used[at] {
            is_used[at] = true;
            let edge = &edges[at];
            // A corner that is met again ends an outline of its own: a hole that touches the outer
            // outline, or another hole, in a corner.
            if let Some(&start) = place.get(&edge.from) {
                let ring = walk.split_off(start);
                for corner in &ring {
                    place.remove(corner);
                }
                rings.push((edge.component, without_straight(&ring)));
            }
            place.insert(edge.from, walk.len());
            walk.push(edge.from);
            let [one, other] = leaving.get(&edge.to).copied().unwrap_or_default();
            let turns_right = |next: &usize| turn(edge, &edges[*next]) > 0;
            // Turning right keeps to the same part of the union.
            let next = match (one, other) {
                (Some(one), Some(other)) => Some(if turns_right(&one) { one } else { other }),
                (one, other) => one.or(other),
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        if !walk.is_empty() {
            rings.push((edges[first].component, without_straight(&walk)));
        }
    }
    rings
}

/// Above 0 where the way turns right on the screen.
fn turn(a: &Edge, b: &Edge) -> i64 {
    let way = |e: &Edge| [(e.to[0] - e.from[0]).signum(), (e.to[1] - e.from[1]).signum()];
    let (a, b) = (way(a), way(b));
    a[0] * b[1] - a[1] * b[0]
}

/// The corners at which the way turns.
fn without_straight(ring: &Ring) -> Ring {
    let n = ring.len();
    let is_corner = |i: &usize| {
        let (before, at, after) = (ring[(i + n - 1) % n], ring[*i], ring[(i + 1) % n]);
        let straight = |k: usize| before[k] == at[k] && at[k] == after[k];
        !straight(0) && !straight(1)
    };
    (0..n).filter(is_corner).map(|i| ring[i]).collect()
}
