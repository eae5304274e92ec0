// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a TIFF's tags say of its samples, as an allow-list: every value of a tag that changes
//! pixels is either carried out exactly or refused by the tag's name and value. A value that is
//! passed over would give other pixels without a word.
//!
//! Source: TIFF 6.0; where it leaves something open, libtiff's reading of it.

use eosin_core::{Error, Result};

use super::{Directory, Tiff, tag};
use crate::codec::jpeg2000;

/// How the samples of an image are stored and what they mean.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a tag of its own, and all combinations occur"
)]
pub(super) struct Format {
    pub(super) compression: Compression,
    pub(super) colour: Colour,
    /// Samples of a pixel, those beside its colour counted too.
    pub(super) samples: usize,
    pub(super) bytes_per_sample: usize,
    /// Whether each sample has pieces of its own.
    pub(super) planar: bool,
    /// Whether rows hold differences (predictor 2).
    pub(super) differenced: bool,
    /// Whether the bits of every stored byte are in reverse (fill order 2).
    pub(super) reversed: bool,
    /// Whether the fourth sample is an alpha that the colours were multiplied by.
    pub(super) premultiplied: bool,
    /// Where the first row and column lie, 1 to 8; 1 is top left.
    pub(super) orientation: u8,
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
pub(super) enum Colour {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette(Vec<[u8; 3]>),
    YCbCr,
}

/// Samples of a pixel at most.
const MAX_SAMPLES: u64 = 8;

/// Black and white of luminance and chrominance that a JPEG's own arithmetic has.
const FULL_RANGE_YCBCR: [f64; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
const FULL_RANGE_RGB: [f64; 6] = [0.0, 255.0, 0.0, 255.0, 0.0, 255.0];

impl Format {
    pub(super) fn read(tiff: &Tiff, directory: &Directory) -> Result<Self> {
        let tags = Tags { tiff, directory };
        let compression = tags.compression()?;
        let samples = tags.one(tag::SAMPLES_PER_PIXEL, 1)?;
        if !(1..=MAX_SAMPLES).contains(&samples) {
            return Err(tags.refused(tag::SAMPLES_PER_PIXEL, samples, "1 to 8"));
        }
        let bits = tags.bits(samples)?;
        let whole = matches!(compression, Compression::Jpeg | Compression::Jpeg2000(_));
        if compression == Compression::Jpeg && bits != 8 {
            return Err(tags.refused(tag::BITS_PER_SAMPLE, bits, "8 with JPEG"));
        }
        tags.sample_format(samples)?;
        tags.among(tag::IMAGE_DEPTH, 1, &[1], "1")?;
        tags.among(tag::TILE_DEPTH, 1, &[1], "1")?;
        let reversed = tags.among(tag::FILL_ORDER, 1, &[1, 2], "1 and 2")? == 2;
        let planar = tags.among(tag::PLANAR_CONFIGURATION, 1, &[1, 2], "1 and 2")? == 2;
        let orientation = tags.among(
            tag::ORIENTATION,
            1,
            &[1, 2, 3, 4, 5, 6, 7, 8],
            "1 to 8, and 1 alone in slides",
        )?;
        let predictor = match compression {
            // JPEG and JPEG 2000 have none, and libtiff does not ask for it there; in plain samples
            // readers differ.
            Compression::Lzw
            | Compression::Deflate
            | Compression::Jpeg
            | Compression::Jpeg2000(_) => tags.among(tag::PREDICTOR, 1, &[1, 2], "1 and 2")?,
            _ => tags.among(tag::PREDICTOR, 1, &[1], "1 without LZW and deflate")?,
        };
        let colour = tags.colour(compression, bits)?;
        let premultiplied = tags.extra_samples(&colour, samples, whole)?;
        Ok(Self {
            compression,
            colour,
            samples: samples as usize,
            bytes_per_sample: bits as usize / 8,
            planar: planar && samples > 1,
            differenced: predictor == 2 && !whole,
            reversed: reversed && !whole,
            premultiplied,
            orientation: orientation as u8,
        })
    }

    /// Samples that a pixel's colour is made of.
    pub(super) fn colours(&self) -> usize {
        self.colour.samples() + usize::from(self.premultiplied)
    }
}

impl Colour {
    fn samples(&self) -> usize {
        match self {
            Self::Rgb | Self::YCbCr => 3,
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette(_) => 1,
        }
    }
}

/// The tags of one image.
struct Tags<'a> {
    tiff: &'a Tiff,
    directory: &'a Directory,
}

impl Tags<'_> {
    fn all(&self, tag: u16) -> Result<Vec<u64>> {
        self.tiff.uints(self.directory, tag)
    }

    fn one(&self, tag: u16, default: u64) -> Result<u64> {
        Ok(self.tiff.first_uint(self.directory, tag)?.unwrap_or(default))
    }

    /// The value of a tag, which must be one of `known`.
    fn among(&self, tag: u16, default: u64, known: &[u64], named: &str) -> Result<u64> {
        let value = self.one(tag, default)?;
        if known.contains(&value) { Ok(value) } else { Err(self.refused(tag, value, named)) }
    }

    fn refused(&self, tag: u16, value: impl std::fmt::Display, known: &str) -> Error {
        Error::unsupported(
            format!(
                "{}: reading a TIFF whose tag {} ({tag}) is {value}",
                self.tiff.name().display(),
                tag::name(tag)
            ),
            &[known],
            "rewrite the image as 8-bit RGB, for example with `vips tiffsave --tile --pyramid \
             --compression jpeg`",
        )
    }

    fn compression(&self) -> Result<Compression> {
        match self.one(tag::COMPRESSION, 1)? {
            1 => Ok(Compression::None),
            5 => Ok(Compression::Lzw),
            7 => Ok(Compression::Jpeg),
            code @ (33003 | 33005 | 34712) => {
                jpeg2000::require(self.tiff.name())?;
                let is_rgb = code != 33003;
                let colour = if is_rgb { jpeg2000::Colour::Rgb } else { jpeg2000::Colour::YCbCr };
                Ok(Compression::Jpeg2000(colour))
            }
            8 | 32946 => Ok(Compression::Deflate),
            32773 => Ok(Compression::PackBits),
            other => Err(self.refused(
                tag::COMPRESSION,
                other,
                "1 (none), 5 (LZW), 7 (JPEG), 8 and 32946 (deflate), 32773 (PackBits), 33003, 33005 \
                 and 34712 (JPEG 2000)",
            )),
        }
    }

    /// Bits of every sample. Writers give fewer values than there are samples, or more.
    fn bits(&self, samples: u64) -> Result<u64> {
        let all = self.all(tag::BITS_PER_SAMPLE)?;
        let bits = &all[..all.len().min(samples as usize)];
        match bits {
            [first @ (8 | 16), rest @ ..] if rest.iter().all(|b| b == first) => Ok(*first),
            [] => Err(self.refused(tag::BITS_PER_SAMPLE, "absent, which means 1", "8 and 16")),
            other => Err(self.refused(tag::BITS_PER_SAMPLE, list(other), "8 and 16, all equal")),
        }
    }

    /// Unsigned integers, or undefined, which readers are to take for them.
    fn sample_format(&self, samples: u64) -> Result<()> {
        let formats = self.all(tag::SAMPLE_FORMAT)?;
        let used = &formats[..formats.len().min(samples as usize)];
        if used.iter().any(|format| !matches!(format, 1 | 4)) {
            return Err(self.refused(tag::SAMPLE_FORMAT, list(used), "1 (unsigned integers)"));
        }
        // What writers put before there was SampleFormat; 1 means signed here.
        if formats.is_empty() {
            self.among(tag::DATA_TYPE, 2, &[0, 2], "0 and 2 (unsigned integers)")?;
        }
        Ok(())
    }

    fn colour(&self, compression: Compression, bits: u64) -> Result<Colour> {
        let Some(photometric) = self.tiff.first_uint(self.directory, tag::PHOTOMETRIC)? else {
            // Readers take different values for it, black for white among them.
            return Err(self.refused(tag::PHOTOMETRIC, "absent", "0, 1, 2, 3 and 6"));
        };
        let refused = |known| Err(self.refused(tag::PHOTOMETRIC, photometric, known));
        let whole = match compression {
            Compression::Jpeg => Some("1, 2 and 6 with JPEG"),
            Compression::Jpeg2000(_) => Some("1 and 2 with JPEG 2000, and 6 with Aperio's"),
            _ => None,
        };
        match (photometric, whole) {
            (0, None) => Ok(Colour::WhiteIsZero),
            (1, _) => Ok(Colour::BlackIsZero),
            (2, _) => {
                self.range(FULL_RANGE_RGB)?;
                Ok(Colour::Rgb)
            }
            (3, None) if bits == 8 => Ok(Colour::Palette(self.palette()?)),
            (3, None) => Err(self.refused(tag::BITS_PER_SAMPLE, bits, "8 with a palette")),
            (6, Some(known)) => {
                // Compression 34712 does not say whether the codestream undoes it.
                let said = self.one(tag::COMPRESSION, 1)?;
                if said == 34712 {
                    return refused(known);
                }
                self.range(FULL_RANGE_YCBCR)?;
                self.subsampling()?;
                Ok(Colour::YCbCr)
            }
            (6, None) => refused("0, 1, 2 and 3 without JPEG"),
            (_, Some(known)) => refused(known),
            (_, None) => refused("0, 1, 2, 3 and 6"),
        }
    }

    /// A JPEG's frame header says how chrominance is subsampled, and it is interpolated as libjpeg
    /// does; the tags only repeat it.
    fn subsampling(&self) -> Result<()> {
        let factors = self.all(tag::YCBCR_SUBSAMPLING)?;
        if factors.iter().any(|factor| !matches!(factor, 1 | 2 | 4)) {
            return Err(self.refused(tag::YCBCR_SUBSAMPLING, list(&factors), "1, 2 and 4"));
        }
        self.among(tag::YCBCR_POSITIONING, 1, &[1, 2], "1 and 2")?;
        Ok(())
    }

    /// Samples whose black and white are not the ends of their range would have to be stretched.
    fn range(&self, full: [f64; 6]) -> Result<()> {
        let said = self.tiff.reals(self.directory, tag::REFERENCE_BLACK_WHITE)?;
        // Some writers halve the steps: 127.5 for 128.
        let close = said.iter().zip(full).all(|(a, b)| (a - b).abs() <= 1.0);
        if said.is_empty() || (said.len() == full.len() && close) {
            return Ok(());
        }
        let known = list(&full);
        Err(self.refused(tag::REFERENCE_BLACK_WHITE, list(&said), &known))
    }

    fn palette(&self) -> Result<Vec<[u8; 3]>> {
        let map = self.all(tag::COLOUR_MAP)?;
        if map.len() != 3 * 256 {
            let found = format!("{} values", map.len());
            return Err(self.refused(tag::COLOUR_MAP, found, "3 × 256 values"));
        }
        // Some writers give 8 bits where 16 belong; readers differ about what they show.
        if map.iter().all(|&value| value < 256) && map.iter().any(|&value| value > 0) {
            return Err(self.refused(tag::COLOUR_MAP, "of 8 bits", "16-bit values"));
        }
        let value = |i: usize| (map[i] >> 8) as u8;
        Ok((0..256).map(|i| [value(i), value(256 + i), value(512 + i)]).collect())
    }

    /// Whether the colours were multiplied by the first sample beside them. Alpha that they were
    /// not multiplied by is dropped.
    fn extra_samples(&self, colour: &Colour, samples: u64, whole: bool) -> Result<bool> {
        let kinds = self.all(tag::EXTRA_SAMPLES)?;
        let Some(n_extra) = samples.checked_sub(colour.samples() as u64) else {
            let known = format!("{} or more of this photometric", colour.samples());
            return Err(self.refused(tag::SAMPLES_PER_PIXEL, samples, &known));
        };
        if !kinds.is_empty() && kinds.len() as u64 != n_extra {
            let known = format!("{n_extra} values with {samples} samples a pixel");
            return Err(self.refused(tag::EXTRA_SAMPLES, list(&kinds), &known));
        }
        match (colour, kinds.as_slice()) {
            (_, []) if n_extra == 0 => Ok(false),
            (Colour::Rgb, [1, rest @ ..]) if !whole && rest.iter().all(|k| matches!(k, 0 | 2)) => {
                Ok(true)
            }
            (Colour::Rgb, kinds) if kinds.iter().all(|kind| matches!(kind, 0 | 2)) => Ok(false),
            // A second sample beside grey may as well be a second channel.
            (Colour::BlackIsZero | Colour::WhiteIsZero | Colour::Palette(_), [2]) => Ok(false),
            (_, []) => Err(self.refused(
                tag::SAMPLES_PER_PIXEL,
                samples,
                "1 of grey and palettes, 3 of RGB and YCbCr, with ExtraSamples (338) for more",
            )),
            (_, kinds) => Err(self.refused(
                tag::EXTRA_SAMPLES,
                list(kinds),
                "0, 1 and 2 beside RGB, a single 2 beside grey and palettes",
            )),
        }
    }
}

fn list(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
