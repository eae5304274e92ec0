// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a JPEG 2000 stream says of itself, held against its length before the decoder, which takes
//! memory by these numbers, sees it.
//!
//! Source: ITU-T T.800, Annex A (codestream), B (tiles, precincts, code-blocks), I (JP2).

use crate::codec::Fault;

/// Pixels of one stream at most: the decoder holds some 30 bytes for each.
pub(super) const MAX_PIXELS: u64 = 16 << 20;

/// Code-blocks and precincts of a component at most. Encoders make code-blocks of 32 or 64 px a
/// side, which is 16,384 at most.
const MAX_PARTS: u64 = 1 << 18;

/// Changes of the progression order, each of which walks over all precincts again.
const MAX_CHANGES: usize = 32;

/// Bytes of a tile-part at least: SOT and SOD.
const TILE_PART_BYTES: u64 = 14;

const SOT: u16 = 0xFF90;
const SOD: u16 = 0xFF93;
const EOC: u16 = 0xFFD9;
const SIZ: u16 = 0xFF51;
const COD: u16 = 0xFF52;
const COC: u16 = 0xFF53;
const POC: u16 = 0xFF5F;

/// A sound stream's size and samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) depth: u8,
    pub(super) components: usize,
    /// Whether the second component has fewer samples than the first.
    pub(super) chroma_is_subsampled: bool,
    n_tiles: usize,
}

impl Headers {
    /// Reads a codestream or a JP2 file.
    pub(super) fn read(stream: &[u8]) -> Result<Self, Fault> {
        let codestream = codestream(stream)?;
        let headers = Self::of_size(codestream)?;
        headers.check_parts(codestream)?;
        Ok(headers)
    }

    fn of_size(stream: &[u8]) -> Result<Self, Fault> {
        let cut_short = || Fault::from("a JPEG 2000 header that is cut short");
        if !stream.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) {
            return Err("a JPEG 2000 stream without a header".into());
        }
        let number = |at: usize| u32_at(stream, at).ok_or_else(cut_short);
        let (right, bottom, left, top) = (number(8)?, number(12)?, number(16)?, number(20)?);
        let (tile_width, tile_height) = (number(24)?, number(28)?);
        let (tiles_left, tiles_top) = (number(32)?, number(36)?);
        let n = usize::from(u16_at(stream, 40).ok_or_else(cut_short)?);
        let (Some(width), Some(height)) = (right.checked_sub(left), bottom.checked_sub(top)) else {
            return Err("a JPEG 2000 image of no pixels".into());
        };
        if tile_width == 0 || tile_height == 0 || tiles_left > left || tiles_top > top {
            return Err("JPEG 2000 tiles that do not cover the image".into());
        }
        if width == 0 || height == 0 || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(format!(
                "a JPEG 2000 image of {width} × {height} px, where 1 to {MAX_PIXELS} pixels are \
                 allowed"
            ));
        }
        let along = |end: u32, start: u32, side: u32| u64::from((end - start).div_ceil(side));
        let n_tiles = along(right, tiles_left, tile_width) * along(bottom, tiles_top, tile_height);
        if n_tiles.saturating_mul(TILE_PART_BYTES) > stream.len() as u64 {
            return Err(format!("{n_tiles} JPEG 2000 tiles in {} bytes", stream.len()));
        }
        let described = stream.get(42..42 + 3 * n).ok_or_else(cut_short)?;
        let described: Vec<[u8; 3]> =
            described.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
        let Some(&[depth, dx, dy]) = described.first() else {
            return Err("a JPEG 2000 image without components".into());
        };
        if !(1..=4).contains(&n) {
            return Err(format!("{n} JPEG 2000 components, where 1 to 4 are read"));
        }
        if !(7..=15).contains(&depth) || described.iter().any(|c| c[0] != depth) {
            let depths: Vec<String> = described
                .iter()
                .map(|c| format!("{}{}", if c[0] > 127 { "signed " } else { "" }, (c[0] & 127) + 1))
                .collect();
            return Err(format!(
                "JPEG 2000 samples of {} bits, where 8 to 16, unsigned and all equal, are read",
                depths.join(", ")
            ));
        }
        let plain = described.iter().all(|c| c[1..] == [1, 1]);
        let halved = matches!(
            described.as_slice(),
            [[_, 1, 1], [_, x @ (1 | 2), y @ (1 | 2)], [_, a, b]] if (x, y) == (a, b)
        );
        if !plain && !halved {
            return Err(format!(
                "JPEG 2000 components of which the first stands every {dx} × {dy} px \
                 and others elsewhere"
            ));
        }
        Ok(Self {
            width,
            height,
            depth: depth + 1,
            components: n,
            chroma_is_subsampled: !plain,
            n_tiles: n_tiles as usize,
        })
    }

    /// Walks over all headers, those of tiles too, and to the end of every tile-part.
    fn check_parts(&self, stream: &[u8]) -> Result<(), Fault> {
        let mut at = 2;
        // Where the headers of the present tile-part end, and where its data do.
        let mut part_end = None;
        let mut is_there = vec![false; self.n_tiles];
        // Coded data hold no such marker, so the last one is the stream's end.
        let last = stream.windows(2).rposition(|pair| pair == [0xFF, 0xD9]);
        loop {
            // Writers leave the end out where nothing follows the last part.
            let marker = u16_at(stream, at).unwrap_or(EOC);
            if marker == EOC {
                let missing = is_there.iter().filter(|there| !**there).count();
                return match missing {
                    0 => Ok(()),
                    n => Err(format!("JPEG 2000 data without {n} of {} tiles", self.n_tiles)),
                };
            }
            if marker == SOD {
                let end = part_end.ok_or("JPEG 2000 data before a tile-part")?;
                at = (at + 2).max(end);
                continue;
            }
            if (0xFF30..=0xFF3F).contains(&marker) {
                at += 2;
                continue;
            }
            let length = usize::from(u16_at(stream, at + 2).unwrap_or(0));
            let segment = stream.get(at + 4..at + 2 + length).filter(|_| marker >= 0xFF00);
            let Some(segment) = segment else {
                return Err(format!("a damaged JPEG 2000 header at byte {at}"));
            };
            match marker {
                SOT => {
                    let length = u32_at(segment, 2).unwrap_or(0) as usize;
                    // The last part may leave its length out.
                    let end = match (length, last) {
                        (0, Some(last)) => last.max(at + 12),
                        (0, None) => return Err("JPEG 2000 data without an end".into()),
                        (length, _) => at.saturating_add(length),
                    };
                    if end > stream.len() || end < at + TILE_PART_BYTES as usize - 2 {
                        return Err(format!(
                            "JPEG 2000 data that end after {} of {end} bytes",
                            stream.len()
                        ));
                    }
                    let tile = u16_at(segment, 0).map_or(0, usize::from);
                    let Some(there) = is_there.get_mut(tile) else {
                        return Err(format!("JPEG 2000 data of tile {tile} of {}", self.n_tiles));
                    };
                    *there = true;
                    part_end = Some(end);
                }
                // Behind the style stand order, layers and transform.
                COD => self.check_style(segment.first(), segment.get(5..))?,
                COC => self.check_style(segment.get(1), segment.get(2..))?,
                POC if segment.len() > 7 * MAX_CHANGES => {
                    return Err("JPEG 2000 with too many changes of its order".into());
                }
                SIZ if at > 2 => return Err("a JPEG 2000 stream with two sizes".into()),
                _ => {}
            }
            at += 2 + length;
        }
    }

    /// Holds the numbers of code-blocks and precincts to what encoders make.
    fn check_style(&self, style: Option<&u8>, of_component: Option<&[u8]>) -> Result<(), Fault> {
        let (Some(style), Some(&[levels, x, y, _, _, ref precincts @ ..])) = (style, of_component)
        else {
            return Err("a JPEG 2000 coding style that is cut short".into());
        };
        if levels > 32 || x > 8 || y > 8 {
            return Err("a JPEG 2000 coding style beyond the standard's".into());
        }
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let blocks = (width * height) >> (x + y + 4);
        let mut n_precincts = 0u64;
        if style & 1 == 1 {
            for resolution in 0..=levels {
                let Some(&exponents) = precincts.get(usize::from(resolution)) else {
                    return Err("a JPEG 2000 coding style that is cut short".into());
                };
                let shift = u32::from(levels - resolution);
                let along = |side: u64, exponent: u8| {
                    (side.checked_shr(shift).unwrap_or(0) >> exponent) + 1
                };
                n_precincts += along(width, exponents & 15) * along(height, exponents >> 4);
            }
        }
        if blocks > MAX_PARTS || n_precincts > MAX_PARTS {
            return Err(format!(
                "JPEG 2000 with {blocks} code-blocks and {n_precincts} precincts in {width} × \
                 {height} px, where {MAX_PARTS} are allowed"
            ));
        }
        Ok(())
    }
}

/// The codestream in a JP2 file, whose colour must be one that is read, or the stream itself.
fn codestream(stream: &[u8]) -> Result<&[u8], Fault> {
    if !stream.starts_with(b"\0\0\0\x0CjP  ") {
        return Ok(stream);
    }
    let mut found = None;
    for (kind, content) in boxes(stream)? {
        match &kind {
            b"jp2c" if found.is_none() => found = Some(content),
            b"jp2c" => return Err("a JP2 file of two codestreams".into()),
            b"jp2h" => {
                let mut coloured = false;
                for (kind, content) in boxes(content)? {
                    match &kind {
                        b"pclr" | b"cmap" => return Err("a JP2 file with a palette".into()),
                        // Of several, the first counts.
                        b"colr" if !coloured => {
                            check_colour(content)?;
                            coloured = true;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    found.ok_or_else(|| "a JP2 file without a codestream".into())
}

fn check_colour(content: &[u8]) -> Result<(), Fault> {
    match (content.first(), u32_at(content, 3)) {
        // sRGB, grey and sYCC; or a profile, which is not applied here.
        (Some(1), Some(16..=18)) | (Some(2), _) => Ok(()),
        (Some(1), Some(other)) => Err(format!("a JP2 file of the enumerated colour space {other}")),
        (method, _) => Err(format!("a JP2 file whose colour is told by method {method:?}")),
    }
}

/// Kind and content of a box.
type JpBox<'a> = ([u8; 4], &'a [u8]);

fn boxes(mut rest: &[u8]) -> Result<Vec<JpBox<'_>>, Fault> {
    let mut found = Vec::new();
    while rest.len() >= 8 {
        let kind = [rest[4], rest[5], rest[6], rest[7]];
        let (from, len) = match u32_at(rest, 0) {
            Some(0) => (8, rest.len()),
            Some(1) => {
                let (high, low) = (u32_at(rest, 8), u32_at(rest, 12));
                let len = u64::from(high.unwrap_or(0)) << 32 | u64::from(low.unwrap_or(0));
                (16, usize::try_from(len).unwrap_or(usize::MAX))
            }
            len => (8, len.unwrap_or(0) as usize),
        };
        let Some(content) = rest.get(from..len) else {
            return Err("a JP2 box that runs past the end".into());
        };
        found.push((kind, content));
        rest = &rest[len..];
    }
    Ok(found)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}
