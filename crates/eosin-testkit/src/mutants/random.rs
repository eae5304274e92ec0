// SPDX-License-Identifier: MIT OR Apache-2.0

/// A small generator (Steele et al. 2014, SplitMix64) whose numbers no release of a crate changes:
/// a fault is told by a seed and a number alone.
pub(super) struct Random(u64);

impl Random {
    /// The generator of one mutant, whatever other mutants were made before.
    pub(super) fn of_mutant(seed: u64, parser: &str, mutant: u64) -> Self {
        // FNV-1a, so that two parsers with the same files do not get the same damage.
        let name = parser.bytes().fold(0xCBF2_9CE4_8422_2325, |h: u64, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3)
        });
        let mut random =
            Self(name ^ seed.rotate_left(32) ^ mutant.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        random.draw();
        random
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, or 0 where there is none.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.draw() % n.max(1) as u64) as usize
    }

    pub(super) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the items; the list must not be empty.
    pub(super) fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A range within `0..n` that is short more often than long.
    pub(super) fn range(&mut self, n: usize) -> std::ops::Range<usize> {
        let start = self.below(n);
        let longest = (n - start).min(1 << self.below(12));
        start..start + self.below(longest + 1)
    }
}
