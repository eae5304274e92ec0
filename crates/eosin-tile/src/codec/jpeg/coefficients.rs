// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG in several scans (progressive, or a scan for each component) brought into one.
//!
//! The coefficients are gathered here, exactly, and coded again in a single sequential scan. So
//! every kind goes through one decoder and one interpolation of chrominance; zune-jpeg's own ways
//! for several scans lose components without a word where markers lie as it does not expect.
//! Source: ITU-T T.81, F.2 (sequential), G.1.2 and G.2 (progressive), C.2 (tables of codes).

use super::headers::{Component, Headers};
use super::huffman::{Bits, Codes, Writer};
use super::scan::{Said, begin, push_scan_header, scan_header};
use super::{Colour, DHT, DQT, EOI, SOS};
use crate::codec::Fault;

/// Coefficients that are held at most: 200 MB.
const MAX_COEFFICIENTS: usize = 100 << 20;

/// Scans of an image beyond which it is taken for damaged; encoders write ten.
const MAX_SCANS: usize = 128;

/// A coefficient that no scan has told yet.
const UNTOLD: u8 = u8::MAX;

/// The coefficients of one component, in zigzag order, 64 for each block.
struct Plane {
    component: Component,
    /// Blocks in a row, units filled up.
    stride: usize,
    /// Blocks across and down that hold pixels.
    used: (usize, usize),
    values: Vec<i16>,
    /// The lowest bit that each coefficient was told to.
    told: [u8; 64],
}

/// What a scan header says of a scan's coefficients.
#[derive(Clone, Copy)]
struct Pass {
    first: usize,
    last: usize,
    /// The lowest bit told before, 0 in a first pass, and the lowest told now.
    before: u8,
    now: u8,
}

/// The stream with all its coefficients in one scan.
pub(crate) fn gathered(
    headers: &Headers,
    stream: &[u8],
    colour: Colour,
    said: Said,
) -> Result<Vec<u8>, Fault> {
    let mut planes = planes(headers)?;
    let mut codes = Codes::default();
    for segment in &headers.codes {
        codes.define(segment)?;
    }
    let mut interval = headers.restart_interval;
    let mut at = headers.scan_at;
    for n in 0.. {
        if n == MAX_SCANS {
            return Err(format!("a JPEG of more than {MAX_SCANS} scans"));
        }
        at = read_scan(headers, stream, at, interval, &codes, &mut planes)?;
        at = match between(stream, at, &mut codes, &mut interval)? {
            Some(next) => next,
            None => break,
        };
    }
    if planes.iter().any(|plane| plane.told != [0; 64]) {
        return Err("a JPEG that ends before its last scan".into());
    }
    write(headers, colour, said, &planes)
}

fn planes(headers: &Headers) -> Result<Vec<Plane>, Fault> {
    let ((most_across, most_down), (units_across, units_down)) = (headers.most(), headers.units());
    let blocks: usize = headers.components.iter().map(|c| c.across * c.down).sum();
    if blocks * units_across * units_down * 64 > MAX_COEFFICIENTS {
        return Err(format!(
            "a JPEG of {} × {} px in several scans, above {} megapixels of coefficients",
            headers.width,
            headers.height,
            MAX_COEFFICIENTS / 1_000_000
        ));
    }
    let plane = |component: &Component| {
        let stride = units_across * component.across;
        let part = |len: u32, own: usize, most: usize| (len as usize * own).div_ceil(8 * most);
        Plane {
            component: *component,
            stride,
            used: (
                part(headers.width, component.across, most_across),
                part(headers.height, component.down, most_down),
            ),
            values: vec![0; stride * units_down * component.down * 64],
            told: [UNTOLD; 64],
        }
    };
    Ok(headers.components.iter().map(plane).collect())
}

/// Takes the segments between two scans; where the next scan is, or `None` at the end.
fn between(
    stream: &[u8],
    mut at: usize,
    codes: &mut Codes,
    interval: &mut usize,
) -> Result<Option<usize>, Fault> {
    loop {
        let Some(&[first, marker]) = stream.get(at..at + 2) else { return Ok(None) };
        if first != 0xFF || matches!(marker, 0 | 0xFF) {
            at += 1;
            continue;
        }
        if marker == SOS {
            return Ok(Some(at));
        }
        if marker == EOI {
            return Ok(None);
        }
        let length = match stream.get(at + 2..at + 4) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Ok(None),
        };
        let segment = stream.get(at..at + 2 + length).filter(|_| length >= 2);
        let segment = segment.ok_or("a JPEG segment that runs past the end")?;
        match (marker, segment) {
            (DHT, segment) => codes.define(segment)?,
            (0xDD, &[_, _, _, _, high, low, ..]) => {
                *interval = usize::from(u16::from_be_bytes([high, low]));
            }
            (DQT, _) => return Err("a JPEG whose quantisation changes between scans".into()),
            (0xE0..=0xEF | 0xFE | 0xDC, _) => {}
            (other, _) => return Err(format!("the JPEG marker FF {other:02X} between scans")),
        }
        at += 2 + length;
    }
}

/// Reads a scan and tells where its data end.
fn read_scan(
    headers: &Headers,
    stream: &[u8],
    at: usize,
    interval: usize,
    codes: &Codes,
    planes: &mut [Plane],
) -> Result<usize, Fault> {
    let (selected, data_at) = scan_header(headers, stream, at)?;
    let &[first, last, bits] =
        stream.get(data_at - 3..data_at).ok_or("a JPEG scan header that is cut short")?
    else {
        return Err("a JPEG scan header that is cut short".into());
    };
    let pass = if headers.progressive {
        let (first, last) = (usize::from(first), usize::from(last));
        Pass { first, last, before: bits >> 4, now: bits & 15 }
    } else {
        Pass { first: 0, last: 63, before: 0, now: 0 }
    };
    let chosen: Vec<(usize, u8)> = selected
        .iter()
        .filter_map(|(c, tables)| {
            planes.iter().position(|p| p.component.id == c.id).map(|i| (i, *tables))
        })
        .collect();
    check_pass(headers.progressive, pass, &chosen, planes)?;
    let mut reader = Reader {
        bits: Bits::new(stream, data_at),
        codes,
        pass,
        progressive: headers.progressive,
        predicted: [0; 4],
        skipped: 0,
    };
    let (across, down) = match chosen.as_slice() {
        &[(only, _)] => planes[only].used,
        _ => headers.units(),
    };
    let mut n_restarts = 0;
    for unit in 0..across * down {
        if interval > 0 && unit > 0 && unit % interval == 0 {
            reader.restart(n_restarts % 8)?;
            n_restarts += 1;
        }
        let (x, y) = (unit % across, unit / across);
        if let &[(only, tables)] = chosen.as_slice() {
            let plane = &mut planes[only];
            let block = y * plane.stride + x;
            reader.block(only, tables, &mut plane.values[block * 64..][..64])?;
            continue;
        }
        for &(i, tables) in &chosen {
            let plane = &mut planes[i];
            let (h, v) = (plane.component.across, plane.component.down);
            for down in 0..v {
                for across in 0..h {
                    let block = (y * v + down) * plane.stride + x * h + across;
                    reader.block(i, tables, &mut plane.values[block * 64..][..64])?;
                }
            }
        }
    }
    Ok(reader.bits.position())
}

/// Whether a scan tells what may come next of its coefficients.
fn check_pass(
    progressive: bool,
    pass: Pass,
    chosen: &[(usize, u8)],
    planes: &mut [Plane],
) -> Result<(), Fault> {
    let Pass { first, last, before, now } = pass;
    let sound = !progressive
        || (last < 64
            && first <= last
            && (first > 0 || last == 0)
            && (first == 0 || chosen.len() == 1)
            && now <= 13
            && (before == 0 || before == now + 1));
    if !sound || chosen.is_empty() {
        return Err(format!(
            "a JPEG scan of coefficients {first} to {last}, bits {before} to {now}"
        ));
    }
    for &(i, _) in chosen {
        for told in &mut planes[i].told[first..=last] {
            let expected = if before == 0 { UNTOLD } else { before };
            if *told != expected {
                return Err("JPEG scans that do not follow each other".into());
            }
            *told = now;
        }
    }
    Ok(())
}

/// Reads the blocks of one scan.
struct Reader<'a> {
    bits: Bits<'a>,
    codes: &'a Codes,
    pass: Pass,
    progressive: bool,
    predicted: [i32; 4],
    /// Blocks that are still to be passed over.
    skipped: u32,
}

impl Reader<'_> {
    fn restart(&mut self, number: usize) -> Result<(), Fault> {
        self.predicted = [0; 4];
        self.skipped = 0;
        self.bits.restart(number)
    }

    fn block(&mut self, plane: usize, tables: u8, block: &mut [i16]) -> Result<(), Fault> {
        let Pass { first, before, .. } = self.pass;
        if !self.progressive {
            self.direct(plane, tables, block)?;
            return self.sequential(tables, block);
        }
        match (first, before) {
            (0, 0) => self.direct(plane, tables, block),
            (0, _) => {
                if self.bits.take(1)? == 1 {
                    block[0] |= 1 << self.pass.now;
                }
                Ok(())
            }
            (_, 0) => self.first_pass(tables, block),
            _ => self.refine(tables, block),
        }
    }

    /// The first coefficient, as its difference from the block before.
    fn direct(&mut self, plane: usize, tables: u8, block: &mut [i16]) -> Result<(), Fault> {
        let size = self.bits.symbol(self.codes.direct(tables >> 4)?)?;
        if size > 15 {
            return Err(format!("a JPEG difference of {size} bits"));
        }
        let difference = self.bits.signed(u32::from(size))?;
        let value = self.predicted[plane] + difference;
        self.predicted[plane] = value;
        block[0] = i16::try_from(value << self.pass.now).map_err(|_| out_of_range())?;
        Ok(())
    }

    fn sequential(&mut self, tables: u8, block: &mut [i16]) -> Result<(), Fault> {
        let codes = self.codes.alternating(tables & 15)?;
        let mut k = 1;
        while k < 64 {
            let symbol = self.bits.symbol(codes)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run != 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let value = self.bits.signed(size)?;
            *block.get_mut(k).ok_or_else(past_block)? = value as i16;
            k += 1;
        }
        Ok(())
    }

    fn first_pass(&mut self, tables: u8, block: &mut [i16]) -> Result<(), Fault> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return Ok(());
        }
        let codes = self.codes.alternating(tables & 15)?;
        let mut k = self.pass.first;
        while k <= self.pass.last {
            let symbol = self.bits.symbol(codes)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run != 15 {
                    self.skipped = (1 << run) - 1 + self.bits.take(run as u32)?;
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            if k > self.pass.last {
                return Err(past_block());
            }
            let value = self.bits.signed(size)? << self.pass.now;
            block[k] = i16::try_from(value).map_err(|_| out_of_range())?;
            k += 1;
        }
        Ok(())
    }

    /// One more bit of coefficients that are not zero, and those that become so.
    fn refine(&mut self, tables: u8, block: &mut [i16]) -> Result<(), Fault> {
        let codes = self.codes.alternating(tables & 15)?;
        let bit = 1i16 << self.pass.now;
        let mut k = self.pass.first;
        if self.skipped == 0 {
            while k <= self.pass.last {
                let symbol = self.bits.symbol(codes)?;
                let (mut run, size) = (symbol >> 4, symbol & 15);
                let value = match size {
                    0 if run < 15 => {
                        self.skipped = (1 << run) + self.bits.take(u32::from(run))?;
                        break;
                    }
                    0 => 0,
                    1 if self.bits.take(1)? == 1 => bit,
                    1 => -bit,
                    _ => return Err(format!("a JPEG refinement of {size} bits")),
                };
                while k <= self.pass.last {
                    if block[k] != 0 {
                        self.correct(&mut block[k], bit)?;
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
                if value != 0 {
                    if k > self.pass.last {
                        return Err(past_block());
                    }
                    block[k] = value;
                }
                k += 1;
            }
        }
        if self.skipped > 0 {
            while k <= self.pass.last {
                if block[k] != 0 {
                    self.correct(&mut block[k], bit)?;
                }
                k += 1;
            }
            self.skipped -= 1;
        }
        Ok(())
    }

    fn correct(&mut self, value: &mut i16, bit: i16) -> Result<(), Fault> {
        if self.bits.take(1)? == 1 && *value & bit == 0 {
            let step = if *value > 0 { bit } else { -bit };
            *value = value.checked_add(step).ok_or_else(out_of_range)?;
        }
        Ok(())
    }
}

fn out_of_range() -> Fault {
    "a JPEG coefficient beyond 16 bits".into()
}

fn past_block() -> Fault {
    "a JPEG coefficient behind the last of its block".into()
}

/// One sequential scan of all blocks, in units.
fn write(
    headers: &Headers,
    colour: Colour,
    said: Said,
    planes: &[Plane],
) -> Result<Vec<u8>, Fault> {
    let codes = Writer::codes();
    let mut out = begin(headers, colour, said, 0, &[&codes]);
    push_scan_header(&mut out, planes.iter().map(|_| 0));
    let mut writer = Writer::new(out);
    let mut predicted = [0i32; 4];
    let (across, down) = headers.units();
    for unit in 0..across * down {
        let (x, y) = (unit % across, unit / across);
        for (plane, predicted) in planes.iter().zip(&mut predicted) {
            let (h, v) = (plane.component.across, plane.component.down);
            for down in 0..v {
                for across in 0..h {
                    let block = (y * v + down) * plane.stride + x * h + across;
                    writer.block(&plane.values[block * 64..][..64], predicted)?;
                }
            }
        }
    }
    let mut out = writer.finish();
    out.extend_from_slice(&[0xFF, EOI]);
    Ok(out)
}
