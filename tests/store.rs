// SPDX-License-Identifier: MIT OR Apache-2.0

//! `eosin store` and `eosin query`, as a user runs them.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{eosin, root, text};

fn golden(name: &str) -> PathBuf {
    root().join("tests/golden/store").join(name)
}

struct Store {
    folder: tempfile::TempDir,
}

impl Store {
    /// A store with imports of TRIDENT, CLAM and STAMP.
    fn imported() -> Self {
        let store = Self { folder: tempfile::tempdir().unwrap() };
        let files = ["trident.h5", "clam.h5", "stamp.h5"].map(golden);
        let files: Vec<&str> = files.iter().map(|f| f.to_str().unwrap()).collect();
        store.ok("import", &files);
        store
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Output {
        let store = self.path("store");
        let mut process = eosin();
        if command == "query" {
            process.arg("query");
        } else {
            process.args(["store", command]);
        }
        process.args(arguments).arg("--store").arg(store).output().unwrap()
    }

    fn ok(&self, command: &str, arguments: &[&str]) -> String {
        let output = self.run(command, arguments);
        assert!(output.status.success(), "{command} {arguments:?}: {}", text(&output));
        text(&output)
    }

    fn refused(&self, code: i32, command: &str, arguments: &[&str]) -> String {
        let output = self.run(command, arguments);
        assert_eq!(output.status.code(), Some(code), "{command} {arguments:?}: {}", text(&output));
        text(&output)
    }
}

fn shards(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for set in std::fs::read_dir(folder).unwrap() {
        let inside = std::fs::read_dir(set.unwrap().path().join("shards")).unwrap();
        found.extend(inside.map(|e| e.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
fn imported_sets_are_listed_told_and_sound() {
    let store = Store::imported();
    let list = store.ok("ls", &[]);
    for says in ["uni_v1", "ctranspath", "unknown", "fingerprint", "backbone"] {
        assert_eq!(list.contains(says), says != "fingerprint", "{says}: {list}");
    }
    let info = store.ok("info", &["ctranspath"]);
    for says in ["256 µm", "STAMP 2.2.0 h5", "rows", "weights"] {
        assert!(info.contains(says), "{says}: {info}");
    }
    let sound = store.ok("verify", &[]);
    assert_eq!(sound.matches("sound").count(), 3, "{sound}");
    let again = store.ok("import", &[golden("trident.h5").to_str().unwrap()]);
    assert!(again.contains("there already"), "{again}");
    assert!(store.ok("ls", &["--quiet"]).contains("uni_v1"));
}

#[test]
fn damage_is_named_with_exit_code_3() {
    let store = Store::imported();
    let shard = shards(&store.path("store")).remove(0);
    let mut bytes = std::fs::read(&shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&shard, bytes).unwrap();
    let said = store.refused(3, "verify", &[]);
    assert!(said.contains(shard.file_name().unwrap().to_str().unwrap()), "{said}");
    assert!(said.contains("BLAKE3") && said.contains("hint:"), "{said}");
}

#[test]
fn compact_and_gc_keep_the_rows() {
    let store = Store::imported();
    let folder = store.path("arrays");
    std::fs::create_dir(&folder).unwrap();
    // Two more commits to one set, which compact makes one shard of.
    for name in ["a", "b"] {
        let path = folder.join(format!("{name}.npz"));
        std::fs::copy(golden("plain.npz"), &path).unwrap();
        store.ok("import", &[path.to_str().unwrap(), "--backbone", "uni"]);
    }
    let before = shards(&store.path("store")).len();
    assert!(store.ok("compact", &["uni"]).contains("rows dropped"));
    store.ok("gc", &["--min-age", "0"]);
    assert_eq!(shards(&store.path("store")).len(), before - 1);
    assert_eq!(store.ok("verify", &[]).matches("sound").count(), 4);
    let info = store.ok("info", &["uni"]);
    let rows = info.lines().find_map(|line| line.trim().strip_prefix("rows ")).map(str::trim);
    assert_eq!(rows, Some("10"), "{info}");
}

#[test]
fn exports_come_back_as_they_were() {
    let store = Store::imported();
    let npy = store.path("all.npy");
    let out = |name: &str| store.path(name).to_str().unwrap().to_string();
    store.ok("export", &["uni_v1", "--to", "npy", "--out", &out("all.npy")]);
    let refused = store.refused(2, "export", &["uni_v1", "--to", "npy", "--out", &out("all.npy")]);
    assert!(refused.contains("--force"), "{refused}");
    let expected = std::fs::read(&npy).unwrap();
    let cases = [
        ("safetensors", "all.safetensors", "all.safetensors"),
        ("trident", "trident", "trident/trident.h5"),
        ("clam", "clam", "clam/trident.h5"),
    ];
    for (format, to, from) in cases {
        store.ok("export", &["uni_v1", "--to", format, "--out", &out(to)]);
        let other = Store { folder: tempfile::tempdir().unwrap() };
        other.ok("import", &[&out(from)]);
        let again = other.path("again.npy");
        other.ok("export", &["--to", "npy", "--out", again.to_str().unwrap()]);
        assert_eq!(std::fs::read(&again).unwrap(), expected, "{format}");
    }
    store.ok("export", &["uni_v1", "--to", "h5ad", "--out", &out("all.h5ad")]);
    assert!(std::fs::read(store.path("all.h5ad")).unwrap().starts_with(b"\x89HDF"));
}

#[test]
fn mistakes_name_what_would_be_right() {
    let store = Store::imported();
    let unknown = store.refused(2, "info", &["nothing"]);
    assert!(unknown.contains("uni_v1") && unknown.contains("hint:"), "{unknown}");
    let several = store.refused(2, "export", &["--to", "npy", "--out", "x.npy"]);
    assert!(several.contains("ctranspath"), "{several}");
    let file = golden("trident.h5");
    let named = store.refused(2, "import", &[file.to_str().unwrap(), "--backbone", "other"]);
    assert!(named.contains("uni_v1"), "{named}");
    let kind = store.refused(5, "import", &[golden("make_h5.py").to_str().unwrap()]);
    assert!(kind.contains("safetensors"), "{kind}");
    store.refused(4, "import", &["missing.h5.npy"]);
    let help = store.ok("import", &["--help"]);
    assert!(help.contains("Examples:"), "{help}");
}

#[test]
fn sets_and_files_are_joined_in_sql() {
    let store = Store::imported();
    let labels = store.path("labels.csv");
    std::fs::write(&labels, "slide,label\ntrident,benign\nclam,atypical\n").unwrap();
    let table = format!("labels={}", labels.display());
    let listed = store.ok("query", &["--table", &table]);
    for says in ["uni_v1 (5 rows)", "ctranspath (5 rows)", "unknown (5 rows)", "labels (2 rows)"] {
        assert!(listed.contains(says), "{says}: {listed}");
    }
    let out = store.path("answer.csv");
    let sql = "SELECT label, COUNT(*) AS n, MAX(x) AS most FROM labels \
               JOIN uni_v1 ON labels.slide = uni_v1.slide GROUP BY label";
    store.ok("query", &[sql, "--table", &table, "--out", out.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "label,n,most\nbenign,5,2048\n");
    assert!(store.ok("query", &[sql, "--table", &table]).contains("2048"));
    let wrong = store.refused(2, "query", &["SELECT * FROM nothing"]);
    assert!(wrong.contains("uni_v1"), "{wrong}");
}
