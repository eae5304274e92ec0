// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG of blocks of one value each, in every order in which a JPEG may hold them.
//!
//! With 8 as the first quantiser, a block's first coefficient is its value less 128.

/// One component: its sampling factors, and the values of its blocks, row by row.
#[derive(Clone)]
pub struct Plane {
    pub across: usize,
    pub down: usize,
    pub values: Vec<u8>,
}

/// How the scans lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// One scan of all components.
    Together,
    /// A scan for each component.
    Apart,
    /// Progressive: all but the last bit, the last bit, then the other coefficients, all zero.
    Progressive,
}

pub struct Jpeg {
    pub width: usize,
    pub height: usize,
    pub planes: Vec<Plane>,
    pub order: Order,
    /// Units between restart markers, 0 for none.
    pub restart: usize,
}

/// Codes of a scan, bit by bit.
#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    buffer: u32,
    n: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, n: u32) {
        for i in (0..n).rev() {
            self.buffer = self.buffer << 1 | (bits >> i & 1);
            self.n += 1;
            if self.n == 8 {
                self.out.push(self.buffer as u8);
                if self.buffer as u8 == 0xFF {
                    self.out.push(0);
                }
                (self.buffer, self.n) = (0, 0);
            }
        }
    }

    /// Ones up to a whole byte.
    fn fill(&mut self) {
        while self.n > 0 {
            self.put(1, 1);
        }
    }

    /// A difference: its size in a code of 4 bits, then itself.
    fn difference(&mut self, value: i32) {
        let size = 32 - value.unsigned_abs().leading_zeros();
        self.put(size, 4);
        let bits = if value < 0 { value + (1 << size) - 1 } else { value };
        self.put(bits as u32, size);
    }
}

impl Jpeg {
    fn most(&self) -> (usize, usize) {
        let max = |f: fn(&Plane) -> usize| self.planes.iter().map(f).max().unwrap();
        (max(|p| p.across), max(|p| p.down))
    }

    fn units(&self) -> (usize, usize) {
        let (across, down) = self.most();
        (self.width.div_ceil(8 * across), self.height.div_ceil(8 * down))
    }

    /// Blocks of a component that a row of units holds.
    pub fn stride(&self, plane: usize) -> usize {
        self.units().0 * self.planes[plane].across
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0, 8];
        out.extend([1; 63]);
        // Sizes 0 to 11 in 4 bits each; ends of blocks in runs of 2⁰ to 2¹⁴ in 4 bits each.
        let mut table = |kind: u8, symbols: Vec<u8>| {
            out.extend([0xFF, 0xC4, 0, 19 + symbols.len() as u8, kind]);
            out.extend((1..=16).map(|length| if length == 4 { symbols.len() as u8 } else { 0 }));
            out.extend(symbols);
        };
        table(0x00, (0..12).collect());
        table(0x10, (0..15).map(|run| run << 4).collect());
        if self.restart > 0 {
            out.extend([0xFF, 0xDD, 0, 4, 0, self.restart as u8]);
        }
        let kind = if self.order == Order::Progressive { 0xC2 } else { 0xC0 };
        out.extend([0xFF, kind, 0, 8 + 3 * self.planes.len() as u8, 8]);
        out.extend((self.height as u16).to_be_bytes());
        out.extend((self.width as u16).to_be_bytes());
        out.push(self.planes.len() as u8);
        for (id, plane) in (1..).zip(&self.planes) {
            out.extend([id, (plane.across << 4 | plane.down) as u8, 0]);
        }
        let all: Vec<usize> = (0..self.planes.len()).collect();
        match self.order {
            Order::Together => self.scan(&mut out, &all, [0, 63, 0]),
            Order::Apart => all.iter().for_each(|&i| self.scan(&mut out, &[i], [0, 63, 0])),
            Order::Progressive => {
                self.scan(&mut out, &all, [0, 0, 0x01]);
                self.scan(&mut out, &all, [0, 0, 0x10]);
                for &i in &all {
                    self.scan(&mut out, &[i], [1, 63, 0]);
                }
            }
        }
        out.extend([0xFF, 0xD9]);
        out
    }

    /// The blocks of a scan in its order, each with its component, unit by unit.
    fn blocks(&self, chosen: &[usize]) -> Vec<Vec<(usize, usize)>> {
        let (units_across, units_down) = self.units();
        let (most_across, most_down) = self.most();
        if let &[only] = chosen {
            let plane = &self.planes[only];
            let across = (self.width * plane.across).div_ceil(8 * most_across);
            let down = (self.height * plane.down).div_ceil(8 * most_down);
            let at = |i: usize| vec![(only, i / across * self.stride(only) + i % across)];
            return (0..across * down).map(at).collect();
        }
        let unit = |i: usize| {
            let (x, y) = (i % units_across, i / units_across);
            let mut blocks = Vec::new();
            for &k in chosen {
                let plane = &self.planes[k];
                for v in 0..plane.down {
                    for h in 0..plane.across {
                        let row = (y * plane.down + v) * self.stride(k);
                        blocks.push((k, row + x * plane.across + h));
                    }
                }
            }
            blocks
        };
        (0..units_across * units_down).map(unit).collect()
    }

    fn scan(&self, out: &mut Vec<u8>, chosen: &[usize], bounds: [u8; 3]) {
        out.extend([0xFF, 0xDA, 0, 6 + 2 * chosen.len() as u8, chosen.len() as u8]);
        for &i in chosen {
            out.extend([i as u8 + 1, 0x00]);
        }
        out.extend(bounds);
        let mut bits = Bits::default();
        let mut predicted = [0; 4];
        let units = self.blocks(chosen);
        // A run of ends covers every block up to the next restart marker.
        let mut run = 0u32;
        let end_run = |bits: &mut Bits, run: &mut u32| {
            assert!(*run < 1 << 15, "a run of {run} blocks");
            if *run > 0 {
                let size = run.ilog2();
                bits.put(size, 4);
                bits.put(*run - (1 << size), size);
                *run = 0;
            }
        };
        for (i, unit) in units.iter().enumerate() {
            if self.restart > 0 && i > 0 && i % self.restart == 0 {
                end_run(&mut bits, &mut run);
                bits.fill();
                bits.out.extend([0xFF, 0xD0 + ((i / self.restart - 1) % 8) as u8]);
                predicted = [0; 4];
            }
            for &(k, block) in unit {
                let value = i32::from(self.planes[k].values[block]) - 128;
                match bounds {
                    [0, 0, 0x10] => bits.put(value as u32 & 1, 1),
                    [1, 63, _] => run += 1,
                    [0, last, low] => {
                        let value = value >> (low & 15);
                        bits.difference(value - predicted[k]);
                        predicted[k] = value;
                        if last == 63 {
                            bits.put(0, 4);
                        }
                    }
                    _ => unreachable!("no such scan"),
                }
            }
        }
        end_run(&mut bits, &mut run);
        bits.fill();
        out.extend(bits.out);
    }
}
