// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage};

use super::{Directory, Tiff, tag};
use crate::codec::{Fault, checked_pixels, jpeg, jpeg2000, raw};

/// One image of a TIFF: its pieces (tiles or strips) and how they are coded.
#[derive(Clone, Debug)]
pub(crate) struct TiffImage {
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// Width of a piece.
    pub(crate) piece_width: u32,
    /// Height of a piece.
    pub(crate) piece_height: u32,
    /// Whether pieces are tiles, all of one size, and not strips.
    pub(crate) tiled: bool,
    /// How pieces are coded.
    pub(crate) compression: Compression,
    offsets: Vec<u64>,
    byte_counts: Vec<u64>,
    colour: Colour,
    samples: usize,
    bytes_per_sample: usize,
    planar: bool,
    predictor: bool,
    jpeg_tables: Vec<u8>,
}

/// How a piece is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Lzw,
    Jpeg,
    Jpeg2000(jpeg2000::Colour),
    Deflate,
    PackBits,
}

#[derive(Clone, Debug)]
enum Colour {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette(Vec<[u8; 3]>),
    YCbCr,
}

impl TiffImage {
    /// Reads and checks the tags of an image.
    pub(crate) fn read(tiff: &Tiff, directory: &Directory) -> Result<Self> {
        let required = |tag, name: &str| {
            tiff.first_uint(directory, tag)?
                .ok_or_else(|| tiff.fault(format!("the tag {name}"), "an image without it"))
        };
        let or = |tag, default| Ok::<_, Error>(tiff.first_uint(directory, tag)?.unwrap_or(default));

        let (width, height) =
            (required(tag::WIDTH, "ImageWidth")?, required(tag::HEIGHT, "ImageLength")?);
        let sides = 1..=u64::from(u32::MAX >> 1);
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(tiff.fault("an image with pixels", format!("{width} × {height} px")));
        }
        let tiled = directory.has(tag::TILE_OFFSETS) || directory.has(tag::TILE_WIDTH);
        let (piece_width, piece_height, offsets, counts) = if tiled {
            (
                required(tag::TILE_WIDTH, "TileWidth")?,
                required(tag::TILE_HEIGHT, "TileLength")?,
                tag::TILE_OFFSETS,
                tag::TILE_BYTE_COUNTS,
            )
        } else {
            let rows = or(tag::ROWS_PER_STRIP, height)?.clamp(1, height);
            (width, rows, tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS)
        };
        checked_pixels(piece_width, piece_height).map_err(|found| {
            Error::unsupported(
                format!("{}: reading a tile or strip of {found}", tiff.name().display()),
                &[],
                "rewrite the image with tiles, for example with `vips tiffsave --tile --pyramid`",
            )
        })?;

        let samples = or(tag::SAMPLES_PER_PIXEL, 1)?;
        let bits = tiff.uints(directory, tag::BITS_PER_SAMPLE)?;
        let depth = bits.first().copied().unwrap_or(1);
        if !(1..=8).contains(&samples)
            || !matches!(depth, 8 | 16)
            || bits.iter().any(|&b| b != depth)
        {
            return Err(unsupported(tiff, format!("{samples} samples of {bits:?} bits")));
        }
        let compression = Compression::read(tiff, or(tag::COMPRESSION, 1)?)?;
        let image = Self {
            width: width as u32,
            height: height as u32,
            piece_width: piece_width as u32,
            piece_height: piece_height as u32,
            tiled,
            compression,
            offsets: tiff.uints(directory, offsets)?,
            byte_counts: tiff.uints(directory, counts)?,
            colour: Colour::read(tiff, directory, samples)?,
            samples: samples as usize,
            bytes_per_sample: depth as usize / 8,
            planar: or(tag::PLANAR_CONFIGURATION, 1)? == 2 && samples > 1,
            predictor: or(tag::PREDICTOR, 1)? == 2,
            jpeg_tables: tiff.raw(directory, tag::JPEG_TABLES)?.to_vec(),
        };
        let planes = if image.planar { image.samples } else { 1 };
        let expected = image.columns() as usize * image.rows() as usize * planes;
        if image.offsets.len() < expected || image.byte_counts.len() < expected {
            return Err(tiff.fault(
                format!("the offsets and lengths of {expected} tiles or strips"),
                format!("{} and {}", image.offsets.len(), image.byte_counts.len()),
            ));
        }
        Ok(image)
    }

    /// Pieces side by side.
    pub(crate) fn columns(&self) -> u32 {
        self.width.div_ceil(self.piece_width)
    }

    /// Pieces one below the other.
    pub(crate) fn rows(&self) -> u32 {
        self.height.div_ceil(self.piece_height)
    }

    /// Decodes a piece; `None` where the file left it out, as sparse pyramids do.
    pub(crate) fn decode(&self, tiff: &Tiff, column: u32, row: u32) -> Result<Option<RgbImage>> {
        let columns = self.columns() as usize;
        let index = row as usize * columns + column as usize;
        let height = if self.tiled {
            self.piece_height
        } else {
            self.piece_height.min(self.height.saturating_sub(row * self.piece_height))
        };
        let fault = |found: Fault| {
            tiff.fault(
                format!("tile {column}, {row} of the {} × {} px level", self.width, self.height),
                found,
            )
        };
        if self.planar {
            let plane_pieces = columns * self.rows() as usize;
            let mut planes = Vec::with_capacity(self.samples);
            for plane in 0..self.samples {
                let Some(data) = self.stored(tiff, index + plane * plane_pieces).map_err(fault)?
                else {
                    return Ok(None);
                };
                planes.push(self.samples_of(data, height, 1, tiff.is_little()).map_err(fault)?);
            }
            let pixels = interleave(&planes);
            return self.colour_image(pixels, height).map(Some).map_err(fault);
        }
        let Some(data) = self.stored(tiff, index).map_err(fault)? else { return Ok(None) };
        let image = match self.compression {
            Compression::Jpeg => self.decode_jpeg(data, height),
            Compression::Jpeg2000(colour) => {
                jpeg2000::decode(data, colour, self.piece_width, height)
            }
            _ => self
                .samples_of(data, height, self.samples, tiff.is_little())
                .and_then(|pixels| self.colour_image(pixels, height)),
        };
        image.map(Some).map_err(fault)
    }

    fn stored<'a>(&self, tiff: &'a Tiff, index: usize) -> Result<Option<&'a [u8]>, Fault> {
        let (Some(&at), Some(&len)) = (self.offsets.get(index), self.byte_counts.get(index)) else {
            return Err("no such tile".into());
        };
        if at == 0 || len == 0 {
            return Ok(None);
        }
        match tiff.slice(at, len) {
            Some(data) => Ok(Some(data)),
            None => Err(format!(
                "bytes {at} to {} of a file of {} bytes",
                at.saturating_add(len),
                tiff.bytes().len()
            )),
        }
    }

    fn decode_jpeg(&self, data: &[u8], height: u32) -> Result<RgbImage, Fault> {
        let colour = match self.colour {
            Colour::Rgb => jpeg::Colour::Rgb,
            Colour::YCbCr => jpeg::Colour::YCbCr,
            _ => jpeg::Colour::Stream,
        };
        let image = jpeg::decode(&self.jpeg_tables, data, colour)?;
        if (image.width(), image.height()) == (self.piece_width, height) {
            Ok(image)
        } else {
            Err(format!(
                "a JPEG of {} × {} px instead of {} × {height} px",
                image.width(),
                image.height(),
                self.piece_width
            ))
        }
    }

    /// Uncompressed 8-bit samples, of 16-bit ones the upper byte.
    fn samples_of(
        &self,
        data: &[u8],
        height: u32,
        samples: usize,
        little: bool,
    ) -> Result<Vec<u8>, Fault> {
        let plane = match self.compression {
            Compression::Jpeg => Some(self.decode_jpeg(data, height)?),
            Compression::Jpeg2000(colour) => {
                Some(jpeg2000::decode(data, colour, self.piece_width, height)?)
            }
            _ => None,
        };
        if let Some(plane) = plane {
            return Ok(plane.pixels().map(|pixel| pixel[0]).collect());
        }
        let row_bytes = self.piece_width as usize * samples * self.bytes_per_sample;
        let n_bytes = row_bytes * height as usize;
        let mut out = match self.compression {
            Compression::Lzw => raw::lzw(data, n_bytes)?,
            Compression::Deflate => raw::deflate(data, n_bytes)?,
            Compression::PackBits => raw::packbits(data, n_bytes)?,
            _ => raw::copy(data, n_bytes)?,
        };
        if self.predictor {
            raw::undo_predictor(&mut out, row_bytes, samples, self.bytes_per_sample, little);
        }
        if self.bytes_per_sample == 2 {
            out = out[usize::from(little)..].iter().step_by(2).copied().collect();
        }
        Ok(out)
    }

    fn colour_image(&self, samples: Vec<u8>, height: u32) -> Result<RgbImage, Fault> {
        let step = self.samples;
        let spread =
            |f: &dyn Fn(&[u8]) -> [u8; 3]| samples.chunks_exact(step).flat_map(f).collect();
        let data: Vec<u8> = match &self.colour {
            Colour::Rgb if step == 3 => samples,
            Colour::Rgb => spread(&|p| [p[0], p[1], p[2]]),
            Colour::BlackIsZero => spread(&|p| [p[0]; 3]),
            Colour::WhiteIsZero => spread(&|p| [255 - p[0]; 3]),
            Colour::Palette(map) => {
                spread(&|p| map.get(usize::from(p[0])).copied().unwrap_or([0; 3]))
            }
            Colour::YCbCr => return Err("YCbCr without JPEG compression".into()),
        };
        RgbImage::new(self.piece_width, height, data).map_err(|e| e.to_string())
    }
}

impl Compression {
    fn read(tiff: &Tiff, code: u64) -> Result<Self> {
        match code {
            1 => Ok(Self::None),
            5 => Ok(Self::Lzw),
            7 => Ok(Self::Jpeg),
            33003 => Ok(Self::Jpeg2000(jpeg2000::Colour::YCbCr)),
            33005 | 34712 => Ok(Self::Jpeg2000(jpeg2000::Colour::Rgb)),
            8 | 32946 => Ok(Self::Deflate),
            32773 => Ok(Self::PackBits),
            _ => Err(unsupported(tiff, format!("TIFF compression {code}"))),
        }
    }
}

impl Colour {
    fn read(tiff: &Tiff, directory: &Directory, samples: u64) -> Result<Self> {
        let photometric = tiff.first_uint(directory, tag::PHOTOMETRIC)?.unwrap_or(1);
        match photometric {
            0 => Ok(Self::WhiteIsZero),
            1 => Ok(Self::BlackIsZero),
            2 if samples >= 3 => Ok(Self::Rgb),
            3 => {
                let map = tiff.uints(directory, tag::COLOUR_MAP)?;
                let n = map.len() / 3;
                let value = |i: usize| (map[i] >> 8) as u8;
                Ok(Self::Palette(
                    (0..n).map(|i| [value(i), value(n + i), value(2 * n + i)]).collect(),
                ))
            }
            6 if samples == 3 => Ok(Self::YCbCr),
            _ => {
                Err(unsupported(tiff, format!("photometric {photometric} with {samples} samples")))
            }
        }
    }
}

fn unsupported(tiff: &Tiff, what: String) -> Error {
    Error::unsupported(
        format!("{}: reading {what}", tiff.name().display()),
        &[
            "8 and 16 bit grey, palette, RGB and YCbCr",
            "none, LZW, JPEG, JPEG 2000, deflate, PackBits",
        ],
        "rewrite the image with `vips tiffsave --tile --pyramid --compression jpeg`",
    )
}

fn interleave(planes: &[Vec<u8>]) -> Vec<u8> {
    let n = planes.iter().map(Vec::len).min().unwrap_or(0);
    let mut out = Vec::with_capacity(n * planes.len());
    for i in 0..n {
        out.extend(planes.iter().map(|plane| plane[i]));
    }
    out
}
