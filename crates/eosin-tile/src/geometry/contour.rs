// SPDX-License-Identifier: MIT OR Apache-2.0

use super::Polygon;
use crate::tissue::TissueMask;

/// Steps along the edges of pixels, clockwise as seen: right, down, left, up.
const STEPS: [(i64, i64); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// The outlines of a mask's tissue along the edges of its pixels, in level-0 pixels.
///
/// Each polygon is one part of tissue whose pixels join at their sides, with its holes; together
/// they cover exactly the mask's tissue.
pub fn contours(mask: &TissueMask) -> Vec<Polygon> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let mut parts: Vec<Polygon> = Vec::new();
    // The part that a pixel belongs to, from 1 on, and whether its upper edge was walked along.
    let mut labels = vec![0u32; width * height];
    let mut walked = vec![false; width * height];
    for y in 0..height {
        for x in 0..width {
            let is_top = is_tissue(mask, x as i64, y as i64)
                && !is_tissue(mask, x as i64, y as i64 - 1)
                && !walked[y * width + x];
            if !is_top {
                continue;
            }
            let ring = follow(mask, (x, y), &mut walked);
            // In reading order a part is met first at its outer edge.
            match labels[y * width + x] {
                0 => {
                    parts.push(Polygon { outer: ring, holes: Vec::new() });
                    label(mask, (x, y), parts.len() as u32, &mut labels);
                }
                part => {
                    if let Some(polygon) = parts.get_mut(part as usize - 1) {
                        polygon.holes.push(ring);
                    }
                }
            }
        }
    }
    parts
}

/// Walks along the edge with tissue on the right until it closes.
fn follow(mask: &TissueMask, start: (usize, usize), walked: &mut [bool]) -> Vec<[f64; 2]> {
    let width = mask.width() as usize;
    let scale = mask.downsample();
    let (start_x, start_y) = (start.0 as i64, start.1 as i64);
    let (mut x, mut y, mut direction) = (start_x, start_y, 0);
    let mut ring = vec![[x as f64 * scale, y as f64 * scale]];
    loop {
        if direction == 0 {
            walked[y as usize * width + x as usize] = true;
        }
        x += STEPS[direction].0;
        y += STEPS[direction].1;
        // Right first: pixels that touch at a corner only are parts of their own.
        let turned = [1, 0, 3].map(|turn| (direction + turn) % 4);
        let next = turned.into_iter().find(|&d| is_edge(mask, x, y, d)).unwrap_or(direction);
        if (x, y, next) == (start_x, start_y, 0) {
            return ring;
        }
        if next != direction {
            ring.push([x as f64 * scale, y as f64 * scale]);
        }
        direction = next;
    }
}

/// Whether from corner `(x, y)` an edge with tissue on its right runs in a direction.
fn is_edge(mask: &TissueMask, x: i64, y: i64, direction: usize) -> bool {
    let ((right_x, right_y), (left_x, left_y)) = match direction {
        0 => ((x, y), (x, y - 1)),
        1 => ((x - 1, y), (x, y)),
        2 => ((x - 1, y - 1), (x - 1, y)),
        _ => ((x, y - 1), (x - 1, y - 1)),
    };
    is_tissue(mask, right_x, right_y) && !is_tissue(mask, left_x, left_y)
}

fn is_tissue(mask: &TissueMask, x: i64, y: i64) -> bool {
    match (u32::try_from(x), u32::try_from(y)) {
        (Ok(x), Ok(y)) => mask.is_tissue(x, y),
        _ => false,
    }
}

fn label(mask: &TissueMask, start: (usize, usize), part: u32, labels: &mut [u32]) {
    let width = mask.width() as usize;
    labels[start.1 * width + start.0] = part;
    let mut waiting = vec![start];
    while let Some((x, y)) = waiting.pop() {
        for (dx, dy) in STEPS {
            let (x, y) = (x as i64 + dx, y as i64 + dy);
            if is_tissue(mask, x, y) {
                let at = y as usize * width + x as usize;
                if labels[at] == 0 {
                    labels[at] = part;
                    waiting.push((x as usize, y as usize));
                }
            }
        }
    }
}
