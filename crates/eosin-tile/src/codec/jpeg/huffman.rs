// SPDX-License-Identifier: MIT OR Apache-2.0

//! The codes of a JPEG: reading by its own tables, and writing by tables of equal lengths.
//!
//! Source: ITU-T T.81, C.2 (tables), F.2.2.1 (signed values), B.1.1.5 (stuffed bytes).

use super::DHT;
use crate::codec::Fault;

/// Up to four tables for first coefficients, and four for the others.
#[derive(Default)]
pub(super) struct Codes {
    direct: [Option<Table>; 4],
    alternating: [Option<Table>; 4],
}

pub(super) struct Table {
    /// By the next 8 bits: length and symbol of a code that is not longer, else 0.
    short: [u16; 256],
    /// By length: one more than the last code, filled up to 16 bits, and what to add for its place.
    ends: [u32; 17],
    places: [i32; 17],
    symbols: Vec<u8>,
}

impl Codes {
    /// Takes the tables of a DHT segment.
    pub(super) fn define(&mut self, segment: &[u8]) -> Result<(), Fault> {
        let mut rest = segment.get(4..).unwrap_or_default();
        while let [kind, tail @ ..] = rest {
            let counts = tail.get(..16).ok_or_else(cut_short)?;
            let n: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = tail.get(16..16 + n).ok_or_else(cut_short)?;
            let tables = match kind >> 4 {
                0 => &mut self.direct,
                1 => &mut self.alternating,
                other => return Err(format!("a JPEG table of codes of class {other}")),
            };
            let Some(slot) = tables.get_mut(usize::from(kind & 15)) else {
                return Err(format!("a JPEG table of codes with the number {}", kind & 15));
            };
            *slot = Some(Table::new(counts, symbols)?);
            rest = &tail[16 + n..];
        }
        Ok(())
    }

    pub(super) fn direct(&self, number: u8) -> Result<&Table, Fault> {
        defined(&self.direct, number)
    }

    pub(super) fn alternating(&self, number: u8) -> Result<&Table, Fault> {
        defined(&self.alternating, number)
    }
}

fn defined(tables: &[Option<Table>; 4], number: u8) -> Result<&Table, Fault> {
    let table = tables.get(usize::from(number)).and_then(Option::as_ref);
    table.ok_or_else(|| format!("no JPEG table of codes {number}"))
}

fn cut_short() -> Fault {
    "a JPEG table of codes that is cut short".into()
}

impl Table {
    fn new(counts: &[u8], symbols: &[u8]) -> Result<Self, Fault> {
        let mut table =
            Self { short: [0; 256], ends: [0; 17], places: [0; 17], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1..=16usize).zip(counts) {
            table.places[length] = place as i32 - code as i32;
            for _ in 0..count {
                // A code of ones alone is none, so the codes of a length never fill it.
                if code + 1 >= 1 << length {
                    return Err("a JPEG table of too many codes".into());
                }
                if length <= 8 {
                    let first = (code as usize) << (8 - length);
                    let entry = (length as u16) << 8 | u16::from(symbols[place]);
                    table.short[first..first + (1 << (8 - length))].fill(entry);
                }
                code += 1;
                place += 1;
            }
            table.ends[length] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// Length and symbol of the code that 16 bits begin with.
    fn find(&self, bits: u32) -> Option<(u32, u8)> {
        let short = self.short[(bits >> 8) as usize];
        if short > 0 {
            return Some((u32::from(short >> 8), short as u8));
        }
        let length = (9..=16).find(|&length| bits < self.ends[length])?;
        let place = (bits >> (16 - length)) as i32 + self.places[length];
        let symbol = self.symbols.get(usize::try_from(place).ok()?)?;
        Some((length as u32, *symbol))
    }
}

/// Coded data, bit by bit, up to the next marker.
pub(super) struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
    buffer: u64,
    n: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(stream: &'a [u8], at: usize) -> Self {
        Self { stream, at, buffer: 0, n: 0 }
    }

    /// Where the next byte would be read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn fill(&mut self) {
        while self.n <= 48 {
            let Some(&byte) = self.stream.get(self.at) else { return };
            if byte == 0xFF {
                if self.stream.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.n += 8;
        }
    }

    pub(super) fn take(&mut self, n: u32) -> Result<u32, Fault> {
        if self.n < n {
            self.fill();
        }
        let rest = self.n.checked_sub(n).ok_or_else(ended)?;
        self.n = rest;
        Ok((self.buffer >> rest) as u32 & ((1 << n) - 1))
    }

    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        if self.n < 16 {
            self.fill();
        }
        // Behind the end stand ones, which are no code.
        let bits = if self.n >= 16 {
            (self.buffer >> (self.n - 16)) as u32 & 0xFFFF
        } else {
            let missing = 16 - self.n;
            ((self.buffer << missing) as u32 | ((1 << missing) - 1)) & 0xFFFF
        };
        let (length, symbol) = table.find(bits).ok_or_else(ended)?;
        self.n = self.n.checked_sub(length).ok_or_else(ended)?;
        Ok(symbol)
    }

    /// A value of `size` bits whose first bit tells its sign.
    pub(super) fn signed(&mut self, size: u32) -> Result<i32, Fault> {
        if size == 0 {
            return Ok(0);
        }
        let bits = self.take(size)? as i32;
        let negative = bits >> (size - 1) == 0;
        Ok(if negative { bits - (1 << size) + 1 } else { bits })
    }

    /// Goes on behind the restart marker of this number.
    pub(super) fn restart(&mut self, number: usize) -> Result<(), Fault> {
        (self.buffer, self.n) = (0, 0);
        loop {
            match self.stream.get(self.at..self.at + 2) {
                Some(&[0xFF, marker]) if usize::from(marker) == 0xD0 + number => {
                    self.at += 2;
                    return Ok(());
                }
                Some(&[0xFF, 0 | 0xFF]) => self.at += 1,
                Some(&[first, _]) if first != 0xFF => self.at += 1,
                _ => return Err(format!("no JPEG restart marker {number}")),
            }
        }
    }
}

fn ended() -> Fault {
    "JPEG data that are damaged or end early".into()
}

/// Codes blocks again: first coefficients in codes of 5 bits, all others in codes of 8.
pub(super) struct Writer {
    out: Vec<u8>,
    buffer: u64,
    n: u32,
}

/// Bits of a coefficient at most, and with them the symbols: the run before it, and its size.
const MAX_SIZE: u32 = 14;

impl Writer {
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self { out, buffer: 0, n: 0 }
    }

    /// The segment that defines the codes: a symbol's code is its place.
    pub(super) fn codes() -> Vec<u8> {
        let symbols = Self::symbols();
        let mut segment = vec![0xFF, DHT, 0, 0, 0];
        let counts =
            |length: usize, n: usize| (1..=16).map(move |l| if l == length { n as u8 } else { 0 });
        segment.extend(counts(5, 16));
        segment.extend(0..16u8);
        segment.push(0x10);
        segment.extend(counts(8, symbols.len()));
        segment.extend(&symbols);
        let length = (segment.len() - 2) as u16;
        segment[2..4].copy_from_slice(&length.to_be_bytes());
        segment
    }

    /// Run and size of every symbol, the end of a block first and sixteen zeros second.
    fn symbols() -> Vec<u8> {
        let pairs = (0..16u8).flat_map(|run| (1..=MAX_SIZE as u8).map(move |size| run << 4 | size));
        [0x00, 0xF0].into_iter().chain(pairs).collect()
    }

    fn put(&mut self, bits: u32, n: u32) {
        self.buffer = self.buffer << n | u64::from(bits & ((1u32 << n) - 1));
        self.n += n;
        while self.n >= 8 {
            self.n -= 8;
            let byte = (self.buffer >> self.n) as u8;
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
    }

    fn signed(&mut self, value: i32, size: u32) {
        let bits = if value < 0 { value + (1 << size) - 1 } else { value };
        self.put(bits as u32, size);
    }

    pub(super) fn block(&mut self, block: &[i16], predicted: &mut i32) -> Result<(), Fault> {
        let [first, rest @ ..] = block else { return Ok(()) };
        let difference = i32::from(*first) - *predicted;
        *predicted = i32::from(*first);
        let size = size_of(difference);
        if size > 15 {
            return Err("a JPEG difference of more than 15 bits".into());
        }
        self.put(size, 5);
        self.signed(difference, size);
        let mut run = 0;
        for &value in rest {
            if value == 0 {
                run += 1;
                continue;
            }
            while run > 15 {
                self.put(1, 8);
                run -= 16;
            }
            let size = size_of(i32::from(value));
            if size > MAX_SIZE {
                return Err(format!("a JPEG coefficient of {size} bits"));
            }
            self.put(2 + run * MAX_SIZE + size - 1, 8);
            self.signed(i32::from(value), size);
            run = 0;
        }
        if run > 0 {
            self.put(0, 8);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.n > 0 {
            let missing = 8 - self.n;
            self.put((1 << missing) - 1, missing);
        }
        self.out
    }
}

/// Bits of a value without its sign.
fn size_of(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}
