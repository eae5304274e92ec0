// SPDX-License-Identifier: MIT OR Apache-2.0

//! A JPEG in the one form that the decoder is given: its tables, its frame, and a single scan of
//! all components whose end cannot be passed unnoticed.
//!
//! zune-jpeg reads zeros where coded data end early, and zeros are a code: a truncated or damaged
//! image comes out whole, grey from there on. A code of ones alone is valid in no JPEG (T.81, C.2),
//! so ones are put where data end, and the decoder stops at the first code behind them.

use super::headers::{Component, Headers};
use super::{ADOBE, Colour, EOI, SOI, SOS};
use crate::codec::Fault;

/// Ones, stuffed as coded data are: more than a decoder reads ahead.
const ONES: [u8; 16] = [0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0];

/// Size and first component's factors that a frame header is to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) factors: (u8, u8),
}

impl Said {
    /// What the frame itself says.
    pub(crate) fn true_of(headers: &Headers) -> Self {
        let first = headers.components.first();
        let factors = first.map_or((1, 1), |c| (c.across as u8, c.down as u8));
        // A frame header has 16 bits for each side.
        Self { width: headers.width as u16, height: headers.height as u16, factors }
    }
}

/// Everything before a scan's coded data: tables of codes are given, all else is the headers'.
pub(crate) fn begin(
    headers: &Headers,
    colour: Colour,
    said: Said,
    restart_interval: usize,
    codes: &[&[u8]],
) -> Vec<u8> {
    let mut out = SOI.to_vec();
    // Of three components a marker says the colour, and nothing else in the stream does.
    if colour != Colour::Grey {
        out.extend_from_slice(&[0xFF, ADOBE, 0, 14]);
        out.extend_from_slice(b"Adobe\0\x64\0\0\0\0");
        out.push(u8::from(colour == Colour::YCbCr));
    }
    for segment in headers.quantisation.iter().chain(codes) {
        out.extend_from_slice(segment);
    }
    if restart_interval > 0 {
        out.extend_from_slice(&[0xFF, 0xDD, 0, 4]);
        out.extend_from_slice(&(restart_interval as u16).to_be_bytes());
    }
    // Extended sequential, since tables may be of 16 bits.
    let n = headers.components.len() as u8;
    out.extend_from_slice(&[0xFF, 0xC1, 0, 8 + 3 * n, 8]);
    out.extend_from_slice(&said.height.to_be_bytes());
    out.extend_from_slice(&said.width.to_be_bytes());
    out.push(n);
    for (id, component) in (1..).zip(&headers.components) {
        let (across, down) =
            if id == 1 { said.factors } else { (component.across as u8, component.down as u8) };
        out.extend_from_slice(&[id, across << 4 | down, component.table]);
    }
    out
}

/// A scan header of all components in their order, each with the numbers of its tables of codes.
pub(crate) fn push_scan_header(out: &mut Vec<u8>, tables: impl ExactSizeIterator<Item = u8>) {
    let n = tables.len() as u8;
    out.extend_from_slice(&[0xFF, SOS, 0, 6 + 2 * n, n]);
    for (id, tables) in (1..).zip(tables) {
        out.extend_from_slice(&[id, tables]);
    }
    out.extend_from_slice(&[0, 63, 0]);
}

/// The whole stream, if its only scan holds all components in their order; `None` where scans are
/// several.
pub(crate) fn single(
    headers: &Headers,
    stream: &[u8],
    colour: Colour,
    said: Said,
) -> Result<Option<Vec<u8>>, Fault> {
    let (selected, data_at) = scan_header(headers, stream, headers.scan_at)?;
    let in_order = selected.iter().map(|(c, _)| c.id).eq(headers.components.iter().map(|c| c.id));
    if headers.progressive || !in_order {
        return Ok(None);
    }
    let mut out = begin(headers, colour, said, headers.restart_interval, &headers.codes);
    out.reserve(stream.len() - data_at + 64);
    push_scan_header(&mut out, selected.iter().map(|(_, tables)| *tables));
    copy_data(headers, &stream[data_at..], &mut out)?;
    out.extend_from_slice(&[0xFF, EOI]);
    Ok(Some(out))
}

/// The components of a scan with the numbers of their tables, and where its coded data begin.
pub(crate) fn scan_header(
    headers: &Headers,
    stream: &[u8],
    at: usize,
) -> Result<(Vec<(Component, u8)>, usize), Fault> {
    let cut_short = || Fault::from("a JPEG scan header that is cut short");
    let Some(&[high, low, n]) = stream.get(at + 2..at + 5) else { return Err(cut_short()) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let described = stream.get(at + 5..at + 5 + 2 * usize::from(n)).ok_or_else(cut_short)?;
    if length != 6 + 2 * usize::from(n) || at + 2 + length > stream.len() {
        return Err(cut_short());
    }
    let mut selected = Vec::new();
    for pair in described.chunks_exact(2) {
        let Some(component) = headers.components.iter().find(|c| c.id == pair[0]) else {
            return Err(format!("a JPEG scan of component {}, which is none", pair[0]));
        };
        if selected.iter().any(|(other, _): &(Component, u8)| other.id == component.id) {
            return Err(format!("a JPEG scan that names component {} twice", pair[0]));
        }
        selected.push((*component, pair[1]));
    }
    Ok((selected, at + 2 + length))
}

/// Copies coded data up to the marker that ends them, with ones behind every interval.
fn copy_data(headers: &Headers, data: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let (across, down) = headers.units();
    let n_intervals = match headers.restart_interval {
        0 => 1,
        interval => (across * down).div_ceil(interval),
    };
    let (mut from, mut at, mut n) = (0, 0, 0);
    loop {
        let found = data[at..].iter().position(|&byte| byte == 0xFF).map(|next| at + next);
        let marker = found.and_then(|found| data.get(found + 1).copied());
        match (found, marker) {
            (Some(found), Some(0)) => at = found + 2,
            (Some(found), Some(0xFF)) => at = found + 1,
            (Some(found), Some(marker @ 0xD0..=0xD7)) if n + 1 < n_intervals => {
                if usize::from(marker - 0xD0) != n % 8 {
                    return Err(format!(
                        "restart marker {} where {} follows",
                        marker - 0xD0,
                        n % 8
                    ));
                }
                out.extend_from_slice(&data[from..found]);
                out.extend_from_slice(&ONES);
                out.extend_from_slice(&[0xFF, marker]);
                n += 1;
                at = found + 2;
                from = at;
            }
            (found, _) => {
                if n + 1 < n_intervals {
                    return Err(format!(
                        "a JPEG that ends after {} of {n_intervals} restart intervals",
                        n + 1
                    ));
                }
                out.extend_from_slice(&data[from..found.unwrap_or(data.len())]);
                out.extend_from_slice(&ONES);
                return Ok(());
            }
        }
    }
}
