// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files of the repository, and containers that are written around a part.

use std::path::{Path, PathBuf};

use eosin_testkit::mutants::Seed;

/// A path of the workspace.
pub fn root(path: &str) -> PathBuf {
    // The targets of cargo-fuzz compile this file too, from a folder as deep.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("crates").is_dir())
        .expect("the workspace above the tests")
        .join(path)
}

/// Files of a folder of the workspace as seeds.
pub fn files(folder: &str, names: &[&str]) -> Vec<Seed> {
    names.iter().map(|name| Seed::file(&root(folder).join(name))).collect()
}

/// Files of a folder of the workspace with an extension, in order.
pub fn all_files(folder: &str, extension: &str) -> Vec<Seed> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no .{extension} in {folder}");
    paths.iter().map(|path| Seed::file(path)).collect()
}

/// Where a container is written around an input; one process reads one input at a time.
pub fn container(extension: &str) -> PathBuf {
    std::env::temp_dir().join(format!("eosin-mutant-{}.{extension}", std::process::id()))
}

/// One tag of a TIFF: its number, its type and its bytes.
pub type Tag<'a> = (u16, u16, &'a [u8]);

/// Types of tags.
pub const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// A TIFF of one tile that is the whole image.
pub fn tiff_around(
    piece: &[u8],
    (width, height): (u32, u32),
    compression: u16,
    photometric: u16,
    more: &[Tag],
) -> Vec<u8> {
    let short = |value: u16| value.to_le_bytes().to_vec();
    let long = |value: u32| value.to_le_bytes().to_vec();
    let mut tags = vec![
        (256, LONG, long(width)),
        (257, LONG, long(height)),
        (258, SHORT, [short(8), short(8), short(8)].concat()),
        (259, SHORT, short(compression)),
        (262, SHORT, short(photometric)),
        (277, SHORT, short(3)),
        (322, LONG, long(width)),
        (323, LONG, long(height)),
        (324, LONG, long(8)),
        (325, LONG, long(piece.len() as u32)),
    ];
    tags.extend(more.iter().map(|&(tag, kind, bytes)| (tag, kind, bytes.to_vec())));
    tags.sort_by_key(|tag| tag.0);
    let padded = piece.len().next_multiple_of(2);
    let mut out = [b"II*\0".as_slice(), &(8 + padded as u32).to_le_bytes(), piece].concat();
    out.resize(8 + padded, 0);
    let mut values_at = out.len() + 2 + tags.len() * 12 + 4;
    let mut values = Vec::new();
    out.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, bytes) in tags {
        let size = match kind {
            SHORT => 2,
            LONG => 4,
            _ => 1,
        };
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((bytes.len() as u32 / size).to_le_bytes());
        if bytes.len() <= 4 {
            let mut inside = [0; 4];
            inside[..bytes.len()].copy_from_slice(&bytes);
            out.extend(inside);
        } else {
            out.extend((values_at as u32).to_le_bytes());
            values_at += bytes.len();
            values.extend(bytes);
        }
    }
    out.extend([0; 4]);
    out.extend(values);
    out
}

/// Where the description of the first image of a little-endian TIFF says its length and its
/// place, how many bytes these numbers have (8 in a BigTIFF), and the description.
struct Description<'a> {
    length_at: usize,
    place_at: usize,
    width: usize,
    text: &'a [u8],
}

fn description_tag(tiff: &[u8]) -> Description<'_> {
    let number = |at: usize, width: usize| {
        tiff[at..at + width].iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte))
    };
    let is_big = tiff.starts_with(b"II+\0");
    assert!(is_big || tiff.starts_with(b"II*\0"), "a little-endian TIFF");
    let (width, header, count, entry) = if is_big { (8, 8, 8, 20) } else { (4, 4, 2, 12) };
    let directory = number(header, width);
    let mut entries = (0..number(directory, count)).map(|i| directory + count + i * entry);
    let at = entries.find(|&at| number(at, 2) == 270).expect("a description");
    let (length_at, place_at) = (at + 4, at + 4 + width);
    let place = number(place_at, width);
    let text = &tiff[place..place + number(length_at, width)];
    Description { length_at, place_at, width, text }
}

/// The description of the first image.
pub fn description_of(tiff: &[u8]) -> Vec<u8> {
    let text = description_tag(tiff).text;
    text.strip_suffix(b"\0").unwrap_or(text).to_vec()
}

/// The same TIFF with another description, which stands at the end of the file.
pub fn with_description(tiff: &[u8], text: &[u8]) -> Vec<u8> {
    let Description { length_at, place_at, width, .. } = description_tag(tiff);
    let mut out = tiff.to_vec();
    let mut put = |at: usize, bytes: &[u8]| out[at..at + width].copy_from_slice(&bytes[..width]);
    put(length_at, &(text.len() as u64 + 1).to_le_bytes());
    if text.len() < width {
        // Short texts stand in the tag itself.
        let mut inside = [0; 8];
        inside[..text.len()].copy_from_slice(text);
        put(place_at, &inside);
    } else {
        put(place_at, &(tiff.len() as u64).to_le_bytes());
    }
    out.extend(text);
    out.push(0);
    out
}

/// A zip archive of stored entries.
pub fn zip_of(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let sizes =
            [(bytes.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
        let name_length = (name.len() as u16).to_le_bytes();
        let offset = (out.len() as u32).to_le_bytes();
        // Version, flags, method, time, date and a checksum, which readers of weights do not need.
        let method = [20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let common: [&[u8]; 4] = [&method, &sizes, &name_length, &[0, 0]];
        out.extend(b"PK\x03\x04");
        out.extend(common.concat());
        out.extend(name.as_bytes());
        out.extend(bytes);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(common.concat());
        directory.extend([0; 10]);
        directory.extend(offset);
        directory.extend(name.as_bytes());
    }
    let n = (entries.len() as u16).to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0".as_slice(),
        &n,
        &n,
        &(directory.len() as u32).to_le_bytes(),
        &(out.len() as u32).to_le_bytes(),
        &[0, 0],
    ];
    let end = end.concat();
    out.extend(directory);
    out.extend(end);
    out
}

/// The entries of such an archive.
pub fn entries_of(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
    let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06").expect("an archive's end");
    let mut at = u32_at(end + 16);
    let mut entries = Vec::new();
    for _ in 0..u16_at(end + 10) {
        let (size, local) = (u32_at(at + 24), u32_at(at + 42));
        let name = String::from_utf8(zip[at + 46..at + 46 + u16_at(at + 28)].to_vec()).unwrap();
        let from = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        entries.push((name, zip[from..from + size].to_vec()));
        at += 46 + u16_at(at + 28) + u16_at(at + 30) + u16_at(at + 32);
    }
    entries
}
