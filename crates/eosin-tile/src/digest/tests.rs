// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use super::{Coverage, of_file, of_slide, source_below, source_text};

#[test]
fn the_digest_of_a_file_covers_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let digest = |bytes: &[u8]| {
        let path = folder.path().join("f");
        fs::write(&path, bytes).unwrap();
        of_file(&path).unwrap()
    };
    let long = vec![7u8; 300_000];
    let changed = |at: usize| {
        let mut bytes = long.clone();
        bytes[at] = 8;
        digest(&bytes)
    };
    let digests = [
        digest(&long),
        changed(0),
        changed(150_000),
        changed(299_999),
        digest(&long[1..]),
        digest(b""),
    ];
    for (i, a) in digests.iter().enumerate() {
        assert_eq!(a.len(), 32);
        assert!(digests[i + 1..].iter().all(|b| a != b));
    }
}

#[test]
fn a_slides_digest_covers_ends_and_time_or_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slide");
    let digests = |bytes: &[u8], seconds: u64| {
        fs::write(&path, bytes).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        [Coverage::Ends, Coverage::Whole]
            .map(|coverage| of_slide(std::slice::from_ref(&path), coverage).unwrap())
    };
    let long = vec![7u8; 300_000];
    let [ends, whole] = digests(&long, 10);
    assert!(ends.starts_with("ends:") && !whole.contains(':'), "{ends} {whole}");
    let mut middle = long.clone();
    middle[150_000] = 8;
    // The limit that the help tells of: same length, same time, same ends.
    assert_eq!(digests(&middle, 10)[0], ends);
    assert_ne!(digests(&middle, 10)[1], whole);
    assert_ne!(digests(&middle, 11)[0], ends);
    let touched = digests(&long, 11);
    assert_ne!(touched[0], ends);
    assert_eq!(touched[1], whole);
    let mut end = long.clone();
    end[299_999] = 8;
    assert_ne!(digests(&end, 10)[0], ends);
    assert_ne!(digests(&long[1..], 10)[0], ends);
}

#[test]
fn a_slide_of_several_files_is_told_by_all_of_them_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| folder.path().join(name));
    for file in &files {
        fs::write(file, "same").unwrap();
    }
    let [a, b] = files.clone();
    let digest = |files: &[std::path::PathBuf]| of_slide(files, Coverage::Whole).unwrap();
    let before = digest(&files);
    assert_eq!(digest(&[b.clone(), a.clone()]), before);
    assert_ne!(digest(&[a]), before);
    fs::write(b, "else").unwrap();
    assert_ne!(digest(&files), before);
}

#[test]
fn a_source_is_told_by_its_absolute_path() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir(root.join("t")).unwrap();
    let expected = root.join("t/x.png").to_string_lossy().into_owned();
    assert_eq!(source_text(&root.join("t/x.png")), expected);
    assert_eq!(source_text(&root.join("t/../t/x.png")), expected);
    assert_eq!(source_below(&root, "t/x.png"), expected);
    assert!(source_below(&root, "../x.png").ends_with("/../x.png"));
    assert_eq!(source_below(&root, "/elsewhere/x.png"), "/elsewhere/x.png");
}
