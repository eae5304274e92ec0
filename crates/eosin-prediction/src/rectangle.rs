// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashSet;

use eosin_core::TileMeta;

/// What a tile covers, in level-0 pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    pub left: i64,
    pub top: i64,
    pub right: i64,
    pub bottom: i64,
}

impl Rectangle {
    /// A tile without a side, or beyond all numbers, covers nothing.
    pub fn of(meta: &TileMeta) -> Option<Self> {
        let side = i64::from(meta.size_level0_px);
        let (right, bottom) = (meta.x.checked_add(side)?, meta.y.checked_add(side)?);
        (side > 0).then_some(Self { left: meta.x, top: meta.y, right, bottom })
    }
}

/// Closes gaps of one pixel between neighbours: a grid in µm has sides that are no whole number of
/// pixels, and what rounding leaves between two of its tiles is nothing that was not looked at.
pub fn close_gaps(rectangles: &mut [Rectangle]) {
    let corners: HashSet<[i64; 2]> = rectangles.iter().map(|r| [r.left, r.top]).collect();
    let is_there = |left: i64, top: i64| corners.contains(&[left, top]);
    for r in rectangles {
        // Rounding may move neighbours against each other, too.
        let (right, bottom) = (r.right.saturating_add(1), r.bottom.saturating_add(1));
        let near = |at: i64| at.saturating_sub(1)..=at.saturating_add(1);
        let has_right = near(r.top).any(|top| is_there(right, top));
        let has_below = near(r.left).any(|left| is_there(left, bottom));
        r.right = if has_right { right } else { r.right };
        r.bottom = if has_below { bottom } else { r.bottom };
    }
}

#[cfg(test)]
mod tests {
    use super::{Rectangle, close_gaps};

    #[test]
    fn gaps_of_one_pixel_are_closed_and_no_others() {
        let square = |left, top| Rectangle { left, top, right: left + 10, bottom: top + 10 };
        let mut grid = [square(0, 0), square(11, 0), square(0, 11), square(23, 0), square(11, 21)];
        close_gaps(&mut grid);
        let ends = grid.map(|r| [r.right, r.bottom]);
        assert_eq!(ends, [[11, 11], [21, 10], [10, 21], [33, 10], [21, 31]]);
    }
}
