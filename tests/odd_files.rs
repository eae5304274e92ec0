// SPDX-License-Identifier: MIT OR Apache-2.0

//! Odd slides and images, written byte by byte, and the command run on them under limits.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use eosin::crates::core::RgbImage;
use eosin::crates::tile::read_image;

use crate::common::{eosin, text};

/// No command on an odd file may take longer.
const MAX_SECONDS: u64 = 60;

/// Address space of a command in KiB: the program with its threads takes half of it on a sound
/// file, and the faults that are tested for took 4 GB and more.
const MAX_KIB: u64 = 3 << 20;

/// Runs a command under limits of time and memory; panics where it does not end.
pub fn limited(command: &Command) -> Output {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -v {MAX_KIB}; exec \"$0\" \"$@\""));
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(MAX_SECONDS) {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("not done after {MAX_SECONDS} s:\n{}", text(&output));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

/// `eosin tile` of a slide whose one tile of `px` a side is read as it is stored.
pub fn cut(slide: &Path, px: u32, out: &Path, more: &[&str]) -> Output {
    let mut command = eosin();
    command.arg("tile").arg(slide).arg("--out").arg(out);
    command.args(["--min-tissue", "0", "--tile-px", &px.to_string()]);
    command.args(["--tile-um", &(f64::from(px) / 2.0).to_string()]);
    command.args(more);
    limited(&command)
}

/// The pixels of such a slide, or what was said instead.
pub fn pixels(bytes: &[u8], px: u32) -> Result<RgbImage, String> {
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("odd");
    std::fs::write(&slide, bytes).unwrap();
    let out = folder.path().join("tiles");
    let output = cut(&slide, px, &out, &["--mpp", "0.5"]);
    if !output.status.success() {
        return Err(text(&output));
    }
    let tile = first_png(&out).ok_or_else(|| text(&output))?;
    Ok(read_image(tile).unwrap())
}

fn first_png(folder: &Path) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().find_map(|path| {
        let is_png = path.extension().is_some_and(|extension| extension == "png");
        if path.is_dir() { first_png(path) } else { is_png.then(|| path.clone()) }
    })
}

/// A little-endian TIFF of one image.
#[derive(Clone)]
pub struct Tiff {
    tags: Vec<(u16, Value)>,
    pieces: Vec<Vec<u8>>,
    tiled: bool,
}

#[derive(Clone)]
enum Value {
    Shorts(Vec<u16>),
    Longs(Vec<u32>),
    Rationals(Vec<(u32, u32)>),
    Bytes(Vec<u8>),
}

impl Tiff {
    /// A grey or RGB image of one strip, whose further tags are given afterwards.
    pub fn strip(width: u32, height: u32, samples: u16, data: Vec<u8>) -> Self {
        let photometric = if samples < 3 { 1 } else { 2 };
        let tiff = Self { tags: Vec::new(), pieces: vec![data], tiled: false };
        tiff.longs(256, &[width])
            .longs(257, &[height])
            .shorts(258, &vec![8; usize::from(samples)])
            .shorts(259, &[1])
            .shorts(262, &[photometric])
            .shorts(277, &[samples])
            .longs(278, &[height])
    }

    /// The pieces are these instead.
    pub fn pieces(mut self, pieces: Vec<Vec<u8>>) -> Self {
        self.pieces = pieces;
        self
    }

    /// The pieces are tiles of this size.
    pub fn tiled(mut self, width: u32, height: u32) -> Self {
        self.tiled = true;
        self.longs(322, &[width]).longs(323, &[height])
    }

    pub fn shorts(self, tag: u16, values: &[u16]) -> Self {
        self.with(tag, Value::Shorts(values.to_vec()))
    }

    pub fn longs(self, tag: u16, values: &[u32]) -> Self {
        self.with(tag, Value::Longs(values.to_vec()))
    }

    pub fn rationals(self, tag: u16, values: &[(u32, u32)]) -> Self {
        self.with(tag, Value::Rationals(values.to_vec()))
    }

    pub fn text(self, tag: u16, text: &str) -> Self {
        self.with(tag, Value::Bytes([text.as_bytes(), b"\0"].concat()))
    }

    pub fn without(mut self, tag: u16) -> Self {
        self.tags.retain(|(other, _)| *other != tag);
        self
    }

    fn with(self, tag: u16, value: Value) -> Self {
        let mut tiff = self.without(tag);
        tiff.tags.push((tag, value));
        tiff
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"II*\0\0\0\0\0".to_vec();
        let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
        for piece in &self.pieces {
            offsets.push(out.len() as u32);
            lengths.push(piece.len() as u32);
            out.extend(piece);
            out.resize(out.len().next_multiple_of(2), 0);
        }
        let tags = if self.tiled { (324, 325) } else { (273, 279) };
        let mut whole = self.clone();
        for (tag, values) in [(tags.0, offsets), (tags.1, lengths)] {
            if !whole.tags.iter().any(|(other, _)| *other == tag) {
                whole = whole.longs(tag, &values);
            }
        }
        whole.tags.sort_by_key(|(tag, _)| *tag);
        let mut entries = Vec::new();
        for (tag, value) in &whole.tags {
            let (kind, count, raw): (u16, usize, Vec<u8>) = match value {
                Value::Shorts(v) => (3, v.len(), v.iter().flat_map(|v| v.to_le_bytes()).collect()),
                Value::Longs(v) => (4, v.len(), v.iter().flat_map(|v| v.to_le_bytes()).collect()),
                Value::Rationals(v) => {
                    let pair = |&(a, b): &(u32, u32)| [a.to_le_bytes(), b.to_le_bytes()].concat();
                    (5, v.len(), v.iter().flat_map(pair).collect())
                }
                Value::Bytes(v) => (2, v.len(), v.clone()),
            };
            let mut field = raw.clone();
            if raw.len() > 4 {
                field = (out.len() as u32).to_le_bytes().to_vec();
                out.extend(raw);
                out.resize(out.len().next_multiple_of(2), 0);
            }
            field.resize(4, 0);
            entries.extend(tag.to_le_bytes());
            entries.extend(kind.to_le_bytes());
            entries.extend((count as u32).to_le_bytes());
            entries.extend(field);
        }
        let directory = out.len() as u32;
        out[4..8].copy_from_slice(&directory.to_le_bytes());
        out.extend((whole.tags.len() as u16).to_le_bytes());
        out.extend(entries);
        out.extend([0; 4]);
        out
    }
}

/// A tag, its value's type, and the value.
type Attribute = ((u16, u16), [u8; 2], Vec<u8>);

/// A DICOM whole-slide image with explicit little-endian attributes, in the order of their tags.
#[derive(Clone)]
pub struct Dicom {
    attributes: Vec<Attribute>,
}

impl Dicom {
    /// Native RGB frames of `columns` × `rows`; the total matrix is one frame.
    pub fn native(columns: u16, rows: u16, data: Vec<u8>) -> Self {
        let dicom = Self { attributes: Vec::new() };
        dicom
            .text((0x0002, 0x0010), *b"UI", "1.2.840.10008.1.2.1")
            .text((0x0008, 0x0008), *b"CS", "ORIGINAL\\PRIMARY\\VOLUME\\NONE")
            .text((0x0008, 0x0016), *b"UI", "1.2.840.10008.5.1.4.1.1.77.1.6")
            .short((0x0028, 0x0002), 3)
            .text((0x0028, 0x0004), *b"CS", "RGB")
            .short((0x0028, 0x0006), 0)
            .text((0x0028, 0x0008), *b"IS", "1")
            .short((0x0028, 0x0010), rows)
            .short((0x0028, 0x0011), columns)
            .short((0x0028, 0x0100), 8)
            .short((0x0028, 0x0101), 8)
            .short((0x0028, 0x0102), 7)
            .short((0x0028, 0x0103), 0)
            .long((0x0048, 0x0006), u32::from(columns))
            .long((0x0048, 0x0007), u32::from(rows))
            .value((0x7FE0, 0x0010), *b"OB", data)
    }

    pub fn short(self, tag: (u16, u16), value: u16) -> Self {
        self.value(tag, *b"US", value.to_le_bytes().to_vec())
    }

    pub fn long(self, tag: (u16, u16), value: u32) -> Self {
        self.value(tag, *b"UL", value.to_le_bytes().to_vec())
    }

    pub fn text(self, tag: (u16, u16), kind: [u8; 2], text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), b' ');
        self.value(tag, kind, value)
    }

    pub fn value(mut self, tag: (u16, u16), kind: [u8; 2], value: Vec<u8>) -> Self {
        self.attributes.retain(|(other, _, _)| *other != tag);
        self.attributes.push((tag, kind, value));
        self.attributes.sort_by_key(|(tag, _, _)| *tag);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; 128];
        out.extend(b"DICM");
        for (tag, kind, value) in &self.attributes {
            push_attribute(&mut out, *tag, *kind, value);
        }
        out
    }
}

/// An attribute with its value.
pub fn push_attribute(out: &mut Vec<u8>, tag: (u16, u16), kind: [u8; 2], value: &[u8]) {
    out.extend(tag.0.to_le_bytes());
    out.extend(tag.1.to_le_bytes());
    out.extend(kind);
    if matches!(&kind, b"OB" | b"SQ" | b"UN") {
        out.extend([0; 2]);
        out.extend((value.len() as u32).to_le_bytes());
    } else {
        out.extend((value.len() as u16).to_le_bytes());
    }
    out.extend(value);
}
