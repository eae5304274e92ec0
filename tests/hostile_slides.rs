// SPDX-License-Identifier: MIT OR Apache-2.0

//! Small files that declare, name or nest without end: a clear error, soon, in little memory.
//!
//! Each command runs under the limits of [`limited`](crate::odd_files::limited).

use std::fmt::Write;
use std::process::Output;

use crate::common::{eosin, text};
use crate::odd_files::{Dicom, Tiff, limited, push_attribute};

/// `eosin tile --dry-run` of a slide: tissue is looked for, so every piece of a level is visited.
#[track_caller]
fn check(bytes: &[u8], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("odd");
    std::fs::write(&slide, bytes).unwrap();
    let mut command = eosin();
    command.arg("tile").arg(&slide).args(["--dry-run", "--mpp", "0.5"]);
    refused(&limited(&command), expected);
}

#[track_caller]
fn refused(output: &Output, expected: &str) {
    let said = text(output);
    assert!(output.status.code().is_some_and(|code| code != 0), "{said}");
    assert!(said.contains(expected), "no {expected:?} in\n{said}");
    assert!(said.contains("hint:") && !said.contains("panicked"), "{said}");
}

/// A frame of one pixel in a sparse tiling of 2²¹ pixels a side: 2⁴² frames if it were full.
#[test]
fn a_sparse_tiling_of_endless_size() {
    let mut position = Vec::new();
    push_attribute(&mut position, (0x0048, 0x021E), *b"SL", &1i32.to_le_bytes());
    push_attribute(&mut position, (0x0048, 0x021F), *b"SL", &1i32.to_le_bytes());
    let item = |content: &[u8]| {
        let mut item = vec![0xFE, 0xFF, 0x00, 0xE0];
        item.extend((content.len() as u32).to_le_bytes());
        item.extend(content);
        item
    };
    let mut frame = Vec::new();
    push_attribute(&mut frame, (0x0048, 0x021A), *b"SQ", &item(&position));
    let side = 1 << 21;
    let dicom = Dicom::native(1, 1, vec![200, 100, 150, 0])
        .long((0x0048, 0x0006), side)
        .long((0x0048, 0x0007), side)
        .value((0x5200, 0x9230), *b"SQ", item(&frame));
    let bytes = dicom.bytes();
    assert!(bytes.len() < 1000, "{}", bytes.len());
    check(&bytes, "2097152 × 2097152 px");
    // Few enough pixels for a sparse slide, but not in frames of one.
    let small = dicom.long((0x0048, 0x0006), 1 << 14).long((0x0048, 0x0007), 1 << 14);
    check(&small.bytes(), "268435456 places for pieces");
}

/// An OME-TIFF with this description.
fn ome(description: &str) -> Vec<u8> {
    Tiff::strip(16, 16, 3, vec![200; 768]).text(270, description).bytes()
}

#[test]
fn images_within_images_of_an_ome_description() {
    let n = 200_000;
    let description = format!("<OME>{}{}</OME>", "<Image>".repeat(n), "</Image>".repeat(n));
    check(&ome(&description), "elements nested deeper than 64");
}

#[test]
fn attributes_and_namespaces_of_an_ome_description() {
    let mut attributes = String::new();
    for i in 0..300_000 {
        write!(attributes, " a{i}=''").unwrap();
    }
    check(&ome(&format!("<OME{attributes}/>")), "more than 256 attributes");
    let mut namespaces = String::new();
    for i in 0..200 {
        write!(namespaces, " xmlns:n{i}='n{i}'").unwrap();
    }
    let one_each = "<a xmlns='b'/>".repeat(300_000);
    let description = format!("<OME{namespaces}>{one_each}</OME>");
    check(&ome(&description), "more than 64 namespaces");
}

/// Many directories that name the same 4 MB as their tiles' offsets and lengths, which are numbers
/// of 8 bytes once they are read.
#[test]
fn the_same_bytes_named_by_every_directory() {
    let n = 4u32 << 20;
    let side = 2048 * 16;
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    let description = bytes.len() as u32;
    bytes.extend(b"Aperio Image\0\0\0\0");
    let shared = bytes.len() as u32;
    bytes.resize(bytes.len() + n as usize, 0);
    let mut link = 4;
    for _ in 0..60 {
        let at = bytes.len() as u32;
        bytes[link..link + 4].copy_from_slice(&at.to_le_bytes());
        let entries: [(u16, u16, u32, u32); 10] = [
            (256, 4, 1, side),
            (257, 4, 1, side),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, 13, description),
            (322, 4, 1, 16),
            (323, 4, 1, 16),
            (324, 1, n, shared),
            (325, 1, n, shared),
        ];
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    check(&bytes, "the same bytes named over and over");
}

/// A hundred tiles and more of 16 megapixels whose stored bytes are the same.
#[test]
fn one_stored_tile_named_a_hundred_times() {
    let tile: Vec<u8> = [0x81, 0xC8].repeat(4096 * 4096 * 3 / 128);
    let n = 12u32;
    let at = 8;
    let len = tile.len() as u32;
    let tiff = Tiff::strip(4096 * n, 4096 * n, 3, tile)
        .shorts(259, &[32773])
        .tiled(4096, 4096)
        .longs(324, &vec![at; (n * n) as usize])
        .longs(325, &vec![len; (n * n) as usize]);
    check(&tiff.bytes(), "144 pieces of 4096 × 4096 px");
}

#[test]
fn an_image_that_no_file_could_hold() {
    let side = u32::MAX >> 1;
    let tiff = Tiff::strip(16, 16, 3, vec![200; 768]).longs(256, &[side]).longs(257, &[side]);
    check(&tiff.tiled(256, 256).bytes(), "2147483647 × 2147483647 px");
}

#[test]
fn directories_that_come_back_to_the_first() {
    let mut bytes = Tiff::strip(16, 16, 3, vec![200; 768]).bytes();
    let first: [u8; 4] = bytes[4..8].try_into().unwrap();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&first);
    check(&bytes, "a chain of image directories that ends");
}

/// A JPEG 2000 stream of one empty tile, all of whose numbers are given.
fn jpeg_2000(side: u32, tile: u32, blocks: u8, precincts: Option<u8>) -> Vec<u8> {
    let mut out = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 47, 0, 0];
    for number in [side, side, 0, 0, tile, tile, 0, 0] {
        out.extend(number.to_be_bytes());
    }
    out.extend([0, 3, 7, 1, 1, 7, 1, 1, 7, 1, 1]);
    let levels = 5;
    let style = u8::from(precincts.is_some());
    let sizes = vec![precincts.unwrap_or(0); if style == 1 { levels + 1 } else { 0 }];
    out.extend([0xFF, 0x52, 0, 12 + sizes.len() as u8, style, 0, 0, 1, 1, levels as u8]);
    out.extend([blocks, blocks, 0, 1]);
    out.extend(sizes);
    out.extend([0xFF, 0x5C, 0, 19, 0x40]);
    out.extend([8 << 3; 16]);
    out.extend([0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0x93]);
    out.resize(out.len() + 2000, 0);
    out.extend([0xFF, 0xD9]);
    out
}

fn in_tiff(side: u32, stream: Vec<u8>) -> Vec<u8> {
    Tiff::strip(side, side, 3, stream).shorts(259, &[34712]).tiled(side, side).bytes()
}

#[test]
fn jpeg_2000_that_asks_for_more_than_it_holds() {
    check(&in_tiff(7000, jpeg_2000(7000, 7000, 4, None)), "JPEG 2000 image of 7000 × 7000 px");
    check(&in_tiff(4000, jpeg_2000(4000, 1, 4, None)), "16000000 JPEG 2000 tiles");
    check(&in_tiff(4000, jpeg_2000(4000, 4000, 0, None)), "1000000 code-blocks");
    check(&in_tiff(4000, jpeg_2000(4000, 4000, 4, Some(0))), "precincts in 4000 × 4000 px");
    // The same in the header of a tile, which may say otherwise than the main one.
    let mut stream = jpeg_2000(4000, 4000, 4, None);
    let start_of_data = stream.windows(2).position(|w| w == [0xFF, 0x93]).unwrap();
    let style = [0xFF, 0x52, 0, 12, 0, 0, 0, 1, 1, 5, 0, 0, 0, 1];
    stream.splice(start_of_data..start_of_data, style);
    check(&in_tiff(4000, stream), "1000000 code-blocks");
}

/// A few bytes that say to be 49 megapixels, as a tile and in a slide.
#[test]
fn jpeg_that_asks_for_more_than_it_holds() {
    let side = 7000u16;
    let mut stream = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
    stream.extend([1; 64]);
    stream.extend([0xFF, 0xC2, 0, 11, 8]);
    stream.extend(side.to_be_bytes());
    stream.extend(side.to_be_bytes());
    stream.extend([1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0, 0, 0, 0xFF, 0xD9]);
    let tiff = Tiff::strip(7000, 7000, 1, stream.clone()).shorts(259, &[7]);
    check(&tiff.bytes(), "bytes of data for a JPEG of 7000 × 7000 px");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tile.jpg"), stream).unwrap();
    let mut command = eosin();
    command.arg("embed").arg(folder.path()).arg("--store").arg(folder.path().join(".store"));
    command.args(["--backbone", "colour-statistics", "--configs"]);
    command.arg(crate::common::root().join("configs"));
    let output = limited(&command);
    assert!(!output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("bytes of data for a JPEG"), "{}", text(&output));
}
