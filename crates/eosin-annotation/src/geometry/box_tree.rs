// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Rectangle;

/// Finds which of many rectangles meet one: a packed tree (sort-tile-recursive, Leutenegger et al.
/// 1997), built once, the same for the same rectangles.
#[derive(Clone, Debug)]
pub struct BoxTree {
    /// Rectangles of each level, the leaves first; each node is around `FAN` of the level below.
    levels: Vec<Vec<Rectangle>>,
    /// The number of each leaf's rectangle.
    numbers: Vec<u32>,
}

const FAN: usize = 16;

impl BoxTree {
    /// A tree of rectangles, known by their place in the list.
    pub fn new(boxes: &[Rectangle]) -> Self {
        let mut numbers: Vec<u32> = (0..boxes.len() as u32).collect();
        let middle = |number: &u32| boxes[*number as usize].centre();
        numbers.sort_by(|a, b| middle(a)[0].total_cmp(&middle(b)[0]));
        let n_leaves = boxes.len().div_ceil(FAN);
        // As many strips as there are leaves in one.
        let strip = FAN * (n_leaves as f64).sqrt().ceil().max(1.0) as usize;
        for part in numbers.chunks_mut(strip) {
            part.sort_by(|a, b| middle(a)[1].total_cmp(&middle(b)[1]));
        }
        let mut levels = vec![numbers.iter().map(|n| boxes[*n as usize]).collect::<Vec<_>>()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let around = |part: &[Rectangle]| part.iter().copied().reduce(Rectangle::union);
            levels.push(below.chunks(FAN).filter_map(around).collect());
        }
        Self { levels, numbers }
    }

    /// Puts the numbers of the rectangles that meet `rectangle`, be it at a border, into `found`,
    /// in ascending order.
    pub fn find(&self, rectangle: Rectangle, found: &mut Vec<u32>) {
        found.clear();
        if let Some(top) = self.levels.len().checked_sub(1) {
            for node in 0..self.levels[top].len() {
                self.descend(top, node, rectangle, found);
            }
        }
        found.sort_unstable();
    }

    fn descend(&self, level: usize, node: usize, rectangle: Rectangle, found: &mut Vec<u32>) {
        if !self.levels[level][node].meets(rectangle) {
            return;
        }
        let Some(below) = level.checked_sub(1) else {
            found.push(self.numbers[node]);
            return;
        };
        let end = ((node + 1) * FAN).min(self.levels[below].len());
        for child in node * FAN..end {
            self.descend(below, child, rectangle, found);
        }
    }
}
