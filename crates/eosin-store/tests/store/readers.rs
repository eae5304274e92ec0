// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;
use std::process::Command;

use eosin_core::Matrix;
use eosin_store::{Dtype, ParquetStore, StoreOptions};
use eosin_testkit::peers::named_by;

use crate::support::{commit, contract, rows};

#[test]
fn python_reads_shards_as_they_are() {
    let what = "reading with pyarrow, pandas, polars and DuckDB";
    let Some(python) = named_by("EOSIN_PYTHON", what, "interpreter with them") else { return };
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/store/read_with_python.py");
    let cases = [
        (1, Dtype::F16, false),
        (6, Dtype::F16, false),
        (1024, Dtype::F16, false),
        (768, Dtype::F32, false),
        (1024, Dtype::F16, true),
        (768, Dtype::F32, true),
    ];
    for (dim, dtype, cold) in cases {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { dtype, cold, ..StoreOptions::default() };
        let store = ParquetStore::open_with(folder.path(), options).unwrap();
        let contract = contract(dim);
        let set = contract.fingerprint();
        for slide in ["a", "b", "c"] {
            commit(&store, &contract, rows(&contract, slide, 0..500));
        }
        // More rows than a row group has, and shards out of the order of their names.
        commit(&store, &contract, rows(&contract, "d", 0..if dim < 10 { 9000 } else { 100 }));
        store.compact(&set).unwrap();
        commit(&store, &contract, rows(&contract, "e", 0..10));
        let all = store.read_all(&set).unwrap();
        let (values, tiles) = (folder.path().join("all.npy"), folder.path().join("tiles.json"));
        std::fs::write(&values, npy(&all.embeddings)).unwrap();
        std::fs::write(&tiles, serde_json::to_vec(&all.metas).unwrap()).unwrap();
        let output = Command::new(&python)
            .arg(&script)
            .args([&folder.path().join(set.as_str()), &values, &tiles])
            .output()
            .unwrap();
        let (said, cause) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{cause}");
        eprint!("{said}");
    }
}

/// NumPy's file format, version 1.0.
fn npy(matrix: &Matrix) -> Vec<u8> {
    let header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
        matrix.n_rows(),
        matrix.n_cols()
    );
    let padded = format!("{header:<width$}\n", width = 128 - 11);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded.len() as u16).to_le_bytes());
    bytes.extend(padded.bytes());
    bytes.extend(matrix.values().iter().flat_map(|v| v.to_le_bytes()));
    bytes
}
