// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compressed pixels, and the profiles of their colour.

use eosin::crates::core::Result;
use eosin::crates::tile::{Slide, read_image};
use eosin_testkit::mutants::{Alphabet, MutantParser, Seed};

use super::fixtures::{BYTE, all_files, container, files, root, tiff_around};
use super::slides::cut;

const JPEG_WORDS: &[&[u8]] = &[
    b"\xff\xd8",
    b"\xff\xd9",
    b"\xff\xda",
    b"\xff\xc0\x00\x11\x08",
    b"\xff\xc2\x00\x11\x08",
    b"\xff\xc1",
    b"\xff\xc4",
    b"\xff\xdb",
    b"\xff\xdd\x00\x04\x00\x01",
    b"\xff\xd0",
    b"\xff\x00",
    b"\xff\xff",
    b"\x22\x00",
    b"\x11\x01",
    b"\x41\x00",
    b"\x44\x00",
    b"\xff\xee\x00\x0eAdobe",
    b"\xff\xe0\x00\x10JFIF\0",
];

const JPEG2000_WORDS: &[&[u8]] = &[
    b"\xff\x4f\xff\x51",
    b"\xff\x52\x00\x0c",
    b"\xff\x53",
    b"\xff\x55",
    b"\xff\x58",
    b"\xff\x5c",
    b"\xff\x5d",
    b"\xff\x5e",
    b"\xff\x5f",
    b"\xff\x63",
    b"\xff\x64",
    b"\xff\x90\x00\x0a",
    b"\xff\x91",
    b"\xff\x93",
    b"\xff\xd9",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    b"jp2h",
    b"ihdr",
    b"jp2c",
];

const PNG_WORDS: &[&[u8]] = &[
    b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"fcTL", b"fdAT",
    b"gAMA",
];

/// Files of their own.
pub fn jpeg() -> MutantParser {
    whole_image(all_files("tests/golden/tile/jpeg", "jpg"), JPEG_WORDS)
}

pub fn png() -> MutantParser {
    let mut seeds = files("tests/golden/tile", &["openslide-1.png"]);
    seeds.extend(files("tests/golden/tile/jpeg", &["420-96x80.png", "420-2x4.png"]));
    seeds.extend(files("tests/golden/tile/icc", &["curves.png"]));
    whole_image(seeds, PNG_WORDS)
}

fn whole_image(seeds: Vec<Seed>, words: &'static [&'static [u8]]) -> MutantParser {
    MutantParser {
        alphabet: Alphabet::Bytes,
        words,
        seeds,
        read: Box::new(|path, _| read_image(path).map(drop)),
    }
}

/// Streams in a TIFF whose tables stand apart, in both colours.
pub fn jpeg_tables() -> MutantParser {
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: JPEG_WORDS,
        seeds: all_files("tests/golden/tile/jpeg", "jpg"),
        read: Box::new(|_, stream| {
            let (tables, rest) = abbreviate(stream);
            let size = jpeg_size(stream).unwrap_or((96, 80));
            let rgb = tiff_around(&rest, size, 7, 2, &[(347, BYTE, tables.as_slice())]);
            let _ = read_tiff(&rgb);
            read_tiff(&tiff_around(&rest, size, 7, 6, &[(347, BYTE, tables.as_slice())]))
        }),
    }
}

/// Codestreams of Aperio, in a TIFF of the size that they say.
pub fn jpeg2000() -> MutantParser {
    let mut seeds = Vec::new();
    for slide in all_files("tests/golden/tile/slides", "svs") {
        for (i, stream) in codestreams(&slide.bytes).enumerate() {
            seeds.push(Seed::new(format!("{}-{i}.j2k", slide.name), stream));
        }
    }
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: JPEG2000_WORDS,
        seeds,
        read: Box::new(|_, stream| {
            let size = jpeg2000_size(stream).unwrap_or((64, 64));
            let _ = read_tiff(&tiff_around(stream, size, 33003, 2, &[]));
            read_tiff(&tiff_around(stream, size, 33005, 2, &[]))
        }),
    }
}

/// Profiles in a sound slide.
pub fn icc() -> MutantParser {
    let jpeg = std::fs::read(root("tests/golden/tile/jpeg/420-96x80.jpg")).unwrap();
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[
            b"rTRC", b"A2B0", b"curv", b"para", b"mft1", b"mft2", b"mAB ", b"XYZ ", b"Lab ",
            b"RGB ",
        ],
        seeds: all_files("tests/golden/tile/icc", "icc"),
        read: Box::new(move |_, profile| {
            let slide = container("tiff");
            let tiff = tiff_around(&jpeg, (96, 80), 7, 6, &[(34675, BYTE, profile)]);
            std::fs::write(&slide, tiff).expect("room for a slide");
            let opened = Slide::open(&slide).map(drop);
            cut(&slide);
            std::fs::remove_file(&slide).expect("a slide that can be removed");
            opened
        }),
    }
}

fn read_tiff(tiff: &[u8]) -> Result<()> {
    let path = container("tiff");
    std::fs::write(&path, tiff).expect("room for an image");
    let read = read_image(&path).map(drop);
    std::fs::remove_file(&path).expect("an image that can be removed");
    read
}

/// A stream's tables, and the stream without them; what is no JPEG is left whole.
fn abbreviate(stream: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut tables, mut rest) = (b"\xff\xd8".to_vec(), b"\xff\xd8".to_vec());
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = stream.get(at..at + 4) {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        let Some(segment) = stream.get(at..end).filter(|_| marker != 0xDA) else { break };
        let target = if matches!(marker, 0xDB | 0xC4) { &mut tables } else { &mut rest };
        target.extend(segment);
        at = end;
    }
    tables.extend(b"\xff\xd9");
    rest.extend(stream.get(at..).unwrap_or_default());
    (tables, rest)
}

/// The size that a frame header says, so that the container does not contradict it.
fn jpeg_size(stream: &[u8]) -> Option<(u32, u32)> {
    let at = stream.windows(2).position(|w| w[0] == 0xFF && matches!(w[1], 0xC0..=0xC2))?;
    let side =
        |at: usize| Some(u32::from(u16::from_be_bytes([*stream.get(at)?, *stream.get(at + 1)?])));
    Some((side(at + 7)?, side(at + 5)?))
}

fn jpeg2000_size(stream: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| stream.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    Some((side(8)?.checked_sub(side(16)?)?, side(12)?.checked_sub(side(20)?)?))
}

/// Every codestream of a file, from its beginning to its end marker.
fn codestreams(file: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let starts = (0..file.len()).filter(move |&at| file[at..].starts_with(b"\xff\x4f\xff\x51"));
    starts.filter_map(move |start| {
        let length = file[start..].windows(2).position(|w| w == b"\xff\xd9")?;
        Some(file[start..start + length + 2].to_vec())
    })
}
