// SPDX-License-Identifier: MIT OR Apache-2.0

//! Arrays of other tools, and manifests.

use std::path::Path;

use eosin::Dataset;
use eosin::crates::core::Result;
use eosin::crates::query::{Tables, TextTable};
use eosin::crates::store::{import_h5, import_npy, import_npz};
use eosin::crates::tile::Manifest;
use eosin::crates::tile::mpp_table::mpp_of_slide;
use eosin_testkit::mutants::{Alphabet, MutantParser, Seed};

use super::fixtures::{all_files, container, files, root};
use super::store::small_store;

const NPY_WORDS: &[&[u8]] = &[
    b"'descr': '<f4'",
    b"'<f2'",
    b"'<f8'",
    b"'>f4'",
    b"'fortran_order': False",
    b"'shape': (",
    b"(3, 4)",
    b"(0, 0)",
    b"(1000000000000, 0)",
    b"(0, 1000000000000)",
    b"(18446744073709551615, 1)",
    b"(3,)",
    b", }",
];

pub fn npy() -> MutantParser {
    let store = small_store();
    let path = store.folder.path().join("array.npy");
    eosin::crates::store::export_npy(&store.store, &store.set, &path).expect("an export");
    let single = Seed::file(&path);
    let doubles = npy_of("<f8", 2, 3, &[0; 48]);
    let halves = npy_of("<f2", 3, 2, &[0; 12]);
    let seeds = vec![single, Seed::new("doubles.npy", doubles), Seed::new("halves.npy", halves)];
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: NPY_WORDS,
        seeds,
        read: Box::new(|path, _| import_npy(path, "any").map(drop)),
    }
}

fn npy_of(kind: &str, rows: usize, columns: usize, values: &[u8]) -> Vec<u8> {
    let text =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let text = format!("{text:<117}\n");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0".as_slice(), &length, text.as_bytes(), values].concat()
}

pub fn npz() -> MutantParser {
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[
            b"PK\x01\x02",
            b"PK\x03\x04",
            b"PK\x05\x06",
            b"\x08\0",
            b"embeddings.npy",
            b".npy",
            b"(1000000000000, 0)",
        ],
        seeds: all_files("tests/golden/store", "npz"),
        read: Box::new(|path, _| {
            import_npz(path, "any", Some("embeddings"))
                .or_else(|_| import_npz(path, "any", None))
                .map(drop)
        }),
    }
}

/// The tiles beside an array.
pub fn tiles() -> MutantParser {
    let store = small_store();
    let array = store.folder.path().join("array.npy");
    eosin::crates::store::export_npy(&store.store, &store.set, &array).expect("an export");
    let sound = std::fs::read(&array).unwrap();
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"\"tile\"",
            b"\"view\"",
            b"\"tile_id\"",
            b"\"x\"",
            b"65536",
            b"-1",
            b"\"effective_mpp\"",
            b"\n",
            b"0.0",
        ],
        seeds: vec![Seed::new(
            "array.jsonl",
            std::fs::read(array.with_extension("tiles.jsonl")).unwrap(),
        )],
        read: Box::new(move |_, text| {
            let array = container("npy");
            std::fs::write(&array, &sound).expect("room for an array");
            std::fs::write(array.with_extension("tiles.jsonl"), text).expect("room for its tiles");
            let imported = import_npy(&array, "any").and_then(|i| i.into_batch().map(drop));
            std::fs::remove_file(array.with_extension("tiles.jsonl")).expect("what was written");
            std::fs::remove_file(array).expect("what was written");
            imported
        }),
    }
}

pub fn hdf5() -> MutantParser {
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[
            b"\x89HDF\r\n\x1a\n",
            b"OHDR",
            b"TREE",
            b"HEAP",
            b"SNOD",
            b"GCOL",
            b"FRHP",
            b"BTHD",
            b"OCHK",
            b"FADB",
            b"EADB",
            b"features",
            b"coords",
            b"feats",
        ],
        seeds: all_files("tests/golden/store", "h5"),
        read: Box::new(|path, _| {
            import_h5(path, Some("resnet50")).or_else(|_| import_h5(path, None)).map(drop)
        }),
    }
}

/// Text separated by commas: manifests, tables of a query and of resolutions.
pub fn csv_manifest() -> MutantParser {
    let mut seeds = files("tests/golden/tile", &["manifest.csv"]);
    seeds.push(Seed::new("mpp.csv", "slide,mpp\na.svs,0.25\nb,0.5\n"));
    seeds.push(Seed::new(
        "task.csv",
        "path,label,group,split,x\na.png,benign,p1,train,1\nb.png,atypical,p2,test,2\n",
    ));
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"path", b"label", b"group", b"split", b"slide", b"mpp", b"\r\n", b"\"\"", b"../",
            b"/", b"\t",
        ],
        seeds,
        read: Box::new(|path, _| {
            let resolution = mpp_of_slide(path, "a.svs").map(drop);
            let table = TextTable::read(path).and_then(|table| Tables::new().add_text("t", &table));
            read_manifest(path).or(resolution).or(table)
        }),
    }
}

/// Parquet manifests, and tables of a query.
pub fn parquet_manifest() -> MutantParser {
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[
            b"PAR1",
            b"\x15\x00",
            b"\x15\x02",
            b"\x2c",
            b"\x19\x4c",
            b"\x16\xfe\xff\xff\xff\x0f",
            b"path",
            b"\xff\xff\xff\x7f",
        ],
        seeds: vec![Seed::file(&root("tests/golden/tile/manifest.parquet"))],
        read: Box::new(|path, _| {
            let table = Tables::new().add_file("t", path).map(drop);
            read_manifest(path).or(table)
        }),
    }
}

/// A manifest with the rows that a task takes from it.
fn read_manifest(path: &Path) -> Result<()> {
    let manifest = Manifest::read(path)?;
    for row in manifest.rows() {
        let _ = (row.x(), row.y(), manifest.resolve(row));
    }
    let task = "description = \"any\"\nwhere = \"label <> 'x'\"\ntest = [\"test\"]";
    let task = toml::from_str(task).expect("a sound task");
    let _ = Dataset::new(manifest).rows(&task, &[]);
    Ok(())
}
