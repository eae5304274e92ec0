// SPDX-License-Identifier: MIT OR Apache-2.0

//! Damaged tables are refused with a clear error: no panic, no hang, no memory without end.

use std::path::Path;
use std::process::Output;

use crate::common::{eosin, root, text};

fn parquet() -> Vec<u8> {
    std::fs::read(root().join("tests/golden/tile/manifest.parquet")).unwrap()
}

fn inspect(path: &Path) -> Output {
    eosin().arg("inspect").arg(path).output().unwrap()
}

fn count(path: &Path) -> Output {
    let mut command = eosin();
    command.arg("query").arg("--table").arg(format!("t={}", path.display()));
    command.arg("--store").arg(path.with_file_name("store"));
    command.arg("SELECT * FROM t").output().unwrap()
}

/// Either answered or refused as a damaged file, with one error and a hint.
#[track_caller]
fn sound(output: &Output, what: &str) {
    let text = text(output);
    assert!(!text.contains("panicked"), "{what}: {text}");
    match output.status.code() {
        Some(0) => {}
        Some(3) => assert!(text.contains("error: ") && text.contains("hint: "), "{what}: {text}"),
        other => panic!("{what}: exit {other:?}\n{text}"),
    }
}

#[test]
fn a_damaged_parquet_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.parquet");
    let whole = parquet();
    std::fs::write(&path, &whole).unwrap();
    assert!(inspect(&path).status.success() && count(&path).status.success());
    let mut refused = 0;
    // Both readers in turn.
    let mut n = 0;
    let mut check = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let output = if n % 2 == 0 { inspect(&path) } else { count(&path) };
        n += 1;
        sound(&output, what);
        refused += usize::from(!output.status.success());
    };
    for i in 0..24 {
        check(&whole[..i * whole.len() / 24], &format!("cut after part {i}"));
    }
    // The footer says where columns lie; its length stands before the last four bytes.
    let footer = u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap()) as usize;
    let start = whole.len() - 8 - footer;
    // The lowest bit of its numbers is their sign.
    for at in (start..whole.len() - 4).chain((4..start).step_by(41)) {
        let mut damaged = whole.clone();
        damaged[at] ^= if at % 5 == 0 { 0x80 } else { 1 };
        check(&damaged, &format!("byte {at} as {:#x}", damaged[at]));
    }
    assert!(refused > 100, "{refused} refused");
}

#[test]
fn limits_of_a_manifest_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    let wide: Vec<String> = (0..1001).map(|i| format!("c{i}")).collect();
    let open = format!("path,label\na.png,\"{}", "b.png,c\n".repeat(1_000_000));
    let cases = [
        (format!("path,{}\n", wide.join(",")), "at most 1000 columns"),
        (open, "a row of more than 1024 KiB"),
        (format!("path,label\na.png,{}\n", "x".repeat(4 << 20)), "a row of more than 1024 KiB"),
        (format!("path,{}\n", "x".repeat(4 << 20)), "a row of more than 1024 KiB"),
        ("path,label,label\na.png,x,y\n".into(), "two columns named label"),
        ("path,x\na.png,1\nb.png,12 px\n".into(), "`12 px` in line 3"),
        ("path,mpp\na.png,\"0,5\"\n".into(), "`0,5` in line 2"),
    ];
    for (csv, says) in cases {
        std::fs::write(&path, csv).unwrap();
        let output = inspect(&path);
        assert_eq!(output.status.code(), Some(3), "{says}: {}", text(&output));
        assert!(text(&output).contains(says), "no {says:?} in {}", text(&output));
    }
}
