// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage};

use super::format::{Colour, Compression, Format};
use super::{Directory, Tiff, tag};
use crate::budget::{check_declared, check_stored};
use crate::codec::{Fault, MAX_PIXELS, checked_pixels, jpeg, jpeg2000, raw};

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
    offsets: Vec<u64>,
    byte_counts: Vec<u64>,
    format: Format,
    jpeg_tables: Vec<u8>,
}

/// Bytes of a piece before they become RGB: 16-bit RGB of as many pixels as are allowed.
const MAX_PIECE_BYTES: u64 = MAX_PIXELS * 6;

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
        let file_bytes = tiff.bytes().len() as u64;
        check_declared(file_bytes, width, height)
            .map_err(|found| tiff.fault("an image that fits its file", found))?;
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
        let format = Format::read(tiff, directory)?;
        let too_large = |found: Fault| {
            Error::unsupported(
                format!("{}: reading a tile or strip of {found}", tiff.name().display()),
                &[],
                "rewrite the image with tiles, for example with `vips tiffsave --tile --pyramid`",
            )
        };
        let n_pixels = checked_pixels(piece_width, piece_height).map_err(too_large)?;
        let samples = if format.planar { 1 } else { format.samples };
        let n_bytes = (n_pixels * samples * format.bytes_per_sample) as u64;
        if n_bytes > MAX_PIECE_BYTES {
            let most = MAX_PIECE_BYTES >> 20;
            return Err(too_large(format!("{} MiB, above {most} MiB", n_bytes >> 20)));
        }
        let image = Self {
            width: width as u32,
            height: height as u32,
            piece_width: piece_width as u32,
            piece_height: piece_height as u32,
            tiled,
            offsets: tiff.uints(directory, offsets)?,
            byte_counts: tiff.uints(directory, counts)?,
            format,
            jpeg_tables: tiff.raw(directory, tag::JPEG_TABLES)?.to_vec(),
        };
        let planes = if image.format.planar { image.format.samples } else { 1 };
        let expected = u64::from(image.columns()) * u64::from(image.rows()) * planes as u64;
        if (image.offsets.len().min(image.byte_counts.len()) as u64) < expected {
            return Err(tiff.fault(
                format!("the offsets and lengths of {expected} tiles or strips"),
                format!("{} and {}", image.offsets.len(), image.byte_counts.len()),
            ));
        }
        image
            .check_stored(file_bytes, expected as usize)
            .map_err(|found| tiff.fault(format!("the pieces of {width} × {height} px"), found))?;
        Ok(image)
    }

    /// Holds the pieces that are there against the length of the file.
    fn check_stored(&self, file_bytes: u64, n_pieces: usize) -> Result<(), Fault> {
        let (mut n_stored, mut stored) = (0, 0u64);
        for (&at, &len) in self.offsets.iter().zip(&self.byte_counts).take(n_pieces) {
            if at > 0 && len > 0 {
                n_stored += 1;
                stored = stored.saturating_add(len);
            }
        }
        let size = (u64::from(self.piece_width), u64::from(self.piece_height));
        check_stored(file_bytes, n_stored, size, stored)
    }

    /// Where the first row and column lie, 1 to 8; 1 is top left.
    pub(crate) fn orientation(&self) -> u8 {
        self.format.orientation
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
        if self.format.planar {
            let plane_pieces = columns * self.rows() as usize;
            let n_planes = self.format.colours();
            let mut planes = Vec::with_capacity(n_planes);
            for plane in 0..n_planes {
                let Some(data) = self.stored(tiff, index + plane * plane_pieces).map_err(fault)?
                else {
                    return Ok(None);
                };
                planes.push(self.plane(data, height, tiff.is_little()).map_err(fault)?);
            }
            let pixels = interleave(&planes);
            drop(planes);
            return self.colour_image(pixels, n_planes, height).map(Some).map_err(fault);
        }
        let Some(data) = self.stored(tiff, index).map_err(fault)? else { return Ok(None) };
        let samples = self.format.samples;
        let image = match self.format.compression {
            Compression::Jpeg => self.decode_jpeg(data, height),
            Compression::Jpeg2000(colour) => self.decode_jpeg2000(data, colour, height),
            _ => self
                .samples_of(data, height, samples, tiff.is_little())
                .and_then(|pixels| self.colour_image(pixels, samples, height)),
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
        let colour = match self.format.colour {
            _ if self.format.planar => jpeg::Colour::Grey,
            Colour::Rgb => jpeg::Colour::Rgb,
            Colour::YCbCr => jpeg::Colour::YCbCr,
            _ => jpeg::Colour::Grey,
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

    fn decode_jpeg2000(
        &self,
        data: &[u8],
        of_three: jpeg2000::Colour,
        height: u32,
    ) -> Result<RgbImage, Fault> {
        let grey = self.format.planar || matches!(self.format.colour, Colour::BlackIsZero);
        let colour = if grey { jpeg2000::Colour::Grey } else { of_three };
        jpeg2000::decode(data, colour, self.piece_width, height)
    }

    /// The 8-bit samples of a piece that holds one sample of every pixel.
    fn plane(&self, data: &[u8], height: u32, little: bool) -> Result<Vec<u8>, Fault> {
        let plane = match self.format.compression {
            Compression::Jpeg => self.decode_jpeg(data, height)?,
            Compression::Jpeg2000(colour) => self.decode_jpeg2000(data, colour, height)?,
            _ => return self.samples_of(data, height, 1, little),
        };
        Ok(plane.pixels().map(|pixel| pixel[0]).collect())
    }

    /// Uncompressed 8-bit samples, of 16-bit ones the upper byte.
    fn samples_of(
        &self,
        data: &[u8],
        height: u32,
        samples: usize,
        little: bool,
    ) -> Result<Vec<u8>, Fault> {
        let bytes_per_sample = self.format.bytes_per_sample;
        let row_bytes = self.piece_width as usize * samples * bytes_per_sample;
        let n_bytes = row_bytes * height as usize;
        let turned: Vec<u8>;
        let data = if self.format.reversed {
            turned = data.iter().map(|byte| byte.reverse_bits()).collect();
            &turned
        } else {
            data
        };
        let mut out = match self.format.compression {
            Compression::Lzw => raw::lzw(data, n_bytes)?,
            Compression::Deflate => raw::deflate(data, n_bytes)?,
            Compression::PackBits => raw::packbits(data, n_bytes)?,
            _ => raw::copy(data, n_bytes)?,
        };
        if self.format.differenced {
            raw::undo_predictor(&mut out, row_bytes, samples, bytes_per_sample, little);
        }
        if bytes_per_sample == 2 {
            // In place, since both together would take more memory than anything else here.
            let n_samples = out.len() / 2;
            for i in 0..n_samples {
                out[i] = out[2 * i + usize::from(little)];
            }
            out.truncate(n_samples);
            out.shrink_to_fit();
        }
        Ok(out)
    }

    /// The colours of pixels of `step` samples each.
    fn colour_image(
        &self,
        mut samples: Vec<u8>,
        step: usize,
        height: u32,
    ) -> Result<RgbImage, Fault> {
        let spread =
            |f: &dyn Fn(u8) -> [u8; 3]| samples.chunks_exact(step).flat_map(|p| f(p[0])).collect();
        let data: Vec<u8> = match &self.format.colour {
            Colour::Rgb if step == 3 => samples,
            Colour::Rgb => {
                let n_pixels = samples.len() / step;
                for i in 0..n_pixels {
                    let at = i * step;
                    let mut rgb = [samples[at], samples[at + 1], samples[at + 2]];
                    if self.format.premultiplied {
                        rgb = divided(rgb, samples[at + 3]);
                    }
                    samples[3 * i..3 * i + 3].copy_from_slice(&rgb);
                }
                samples.truncate(3 * n_pixels);
                samples.shrink_to_fit();
                samples
            }
            Colour::BlackIsZero => spread(&|v| [v; 3]),
            Colour::WhiteIsZero => spread(&|v| [255 - v; 3]),
            Colour::Palette(map) => spread(&|v| map.get(usize::from(v)).copied().unwrap_or([0; 3])),
            Colour::YCbCr => return Err("YCbCr without JPEG compression".into()),
        };
        RgbImage::new(self.piece_width, height, data).map_err(|e| e.to_string())
    }
}

/// The colour that was multiplied by `alpha`, rounded down; of nothing, black.
fn divided(rgb: [u8; 3], alpha: u8) -> [u8; 3] {
    match alpha {
        0 => [0; 3],
        255 => rgb,
        alpha => rgb.map(|v| (u32::from(v) * 255 / u32::from(alpha)).min(255) as u8),
    }
}

fn interleave(planes: &[Vec<u8>]) -> Vec<u8> {
    let n = planes.iter().map(Vec::len).min().unwrap_or(0);
    let mut out = Vec::with_capacity(n * planes.len());
    for i in 0..n {
        out.extend(planes.iter().map(|plane| plane[i]));
    }
    out
}
