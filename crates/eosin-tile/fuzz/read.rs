// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Write;

use eosin_tile::Slide;

/// Opens `head` and `bytes` as a slide and reads a little of every level. Whole files, as a corpus
/// holds them, stand for themselves.
pub fn read(head: &[u8], bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    let whole = bytes.len() >= 4 && bytes.starts_with(&head[..4]);
    let head = if whole { &[] } else { head };
    file.write_all(head).and_then(|()| file.write_all(bytes)).expect("room for the file");
    let Ok(slide) = Slide::open(file.path()) else { return };
    for level in 0..slide.levels().len() {
        let _ = slide.read_region(level, 0, 0, 64, 64);
    }
    for image in slide.associated() {
        let _ = slide.read_associated(&image.name);
    }
}
