// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the targets share: the parsers of the mutation driver, each read from a file.

#[path = "../mutants/parsers/mod.rs"]
pub mod parsers;

use std::path::PathBuf;
use std::sync::OnceLock;

use eosin_testkit::mutants::MutantParser;
use tempfile::TempDir;

/// A parser, and the file that it reads.
struct Target {
    parser: MutantParser,
    path: PathBuf,
    _folder: TempDir,
}

/// Reads bytes with the parser of a name, the same one in every call of a process.
pub fn read(name: &str, bytes: &[u8]) {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let parser = parsers::make(name);
        let folder = tempfile::tempdir().expect("a folder");
        // Some readers go by a file's extension, which all seeds of a parser share.
        let path = folder.path().join(format!("0-{}", parser.seeds[0].name));
        Target { parser, path, _folder: folder }
    });
    std::fs::write(&target.path, bytes).expect("room for the input");
    // Damaged inputs may be refused.
    let _ = (target.parser.read)(&target.path, bytes);
}
