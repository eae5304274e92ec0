// SPDX-License-Identifier: MIT OR Apache-2.0

//! `eosin store import` of arrays whose headers promise what their files do not hold.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::{eosin, root, text};

/// `eosin store import` with a minute and three gigabytes of address space.
fn import(file: &Path) -> Output {
    let eosin = eosin();
    let store = file.with_file_name("store");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 3145728; exec timeout 60 \"$0\" \"$@\""]);
    command.arg(eosin.get_program()).args(eosin.get_args()).args(["store", "import"]).arg(file);
    command.args(["--backbone", "uni", "--store"]).arg(store);
    command.env_remove("EOSIN_LOG").current_dir(root()).output().unwrap()
}

fn npy(descr: &str, fortran: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(values);
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |n, _| {
            if n & 1 == 1 { 0xEDB8_8320 ^ (n >> 1) } else { n >> 1 }
        })
    })
}

/// An archive of one stored array.
fn npz(array: &[u8]) -> Vec<u8> {
    let name = b"features.npy";
    let mut fields = vec![0; 10];
    fields[0] = 20;
    fields.extend(crc32(array).to_le_bytes());
    fields.extend([array.len() as u32; 2].iter().flat_map(|n| n.to_le_bytes()));
    fields.extend((name.len() as u16).to_le_bytes());
    fields.extend([0, 0]);
    let mut file: Vec<u8> = b"PK\x03\x04".iter().chain(&fields).chain(name).copied().collect();
    file.extend(array);
    let at = file.len() as u32;
    let mut directory: Vec<u8> = b"PK\x01\x02\x14\x00".iter().chain(&fields).copied().collect();
    directory.extend([0; 14]);
    directory.extend(name);
    file.extend(&directory);
    file.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    file.extend((directory.len() as u32).to_le_bytes().into_iter().chain(at.to_le_bytes()));
    file.extend([0, 0]);
    file
}

#[track_caller]
fn refused(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).unwrap();
    let output = import(&file);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains(name) && told.contains("expected") && told.contains("hint: "), "{told}");
}

#[test]
fn sound_arrays_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let array = npy("'<f4'", "False", "(2, 3)", &[0; 24]);
    for (name, bytes) in [("a.npy", array.clone()), ("b.npz", npz(&array))] {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let output = import(&file);
        assert!(output.status.success(), "{name}: {}", text(&output));
        assert!(text(&output).contains("2 rows × 3"), "{}", text(&output));
    }
}

#[test]
fn shapes_that_the_file_does_not_hold_are_refused() {
    for shape in [
        "(1000000000000, 0)",
        "(0, 1000000000000)",
        "(1000000000000, 1000000000000)",
        "(18446744073709551615, 2)",
        "(4611686018427387904, 4)",
        "(99999999999999999999999, 1)",
        "(-1, 3)",
        "(2, -3)",
        "(2, 4)",
        "(6,)",
        "(1, 2, 3)",
        "()",
        "(2, 0)",
    ] {
        let values: &[u8] =
            if shape.contains(" 0)") || shape.contains("(0,") { &[] } else { &[0; 24] };
        let array = npy("'<f4'", "False", shape, values);
        refused("array.npy", &array);
        refused("array.npz", &npz(&array));
    }
}

#[test]
fn other_orders_and_types_are_refused() {
    for (descr, fortran) in [
        ("'<f4'", "True"),
        ("'>f4'", "False"),
        ("'|O'", "False"),
        ("'<c8'", "False"),
        ("'<i8'", "False"),
        ("[('a', '<f4')]", "False"),
    ] {
        let array = npy(descr, fortran, "(2, 3)", &[0; 24]);
        refused("array.npy", &array);
        refused("array.npz", &npz(&array));
    }
    // A header that is cut, or longer than the file.
    let array = npy("'<f4'", "False", "(2, 3)", &[0; 24]);
    for n in [0, 7, 9, 40] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cut.npy");
        std::fs::write(&file, &array[..n]).unwrap();
        let code = import(&file).status.code();
        assert!(matches!(code, Some(3 | 4)), "{n}: {code:?}");
    }
    // An archive's member that is shorter than its own header.
    let mut archive = npz(&array);
    let at = archive.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    archive[at + 20..at + 24].copy_from_slice(&20_u32.to_le_bytes());
    archive[at + 24..at + 28].copy_from_slice(&20_u32.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.npz");
    std::fs::write(&file, archive).unwrap();
    let code = import(&file).status.code();
    assert!(matches!(code, Some(3 | 4)), "{code:?}");
}

#[test]
fn matrices_of_other_formats_have_the_same_bounds() {
    for (shape, bytes) in
        [("[1000000000000, 0]", 0), ("[2, 4]", 24), ("[2305843009213693952, 8]", 24)]
    {
        let header = format!(
            "{{\"embeddings\": {{\"dtype\": \"F32\", \"shape\": {shape}, \"data_offsets\": [0, {bytes}]}}}}"
        );
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.resize(file.len() + bytes, 0);
        refused("array.safetensors", &file);
    }
}

#[test]
fn only_regular_files_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pipe.npy", "pipe.npz", "pipe.safetensors", "pipe.h5", "zero.npy", "zero.h5"] {
        let file = folder.path().join(name);
        if name.starts_with("pipe") {
            assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        } else {
            std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
        }
        let output = import(&file);
        let told = text(&output);
        assert_eq!(output.status.code(), Some(3), "{name}: {told}");
        assert!(told.contains("a regular file"), "{name}: {told}");
    }
}
