// SPDX-License-Identifier: MIT OR Apache-2.0

//! HDF5 files that say more than they hold: refused by the command, with the file's name.

use std::path::Path;

use hdf5_pure::FileBuilder;

use crate::common::{eosin, root, text};

#[track_caller]
fn refused(file: &Path, expected: &[&str]) -> String {
    let store = file.with_extension("store");
    let output = eosin()
        .args(["store", "import"])
        .arg(file)
        .args(["--backbone", "any", "--store"])
        .arg(store)
        .output()
        .unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for part in expected.iter().chain(&["hint: "]) {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    text
}

#[test]
fn rows_without_values_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.h5");
    let mut file = FileBuilder::new();
    file.create_dataset("features").with_f32_data(&[]).with_shape(&[1_000_000_000_000, 0]);
    file.write(&path).unwrap();
    refused(&path, &["rows.h5", "1000000000000"]);
}

/// A fixture of 5 tiles in which some bytes are others.
fn replaced(fixture: &str, from: &[u8], to: &[u8], path: &Path) {
    let mut damaged = std::fs::read(root().join("tests/golden/store").join(fixture)).unwrap();
    let at = damaged.windows(from.len()).position(|w| w == from).expect("the bytes in the file");
    damaged[at..at + to.len()].copy_from_slice(to);
    std::fs::write(path, damaged).unwrap();
}

fn with_shape(fixture: &str, from: [u64; 2], to: [u64; 2], path: &Path) {
    let sides = |sides: [u64; 2]| sides.map(u64::to_le_bytes).concat();
    replaced(fixture, &sides(from), &sides(to), path);
}

#[test]
fn a_shape_beyond_the_file_is_refused_before_it_takes_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.h5");
    // A dataset in chunks need not hold them: what is absent reads as zeros, here 2 GiB of them.
    with_shape("clam.h5", [5, 8], [1 << 26, 8], &path);
    // The coordinates, which fit 5 rows, are read after the features: these were not made.
    assert!(!refused(&path, &["large.h5"]).contains("coords"));
    with_shape("trident.h5", [5, 2], [5, 1 << 48], &path);
    refused(&path, &["large.h5", "281474976710656"]);
}

#[test]
fn a_chunk_beyond_the_file_is_refused_before_it_takes_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chunk.h5");
    // The index of the chunks of `coords`: a node without siblings, then the first chunk's bytes.
    let node = [b"TREE\x01\0\x05\0".as_slice(), &[0xFF; 16], &16_u32.to_le_bytes()].concat();
    let huge = [&node[..24], &u32::MAX.to_le_bytes()].concat();
    replaced("trident.h5", &node, &huge, &path);
    refused(&path, &["chunk.h5", "inside the file", "4294967295 bytes"]);
}

#[test]
fn coordinates_that_are_fewer_than_they_say_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("few.h5");
    // Bit offset and precision of the integers in `coords`: of such ones the reader gives none.
    let sound = std::fs::read(root().join("tests/golden/store/clam.h5")).unwrap();
    for at in [8968, 8969, 8971] {
        let mut damaged = sound.clone();
        damaged[at] = 0x80;
        std::fs::write(&path, damaged).unwrap();
        refused(&path, &["few.h5"]);
    }
}
