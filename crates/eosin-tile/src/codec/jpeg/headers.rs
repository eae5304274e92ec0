// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the headers of a JPEG say, and which kinds of JPEG are read.
//!
//! Source: ITU-T T.81, Annex B; which colours the components are, as libjpeg tells it
//! (`jdapimin.c`, `default_decompress_parms`).

use super::{ADOBE, Colour, DHT, DQT, EOI, SOI, SOS};
use crate::codec::{Fault, checked_pixels};

const DRI: u8 = 0xDD;
const JFIF: u8 = 0xE0;

/// One component of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) id: u8,
    /// Blocks of it in a minimum coded unit, across and down.
    pub(crate) across: usize,
    pub(crate) down: usize,
    /// Number of its quantisation table.
    pub(crate) table: u8,
}

/// Everything before the entropy-coded data.
#[derive(Clone, Debug)]
pub(crate) struct Headers<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) components: Vec<Component>,
    /// Whether coefficients come in several passes.
    pub(crate) progressive: bool,
    /// Units between restart markers, 0 for none.
    pub(crate) restart_interval: usize,
    /// Segments of tables in their order, of quantisation and of codes.
    pub(crate) quantisation: Vec<&'a [u8]>,
    pub(crate) codes: Vec<&'a [u8]>,
    /// Where the first scan's marker stands in the stream.
    pub(crate) scan_at: usize,
    jfif: bool,
    adobe: Option<u8>,
}

impl<'a> Headers<'a> {
    /// Reads the headers of a stream whose tables may stand in another.
    pub(crate) fn read(tables: &'a [u8], stream: &'a [u8]) -> Result<Self, Fault> {
        let mut headers = Self {
            width: 0,
            height: 0,
            components: Vec::new(),
            progressive: false,
            restart_interval: 0,
            quantisation: Vec::new(),
            codes: Vec::new(),
            scan_at: 0,
            jfif: false,
            adobe: None,
        };
        let mut fault = None;
        let mut take = |marker: u8, _: usize, segment: &'a [u8]| {
            if fault.is_none() {
                fault = headers.take(marker, segment).err();
            }
        };
        walk(tables, &mut take)?;
        let scan_at = walk(stream, &mut take)?;
        match fault {
            Some(fault) => Err(fault),
            None if headers.components.is_empty() => Err("a JPEG without a frame header".into()),
            None if stream.get(scan_at + 1) != Some(&SOS) => Err("a JPEG without a scan".into()),
            None => {
                headers.scan_at = scan_at;
                headers.check_length(stream.len() - scan_at)?;
                Ok(headers)
            }
        }
    }

    fn take(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), Fault> {
        let content = segment.get(4..).unwrap_or_default();
        match marker {
            DQT => self.quantisation.push(segment),
            DHT => self.codes.push(segment),
            DRI => {
                if let &[high, low, ..] = content {
                    self.restart_interval = usize::from(u16::from_be_bytes([high, low]));
                }
            }
            JFIF => self.jfif |= content.starts_with(b"JFIF\0"),
            ADOBE => {
                if let [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..] = content {
                    self.adobe = Some(*transform);
                }
            }
            // DHP, of hierarchical frames.
            0xDE => return Err("a hierarchical JPEG".into()),
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                self.take_frame(marker, content)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_frame(&mut self, marker: u8, content: &[u8]) -> Result<(), Fault> {
        match marker {
            0xC0..=0xC2 => self.progressive = marker == 0xC2,
            0xC3 => return Err("a lossless JPEG (SOF3)".into()),
            0xC5..=0xC7 => return Err(format!("a hierarchical JPEG (SOF{})", marker - 0xC0)),
            _ => return Err(format!("an arithmetic-coded JPEG (SOF{})", marker - 0xC0)),
        }
        if !self.components.is_empty() {
            return Err("a JPEG of two frames".into());
        }
        let [precision, h1, h0, w1, w0, n, rest @ ..] = content else {
            return Err("a JPEG frame header that is cut short".into());
        };
        if *precision != 8 {
            return Err(format!("a JPEG of {precision}-bit samples, where 8 are read"));
        }
        let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
        (self.height, self.width) = (side(*h1, *h0), side(*w1, *w0));
        checked_pixels(u64::from(self.width), u64::from(self.height))?;
        let Some(described) = rest.get(..3 * usize::from(*n)) else {
            return Err("a JPEG frame header that is cut short".into());
        };
        for component in described.chunks_exact(3) {
            let (across, down) = (usize::from(component[1] >> 4), usize::from(component[1] & 15));
            self.components.push(Component { id: component[0], across, down, table: component[2] });
        }
        self.check_components()
    }

    /// Only kinds whose pixels were held against libjpeg's are read.
    fn check_components(&mut self) -> Result<(), Fault> {
        match self.components.as_mut_slice() {
            [grey] => {
                // A single component is never interleaved: its unit is a block.
                (grey.across, grey.down) = (1, 1);
                Ok(())
            }
            [first, second, third] => {
                let factors = |c: &Component| (c.across, c.down);
                let chroma = factors(second) == (1, 1) && factors(third) == (1, 1);
                if chroma && matches!(factors(first), (1 | 2, 1 | 2)) {
                    return Ok(());
                }
                Err(format!(
                    "a JPEG with the sampling factors {}×{}, {}×{} and {}×{}, where 1×1, 2×1, 1×2 \
                     and 2×2 with 1×1 are read",
                    first.across, first.down, second.across, second.down, third.across, third.down
                ))
            }
            [_, _, _, _] => Err("a JPEG of four components (CMYK), which have no one RGB".into()),
            other => Err(format!("a JPEG of {} components", other.len())),
        }
    }

    /// A block takes a bit at least, in the pass that takes least.
    fn check_length(&self, n_bytes: usize) -> Result<(), Fault> {
        let (across, down) = self.units();
        if across * down > n_bytes.saturating_mul(8) {
            return Err(format!(
                "{n_bytes} bytes of data for a JPEG of {} × {} px",
                self.width, self.height
            ));
        }
        Ok(())
    }

    /// Largest factors of all components.
    pub(crate) fn most(&self) -> (usize, usize) {
        self.components.iter().fold((1, 1), |most, c| (most.0.max(c.across), most.1.max(c.down)))
    }

    /// Units side by side, and rows of them.
    pub(crate) fn units(&self) -> (usize, usize) {
        let (across, down) = self.most();
        let (width, height) = (self.width as usize, self.height as usize);
        (width.div_ceil(8 * across), height.div_ceil(8 * down))
    }

    /// What the components are: what the container says, else what the markers do.
    pub(crate) fn colour(&self, asked: Colour) -> Result<Colour, Fault> {
        match (self.components.as_slice(), asked) {
            ([_], Colour::Stream | Colour::Grey) => Ok(Colour::Grey),
            // Containers say RGB or YBR of grey images too, for want of better.
            ([_], _) => Err("a JPEG of one component, where three were said to be".into()),
            (_, Colour::Grey) => Err("a JPEG of three components, where one was said to be".into()),
            ([a, b, c], Colour::Stream) => Ok(match (self.jfif, self.adobe) {
                (false, Some(0)) => Colour::Rgb,
                (false, None) if [a.id, b.id, c.id] == *b"RGB" => Colour::Rgb,
                _ => Colour::YCbCr,
            }),
            (_, asked) => Ok(asked),
        }
    }

    /// Whether the stream itself shows that it holds luminance and chrominance: by a JFIF marker,
    /// which allows nothing else, or by components of unequal size.
    #[cfg(feature = "dicom")]
    pub(crate) fn shows_ycbcr(&self) -> bool {
        self.components.len() == 3 && (self.jfif || self.most() != (1, 1))
    }
}

/// Visits the header segments (marker, position, bytes from the marker on) and returns where the
/// scan (or the end) begins. Bytes between segments are passed over, as libjpeg does.
pub(crate) fn walk<'a>(
    stream: &'a [u8],
    mut visit: impl FnMut(u8, usize, &'a [u8]),
) -> Result<usize, Fault> {
    if stream.is_empty() {
        return Ok(0);
    }
    if !stream.starts_with(&SOI) {
        return Err("a JPEG stream that does not begin with FF D8".into());
    }
    let mut at = 2;
    loop {
        let Some(&[first, marker]) = stream.get(at..at + 2) else {
            return Ok(stream.len());
        };
        // Any number of fill bytes may stand before a marker; FF 00 is none.
        if first != 0xFF || matches!(marker, 0 | 0xFF) {
            at += 1;
            continue;
        }
        if marker == SOS || marker == EOI {
            return Ok(at);
        }
        // Markers that stand alone.
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            at += 2;
            continue;
        }
        let length = match stream.get(at + 2..at + 4) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => 0,
        };
        let segment = stream.get(at..at + 2 + length).filter(|_| length >= 2);
        let Some(segment) = segment else {
            return Err(format!("a JPEG segment that runs past the end at byte {at}"));
        };
        visit(marker, at, segment);
        at += 2 + length;
    }
}
