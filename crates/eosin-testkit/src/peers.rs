// SPDX-License-Identifier: MIT OR Apache-2.0

//! What tests compare with and the repository does not hold: real data, libraries, interpreters.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Says that a test, or a part of it, is skipped, and why.
///
/// The line goes past the capture of the test harness, so that a passing run shows it, and to the
/// end of the file that `EOSIN_SKIPPED` names, since some runners hide what a passing test says.
pub fn skipped(what: &str, why: &str) {
    let line = format!("skipped: {what}, because {why}\n");
    // A test that has nothing to compare with passes whether or not that can be told.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("EOSIN_SKIPPED") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// A file or folder of the real data: in the folder that `EOSIN_DATA` names, or in `shared/data`
/// beside the checkout. Says so where there is none.
pub fn real_data(path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = std::env::var_os("EOSIN_DATA").map_or(beside, PathBuf::from).join(path);
    if found.exists() {
        return Some(found);
    }
    skipped(&format!("what needs {path}"), "EOSIN_DATA names no folder that has it");
    None
}

/// The file or folder that a variable of the environment names. Without it, says that the test of
/// `what` is skipped, and what the variable should name.
pub fn named_by(variable: &str, what: &str, contents: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    if named.is_none() {
        skipped(what, &format!("{variable} names no {contents}"));
    }
    named
}
